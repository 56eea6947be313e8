"""What the phone's pages show, as plain values: the templates' and the JSON twins'.

Rule: a secret leaves here as stars, whoever asks.
"""

from datetime import UTC, datetime
from typing import Any

from linekey.certs.certificate import Certificate
from linekey.certs.describe import describe
from linekey.phone.known_settings import find_known
from linekey.phone.state import PhoneState
from linekey.phone.urls import redact_url

TABS = {
    "unknown": "Unknown Certificates",
    "server": "Server Certificates",
    "8021x": "802.1X Certificates",
    "authorities": "Certificate Authorities",
}
"""The four tabs, in the seed's order and words."""


def when(text: str) -> str:
    """An ISO time for people, in UTC."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%d.%m.%Y %H:%M:%S} UTC"


def status_view(state: PhoneState) -> dict[str, Any]:
    """The Status page."""
    choice = state.identity
    last = state.last_tls
    return {
        "mac": str(state.mac),
        "model": state.profile.model.name,
        "firmware": str(state.profile.firmware),
        "status": state.status.value,
        "status_reason": state.status_reason,
        "setting_server": redact_url(state.setting_server),
        "provisioned_at": state.provisioned_at and state.provisioned_at.isoformat(),
        "fetched": [document.as_dict() for document in state.fetched],
        "settings": len(state.settings),
        "tls": last and {
            "purpose": last.purpose,
            "peer": last.peer,
            "version": last.version,
            "suite": last.suite,
        },
        "speaks": list(state.profile.version_labels),
        "certificate": None
        if choice.identity is None
        else {
            "kind": choice.kind,
            "subject": str(choice.identity.leaf.subject),
            "generation": choice.identity.generation.value,
            "key": choice.identity.leaf.key.text,
            "not_after": choice.identity.leaf.not_after.isoformat(),
            "sha1": choice.identity.leaf.sha1,
            "notes": list(choice.notes),
        },
        "server_authentication": {
            "active": state.authenticates_servers,
            "forced": state.profile.server_auth_forced,
            "available": state.profile.server_auth_available,
        },
        "unknown_certificates": len(state.trust.unknown),
        "lines": [line.as_dict() for line in state.apps.lines],
    }  # fmt: skip


def settings_view(state: PhoneState) -> list[dict[str, Any]]:
    """The Settings page: everything that was set, secrets as stars."""
    rows = []
    for entry in state.settings:
        known = find_known(entry.name)
        rows.append(
            {
                "name": entry.label,
                "plain_name": entry.name,
                "idx": entry.idx,
                "value": entry.shown,
                "secret": entry.secret,
                "read_only": entry.read_only,
                "perm": entry.perm,
                "origin": entry.origin.value,
                "meaning": known.meaning if known else "",
            }
        )
    return rows


def certificate_view(certificate: Certificate) -> dict[str, Any]:
    """One certificate in the seed's layout."""
    return {
        "subject": str(certificate.subject),
        "sha256": certificate.sha256,
        "lines": describe(certificate),
    }


def certificates_view(state: PhoneState, tab: str) -> list[dict[str, Any]]:
    """One tab of the Certificates page; ``tab`` is a key of ``TABS``."""
    trust = state.trust
    match tab:
        case "unknown":
            return [
                certificate_view(u.certificate)
                | {
                    "seen": u.seen.isoformat(),
                    "purpose": u.purpose,
                    "peer": u.peer,
                    "reason": u.reason,
                    "times": u.times,
                }
                for u in trust.unknown
            ]
        case "server":
            return [
                certificate_view(s.certificate)
                | {"origin": s.origin.value, "since": s.since.isoformat()}
                for s in trust.server_certificates
            ]
        case "8021x":
            return [certificate_view(c) for c in trust.ieee8021x]
    return [certificate_view(c) for c in trust.authorities]


def log_view(state: PhoneState) -> list[dict[str, Any]]:
    """The Log page, newest first."""
    return [entry.as_dict() for entry in reversed(state.log)]
