"""What people do with the phone's certificates: upload and remove.

The rules of the tabs themselves are in ``linekey.trust.store``; here stands who may,
and what the log says.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from linekey.certs.certificate import Certificate
from linekey.errors import CertificateError
from linekey.phone.events import CertificateRemoved, CertificateUploaded, Reply, Save
from linekey.phone.state import PhoneState
from linekey.phone.uses.use import Result
from linekey.trust.store import read_upload

_LEAST_DIGITS = 8


def find_certificate(
    certificates: Iterable[Certificate], sha256: str
) -> Certificate | str:
    """The one certificate of this SHA-256 (or its first 8 digits and more).

    Otherwise a clause why not: none, or several.
    """
    wanted = sha256.strip().lower().replace(":", "")
    if len(wanted) < _LEAST_DIGITS:
        return f"give {_LEAST_DIGITS} digits of the SHA-256 fingerprint or more"
    found = {c for c in certificates if c.sha256.startswith(wanted)}
    if len(found) == 1:
        return found.pop()
    return (
        f"{len(found)} certificates have a SHA-256 fingerprint that begins so"
        if found
        else f"no certificate there has the SHA-256 fingerprint {wanted[:64]!r}"
    )


def upload(state: PhoneState, event: CertificateUploaded, now: datetime) -> Result:
    """Manual upload (SNOM-TLS, Manually Uploading Certificates, H): in admin mode, DER,
    signed by an accepted authority or server certificate; else refused, and the log
    says why."""
    hint = ""
    accepted = False
    if not event.admin:
        reason, hint = "only in admin mode", "log in as administrator"
    else:
        try:
            certificate = read_upload(event.data)
            intake = state.trust.upload(certificate, at=now)
        except CertificateError as error:
            reason, hint = error.message, error.hint
        else:
            state = replace(state, trust=intake.store)
            accepted, reason = intake.accepted, intake.reason
            if not accepted:
                hint = (
                    "provision it instead, or accept its server's certificate as an "
                    "exception: nothing signed it but itself"
                    if certificate.self_issued
                    else "upload its issuer first, if an accepted one signed that"
                )
    text = f"upload: {reason}" if accepted else f"upload refused: {reason}"
    state = state.with_log(
        now, "certificates", text, level="info" if accepted else "error"
    )
    return state, [Save(), Reply(accepted, text, hint)]


def remove(state: PhoneState, event: CertificateRemoved, now: datetime) -> Result:
    """Take a certificate off the Unknown, Server and 802.1X tabs; the authorities
    are the firmware's, and read-only."""
    trust = state.trust
    own = [
        *(entry.certificate for entry in trust.server_certificates),
        *(entry.certificate for entry in trust.unknown),
        *trust.ieee8021x,
    ]
    found = find_certificate(own, event.sha256)
    if isinstance(found, str):
        return state, [Save(), Reply(False, f"nothing was removed: {found}")]
    text = f"{found.label} was removed"
    state = replace(state, trust=trust.without(found).without_unknown(found))
    return state.with_log(now, "certificates", text), [Save(), Reply(True, text)]
