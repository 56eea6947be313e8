"""802.1X on the phone: what a login needs, and what came of it.

Rules (SNOM-TLS, tab "802.1X Certificates"; L where no word of the vendor is known): the
802.1X tab alone vouches for the network's server, and for no other; a server that was
refused goes to the Unknown tab with the purpose 802.1x, and an exception accepts
exactly that certificate. The supplicant decides on the wire (it has its own TLS); the
reason is found by the phone's own judge over the same tab.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from linekey.endpoint import parse_host_port
from linekey.errors import CertificateError, InputError
from linekey.phone.events import Reply, Save
from linekey.phone.state import PhoneState
from linekey.phone.tls_log import note_connection
from linekey.phone.typed import check_typed
from linekey.phone.urls import is_host
from linekey.phone.uses import words
from linekey.phone.uses.network.events import (
    LogIntoNetwork,
    NetworkCertificateUploaded,
    NetworkLoginEnded,
    NetworkLoginWanted,
)
from linekey.phone.uses.network.ieee8021x import EapMethod, read_method
from linekey.phone.uses.use import Button, Request, Result, Use, Verb
from linekey.tls.versions import Version
from linekey.trust.connection import ConnectionReport, Purpose
from linekey.trust.findings import Verdict
from linekey.trust.judge import TlsSettings, judge
from linekey.trust.store import Origin, TrustStore, read_upload


@dataclass(frozen=True, slots=True)
class Login:
    """The last 802.1X login."""

    method: str
    peer: str
    ok: bool
    reason: str
    at: datetime
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """Part of the state."""

    last: Login | None = None


def describe_network(state: PhoneState) -> dict[str, Any]:
    """The last 802.1X login for pages and JSON."""
    login = state.part(Network).last
    if login is None:
        return {"ieee8021x": None}
    shown = {f.name: getattr(login, f.name) for f in fields(login)}
    more = {"notes": list(login.notes), "at": login.at.isoformat()}
    return {"ieee8021x": shown | more}


def is_offered(state: PhoneState) -> bool:
    """Whether the Screen page has a form for a login."""
    try:
        method = read_method(state.setting("ieee8021x_eap_auth_method"))
    except InputError:
        return True  # its form then says what is wrong with the setting
    return method is not EapMethod.OFF


def login_wanted(state: PhoneState, event: NetworkLoginWanted, now: datetime) -> Result:
    """Gather what the supplicant needs; the answer is a refusal where that lacks."""
    try:
        method = read_method(state.setting("ieee8021x_eap_auth_method"))
    except InputError as error:
        return state, [Reply(False, error.message, error.hint)]
    if method is EapMethod.OFF:
        hint = "set ieee8021x_eap_auth_method to EAP-TLS"
        return state, [Reply(False, "802.1X is off on this phone", hint)]
    identity = state.client_identity
    chain, key = ((), b"") if identity is None else (identity.chain, identity.key_pem)
    row = state.profile
    oldest, newest = max(row.min_version, Version.TLS1_0), row.max_version
    command = LogIntoNetwork(
        method=method,
        host=event.host,
        port=event.port,
        secret=event.secret,
        mac=state.mac,
        chain=chain,
        key_pem=key,
        authorities=state.trust.ieee8021x,
        excepted=tuple(
            e.certificate
            for e in state.trust.server_certificates
            if e.origin is Origin.EXCEPTED
        ),
        versions=tuple(v for v in Version if oldest <= v <= newest),
        suites=row.suites,
        md5_username=state.setting("ieee8021x_eap_md5_username"),
        md5_password=state.setting("ieee8021x_eap_md5_password"),
    )
    return state, [command]


def login_ended(state: PhoneState, event: NetworkLoginEnded, now: datetime) -> Result:
    """Note what came of it: log, tab, screen.

    A login for which something lacks here was no connection, and is none on the screen.
    """
    request = event.request
    login = Login(
        request.method.value, request.peer, event.ok, event.reason, now, event.notes
    )
    state = state.with_part(Network(login))
    if not event.tried:
        state = state.with_log(now, Purpose.IEEE8021X, event.reason, level="error")
        return state, [Save(), Reply(event.ok, event.reason, event.hint)]
    verdict = None
    if event.chain and request.method is EapMethod.TLS:
        verdict = _judge(state, event, now)
    if verdict is not None and verdict.accepted is not event.ok:
        # The supplicant decided otherwise (an empty tab checks nobody, or something
        # else went wrong): its word stands, the judge's would mislead.
        verdict = None
    report = ConnectionReport(
        Purpose.IEEE8021X,
        request.peer,
        completed=event.ok,
        encrypted=request.method is EapMethod.TLS,
        version=event.version,
        chain=event.chain,
        verdict=verdict,
        client_certificate_asked=event.ok and request.method is EapMethod.TLS,
        client_certificate=request.chain[0] if event.ok and request.chain else None,
        error="" if event.ok else event.reason,
        hint=event.hint,
        notes=event.notes,
    )
    state = note_connection(state, report, now)
    hint = event.hint or "; ".join(event.notes)
    if verdict is not None and not verdict.accepted:
        hint = (
            "put the CA of the network's server on the 802.1X tab (linekey phone"
            " upload --tab 802.1x), or add an exception for its certificate"
        )
    return state, [Save(), Reply(event.ok, event.reason, hint)]


def _judge(state: PhoneState, event: NetworkLoginEnded, now: datetime) -> Verdict:
    tab = TrustStore(
        authorities=event.request.authorities,
        server_certificates=tuple(
            e for e in state.trust.server_certificates if e.origin is Origin.EXCEPTED
        ),
    )
    return judge(
        event.chain, None, tab, state.profile, TlsSettings(True, False, 0), now
    )


def certificate_uploaded(
    state: PhoneState, event: NetworkCertificateUploaded, now: datetime
) -> Result:
    """Put an authority on the 802.1X tab: DER, in admin mode (L: as server ones)."""
    reason, hint, accepted = "only in admin mode", "log in as administrator", False
    if event.admin:
        try:
            certificate = read_upload(event.data)
        except CertificateError as error:
            reason, hint = error.message, error.hint
        else:
            trust = state.trust.with_ieee8021x(certificate).without_unknown(certificate)
            state = replace(state, trust=trust)
            accepted, hint = True, ""
            reason = f"{certificate.label} is on the 802.1X tab"
    text = f"802.1X upload{'' if accepted else ' refused'}: {reason}"
    state = state.with_log(
        now, "certificates", text, level="info" if accepted else "error"
    )
    return state, [Save(), Reply(accepted, text, hint)]


def network_login(host: str, port: int, secret: str) -> NetworkLoginWanted:
    """Check what a login is asked with. Raises InputError."""
    if not is_host(host) or not 0 < port < 65536:
        raise InputError(
            f"no host and port of a RADIUS server: {host[:80]!r}, {port}",
            hint="write HOST:1812, or [ADDRESS]:1812 for IPv6",
        )
    check_typed("the RADIUS server's address", host)
    if not secret or not secret.isascii() or not secret.isprintable():
        raise InputError(
            "the RADIUS secret is empty or not printable ASCII",
            hint="give the file that holds what switch and server share",
        )
    return NetworkLoginWanted(host, port, secret)


def _at_server(radius: str, secret: str) -> NetworkLoginWanted:
    try:
        host, port = parse_host_port(radius, 1812)  # RFC 2865 §3
    except ValueError:
        raise InputError(
            f"not HOST:PORT: {radius[:80]!r}", hint="such as 127.0.0.1:1812"
        ) from None
    return network_login(host, port, secret)


NETWORK = Use(
    name="network",
    takes={
        NetworkCertificateUploaded: certificate_uploaded,
        NetworkLoginWanted: login_wanted,
        NetworkLoginEnded: login_ended,
    },
    errands=(LogIntoNetwork,),
    requests=(
        Request("upload-8021x", NetworkCertificateUploaded),
        Request(
            "dot1x",
            NetworkLoginWanted,
            lambda e: network_login(e.host, e.port, e.secret),
        ),
    ),
    verbs=(
        Verb(
            words.DOT1X,
            lambda radius, secret_file: _at_server(
                radius, secret_file.decode("utf-8", "replace").strip()
            ),
        ),
    ),
    buttons=(
        Button(
            "802.1x",
            lambda form, _: _at_server(form.get("radius", ""), form.get("secret", "")),
            admin=True,
            told=True,
        ),
    ),
    describe=describe_network,
    offers=lambda state: {"has_8021x": is_offered(state)},
)
