"""A phone as plain values: for ``linekey phone``, ``linekey up`` and the phone's pages.

The pages' JSON twins and the verbs' ``--json`` print these very documents; whoever runs
the phone hands them out to whoever asks (``edge.control``).

Rules: values are what JSON has (times in ISO 8601); a secret leaves here as stars, and
a URL without its password and token, whoever asks.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from linekey.catalog.known_settings import find_known
from linekey.certs.certificate import Certificate
from linekey.certs.describe import describe
from linekey.phone.device import DEVICE
from linekey.phone.state import PhoneState
from linekey.phone.urls import redact_url
from linekey.phone.uses.all import USES
from linekey.phone.uses.sip.lines import describe_lines
from linekey.trust.store import TrustStore

TABS: Final = MappingProxyType(
    {
        "unknown": "Unknown Certificates",
        "server_certificates": "Server Certificates",
        "ieee8021x": "802.1X Certificates",
        "authorities": "Certificate Authorities",
    }
)
"""The four tabs of the Certificates page, in SNOM-TLS's order and words."""


def describe_run(state: PhoneState) -> dict[str, Any]:
    """What ``linekey up --json`` tells of the phone."""
    choice = state.identity
    own = choice.identity
    last = state.last_tls
    return {
        "mac": str(state.mac),
        "model": state.profile.model.name,
        "firmware": str(state.profile.firmware),
        "state": state.status.value,
        "reason": state.status_reason,
        "tls": None
        if last is None
        else {
            "purpose": last.purpose,
            "peer": last.peer,
            "version": last.version,
            "suite": last.suite,
        },
        "certificate": None
        if own is None
        else {
            "kind": choice.kind,
            "generation": own.signed_with,
            "key": own.leaf.key.text,
            "key_bits": own.leaf.key.bits,
            "subject": str(own.leaf.subject),
            "label": own.leaf.label,
            "not_after": own.leaf.not_after.isoformat(),
            "sha1": own.leaf.sha1,
            "sha256": own.leaf.sha256,
            "notes": list(choice.notes),
        },
        "fetched": [f.as_dict() for f in state.fetched],
        "settings": len(state.settings),
        **describe_lines(state),
    }


def describe_certificate(
    certificate: Certificate, *, laid_out: bool = False
) -> dict[str, Any]:
    """One certificate; ``laid_out`` adds ``lines``, as the phone's page shows them."""
    key = certificate.key
    document = {
        "subject": str(certificate.subject),
        "label": certificate.label,
        "issuer": str(certificate.issuer),
        "version": certificate.version,
        "serial": f"{certificate.serial:02X}",
        "signature_algorithm": certificate.signature_algorithm,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "sha1": certificate.sha1,
        "md5": certificate.md5,
        "sha256": certificate.sha256,
        "key": {"kind": key.kind, "bits": key.bits},
    }
    return document | {"lines": describe(certificate)} if laid_out else document


def describe_tab(
    state: PhoneState, tab: str, *, laid_out: bool = False
) -> list[dict[str, Any]]:
    """One tab of the Certificates page; ``tab`` is a key of ``TABS``."""
    trust = state.trust
    rows: list[tuple[Certificate, dict[str, Any]]]
    match tab:
        case "unknown":
            rows = [
                (
                    u.certificate,
                    {
                        "seen": u.seen.isoformat(),
                        "purpose": u.purpose,
                        "peer": u.peer,
                        "reason": u.reason,
                        "times": u.times,
                    },
                )
                for u in trust.unknown
            ]
        case "server_certificates":
            rows = _accepted(trust)
        case "ieee8021x":
            rows = [(c, {}) for c in trust.ieee8021x]
        case "authorities":
            ordered = sorted(trust.authorities, key=_sorted_as)
            rows = [(c, {}) for c in ordered]
        case _:
            raise ValueError(f"no such tab: {tab!r}")
    return [describe_certificate(c, laid_out=laid_out) | more for c, more in rows]


def _accepted(trust: TrustStore) -> list[tuple[Certificate, dict[str, Any]]]:
    """The Server Certificates tab: a certificate that came twice is one row."""
    rows: dict[Certificate, dict[str, Any]] = {}
    for entry in trust.server_certificates:
        row = rows.get(entry.certificate)
        if row is None:
            since = entry.since.isoformat()
            rows[entry.certificate] = {"origin": entry.origin.value, "since": since}
        else:
            row["origin"] += f", {entry.origin.value}"
    return list(rows.items())


