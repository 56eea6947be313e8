"""Put what a document says into the phone's state.

Rules: sources stand at each; a line that does nothing says so in the log. Base64
certificates work from this moment on, so a later document of the same round already
profits; certificates by URL are handed back, to be fetched after all documents
(SNOM-TLS, Uploading Server Certificates via Provisioning, H).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from linekey.catalog.known_settings import find_known, odd_idx
from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_bundle, parse_certificates
from linekey.errors import CertificateError
from linekey.makers.all import maker_of
from linekey.phone.document import CertificateLine, FunctionKey, PhoneDocument
from linekey.phone.makers.neutral import in_own_words
from linekey.phone.settings import is_perm
from linekey.phone.state import PhoneState, host_flags
from linekey.trust.store import read_upload
from linekey.words import counted

AUTHENTICATION = "tls_server_authentication"
MAX_FUNCTION_KEYS = 512
"""A limit of linekey's: the largest phone with three expansion modules has some 300."""
_LISTED = 12


@dataclass(frozen=True, slots=True)
class Applied:
    """The state afterwards, and what is still to be fetched."""

    state: PhoneState
    certificate_urls: tuple[str, ...]
    """As written in the document."""
    files: tuple[str, ...]
    """As written in the document."""


def apply_document(
    state: PhoneState, document: PhoneDocument, url: str, now: datetime
) -> Applied:
    """Apply one document that came from ``url`` (without user and password)."""
    applied = take_document(state, document, url, now)
    kind = state.identity.kind
    return replace(applied, state=note_identity(applied.state, kind, now))


def take_document(
    state: PhoneState, document: PhoneDocument, url: str, now: datetime
) -> Applied:
    """Put a document into the state, whatever certificate the phone then shows."""
    state, unknown, kept_back = _apply_settings(state, document, now)
    state = _apply_function_keys(state, document.function_keys, now)
    if document.sections:
        state = replace(state, sections={**state.sections, **dict(document.sections)})
    details = list(document.notes) + kept_back
    if unknown:
        names = ", ".join(unknown[:_LISTED]) + (" …" if len(unknown) > _LISTED else "")
        subject = counted(len(unknown), "setting is", "settings are")
        details.append(f"{subject} unknown here and kept: {names}")
    state = state.with_log(
        now,
        "settings",
        f"{url} applied: {counted(len(document.settings), 'setting')}, "
        f"{counted(len(document.function_keys), 'function key')}, "
        f"{counted(len(document.certificates), 'certificate')}, "
        f"{counted(len(document.files), 'further document')}",
        *details,
        level="warning" if document.notes or kept_back else "info",
    )
    certificate_urls: list[str] = []
    for line in document.certificates:
        if line.url:
            certificate_urls.append(line.url)
        else:
            state = take_base64(state, line, now)
    return Applied(state, tuple(certificate_urls), document.files)


def _apply_settings(
    state: PhoneState, document: PhoneDocument, now: datetime
) -> tuple[PhoneState, list[str], list[str]]:
    unknown: list[str] = []
    kept_back: list[str] = []
    settings = state.settings
    for line in document.settings:
        name = line.name.lower()
        if name == AUTHENTICATION and not state.profile.switches_are_settings:
            state = _authentication(state, line.value, now)
            continue
        if odd := odd_idx(line.name, line.idx):
            kept_back.append(f"{line.name} was not set: {odd}")
            continue
        change = settings.provision(line.name, line.value, idx=line.idx, perm=line.perm)
        settings = change.settings
        if not change.applied:
            kept_back.append(f"{line.name} was not set: {change.reason}")
        elif find_known(name) is None and not _is_makers(state, line.name):
            unknown.append(line.name)
    state = replace(state, settings=settings)
    for line in document.settings:  # what holds in the end is what they are told by
        kept_back += remarks_on(state, line.name.lower(), line.value)
    return state, unknown, kept_back


def _is_makers(state: PhoneState, name: str) -> bool:
    """Whether it is a neutral term, or a setting that its maker's phones have."""
    maker = maker_of(state.profile.model.maker)
    return name.startswith("any.") or (maker is not None and maker.knows(name))


def remarks_on(state: PhoneState, name: str, value: str) -> list[str]:
    """What whoever sets ``name`` (in lower case) to ``value`` should know, if any."""
    row = state.profile
    if name == "check_fqdn_against_server_cert":
        if not row.check_fqdn_available:
            return [f"{name} does nothing: firmware {row.firmware} does not know it"]
        if not state.authenticates_servers:
            return [f"{name} does nothing while server authentication is off"]
    if name == "host_name_validation_flags":
        if not row.host_flags_available:
            return [f"{name} does nothing: firmware {row.firmware} does not know it"]
        if host_flags(value) is None:
            return [
                f"{name} is not a number from 0 to 31; the default "
                f"{row.host_flags_default} holds"
            ]
    if name == "empty_tls_client_cert" and value.strip().lower() == "on":
        return [
            f"{name} is on: the phone shows no certificate, and no server can know it"
        ]
    return []