def _sorted_as(certificate: Certificate) -> tuple[str, str]:
    """Authorities stand by the name that people know them by."""
    subject = certificate.subject
    names = subject.values("CN") or subject.values("OU") or subject.values("O")
    return (names[0] if names else str(subject)).casefold(), certificate.sha256


def find_in_tab(rows: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """The rows of ``describe_tab`` that hold every word of ``text``.

    Words are looked for in subject, issuer, serial number and fingerprints; case and
    the colons of fingerprints do not count.
    """
    words = text.casefold().split()

    def held(row: dict[str, Any]) -> str:
        names = ("subject", "issuer", "serial", "sha1", "sha256", "md5")
        return "\n".join(str(row[name]) for name in names).casefold()

    return [
        row
        for row in rows
        if all(w in held(row) or w.replace(":", "") in held(row) for w in words)
    ]


def describe_certificates(state: PhoneState) -> dict[str, Any]:
    """The phone's own certificate and the four tabs."""
    own = state.identity
    return {
        "own": None
        if own.identity is None
        else {"kind": own.kind, **describe_certificate(own.identity.leaf)},
        **{tab: describe_tab(state, tab) for tab in TABS},
    }


def describe_settings(state: PhoneState) -> list[dict[str, Any]]:
    """Every setting that was set; a secret's value is stars."""
    rows = []
    for entry in state.settings:
        known = find_known(entry.name)
        rows.append(
            {
                "name": entry.name,
                "idx": entry.idx,
                "label": entry.label,
                "value": entry.shown,
                "secret": entry.secret,
                "perm": entry.perm,
                "origin": entry.origin.value,
                "read_only": entry.read_only,
                "known": known is not None,
                "meaning": known.meaning if known else "",
            }
        )
    return rows


def describe_phone(state: PhoneState) -> dict[str, Any]:
    """All but the long lists: settings, certificates, log."""
    row = state.profile
    tls = state.tls_settings
    return {
        **describe_run(state),
        "setting_server": state.setting_server and redact_url(state.setting_server),
        "provisioned_at": state.provisioned_at and state.provisioned_at.isoformat(),
        "server_authentication": {
            "active": tls.server_authentication,
            "forced": row.server_auth_forced,
            "available": row.server_auth_available,
            "check_fqdn": tls.check_fqdn,
            "host_flags": tls.host_flags,
        },
        "speaks": {
            "versions": list(row.version_labels),
            "suites": len(row.suites),
            "confidence": row.confidence,
            "warnings": list(row.warnings),
        },
        "tabs": {
            "unknown": len(state.trust.unknown),
            "server_certificates": len(_accepted(state.trust)),
            "ieee8021x": len(state.trust.ieee8021x),
            "authorities": len(state.trust.authorities),
        },
        "name": state.setting("user_idle_text", 1)
        or state.setting("user_realname", 1)
        or state.setting("user_name", 1)
        or row.model.title,
        "function_keys": [
            {"idx": k.idx, "type": k.type, "label": k.label or k.type}
            for k in state.function_keys
        ],
        "named_keys": sorted(
            name.removeprefix("dkey_")
            for (name, _), entry in state.settings.entries.items()
            if name.startswith("dkey_") and entry.value.strip()
        ),
        "sections": sorted(state.sections),
        "apps": describe_uses(state),
        "notifications": [n.as_dict() for n in state.notifications],
        "log_lines": state.log_count,
    }


def describe_uses(state: PhoneState) -> dict[str, Any]:
    """What the uses of TLS show, for ``phone show --json`` and the screen's twin."""
    shown: dict[str, Any] = {}
    for use in (DEVICE, *USES):
        shown |= use.describe(state)
    return shown


def screen_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Of what ``describe_phone`` told, what display and keys show."""
    return {
        "name": document["name"],
        "state": document["state"],
        "reason": document["reason"],
        "notifications": document["notifications"],
        "function_keys": document["function_keys"],
        "named_keys": document["named_keys"],
        **document["apps"],
    }