def _authentication(state: PhoneState, value: str, now: datetime) -> PhoneState:
    """The switch of 8.x, from a document or the page (SNOM-TLS, Server
    Authentication)."""
    row = state.profile
    on = value.strip().lower() in ("on", "true", "1", "yes")
    if row.server_auth_forced:
        if on:
            return state
        return state.with_log(
            now,
            "settings",
            f"{AUTHENTICATION} off is ignored: firmware {row.firmware} always "
            "authenticates servers",
            level="warning",
        )
    if not row.server_auth_available:
        return state.with_log(
            now,
            "settings",
            f"{AUTHENTICATION} is ignored: firmware {row.firmware} does not know it "
            "(8.2.30 does)",
            level="warning",
        )
    if on and not state.server_authentication:
        return replace(state, server_authentication=True).with_log(
            now,
            "settings",
            "TLS server authentication was activated; only a factory reset clears it",
        )
    if not on and state.server_authentication:
        return state.with_log(
            now,
            "settings",
            f"{AUTHENTICATION} off is ignored: once active, only a factory reset "
            "clears it",
            level="warning",
        )
    return state


def activate_authentication(state: PhoneState, now: datetime) -> PhoneState:
    """Press *Activate* (SNOM-TLS, TLS Server Authentication)."""
    return _authentication(state, "on", now)


def take_own_words(state: PhoneState, now: datetime) -> PhoneState:
    """Give another maker's phone what its neutral terms come to (``neutral``)."""
    document = in_own_words(state.settings)
    state, _, kept_back = _apply_settings(state, document, now)
    state = _apply_function_keys(state, document.function_keys, now)
    details = [*document.notes, *kept_back]
    if not details:
        return state
    text = "some of it means nothing to this phone"
    return state.with_log(now, "settings", text, *details, level="warning")


def _apply_function_keys(
    state: PhoneState, keys: Iterable[FunctionKey], now: datetime
) -> PhoneState:
    by_idx = {key.idx: key for key in state.function_keys}
    for key in keys:
        if not is_perm(key.perm):
            state = state.with_log(
                now,
                "settings",
                f"function key {key.idx} was not set: unknown perm",
                level="warning",
            )
        elif key.idx in by_idx or len(by_idx) < MAX_FUNCTION_KEYS:
            by_idx[key.idx] = key
        else:
            state = state.with_log(
                now,
                "settings",
                f"function key {key.idx} was not set: the phone has "
                f"{MAX_FUNCTION_KEYS} already",
                level="warning",
            )
    return replace(state, function_keys=tuple(by_idx[idx] for idx in sorted(by_idx)))


def take_base64(state: PhoneState, line: CertificateLine, now: datetime) -> PhoneState:
    """Take one ``<certificate type="base64">``, at once.

    Markers and any white space are read over; a private key inside is not kept, and
    said loudly (SNOM-FILES).
    """
    where = f"base64 certificate in line {line.line}"
    if not state.profile.base64_certificates:
        return state.with_log(
            now,
            "certificates",
            f"{where} is ignored: firmware {state.profile.firmware} reads certificates "
            "by URL only (base64 from 8.7.5.52 and 8.9.3.41 on)",
            level="warning",
        )
    try:
        bundle = parse_bundle(line.text.encode("utf-8", "replace"))
    except CertificateError as error:
        hold_key = "PRIVATE KEY" in line.text
        return _warn_key(state, where, now, hold_key).with_log(
            now, "certificates", f"{where}: {error.message}", level="error"
        )
    state = _warn_key(state, where, now, bool(bundle.keys))
    if len(bundle.certificates) != 1:
        return state.with_log(
            now,
            "certificates",
            f"{where} holds {len(bundle.certificates)} certificates; "
            "each <certificate> holds one",
            level="error",
        )
    return take_certificate(state, bundle.certificates[0], where, now)


def take_certificate(
    state: PhoneState, certificate: Certificate, where: str, now: datetime
) -> PhoneState:
    """Take one certificate by the firmware's rule, and log whether that was done."""
    intake = state.trust.provision(
        certificate, at=now, signed_by_rule=state.profile.signed_by_rule
    )
    text = f"{where}: {intake.reason}"
    if not intake.accepted:
        text += (
            f"; firmware {state.profile.firmware} takes no other (any is taken from "
            "8.7.5.52 and 8.9.3.41 on)"
        )
    return replace(state, trust=intake.store).with_log(
        now, "certificates", text, level="info" if intake.accepted else "error"
    )


def _warn_key(state: PhoneState, where: str, now: datetime, found: bool) -> PhoneState:
    if not found:
        return state
    return state.with_log(
        now,
        "certificates",
        f"{where} holds a PRIVATE KEY: every phone that fetched this document has it. "
        "Replace key and certificate, and take the key out of the document",
        level="error",
    )


def take_download(
    state: PhoneState, url: str, data: bytes, now: datetime
) -> PhoneState:
    """Take a certificate that ``<certificate url>`` named: DER (SNOM-TLS), bounded.

    Other makers' phones read PEM as well (YEALINK-GUIDE, p. 940).
    """
    try:
        certificate = (
            read_upload(data, "the file")
            if state.profile.model.is_known or b"-----BEGIN" not in data
            else parse_certificates(data)[0]
        )
    except CertificateError as error:
        return state.with_log(
            now, "certificates", f"certificate {url}: {error.message}", level="error"
        )
    return take_certificate(state, certificate, f"certificate {url}", now)


def note_identity(state: PhoneState, kind_before: str, now: datetime) -> PhoneState:
    """Say in the log which certificate is shown, where that changed or failed."""
    choice = state.identity
    if choice.kind != kind_before and choice.identity is not None:
        leaf = choice.identity.leaf
        state = state.with_log(
            now,
            "certificates",
            f"the phone now uses its {choice.kind} certificate: {leaf.label}, "
            f"{leaf.key.text}, {leaf.signature_algorithm}",
        )
    for note in choice.notes:
        if not any(entry.text == note for entry in state.log[-50:]):
            state = state.with_log(now, "certificates", note, level="warning")
    return state
