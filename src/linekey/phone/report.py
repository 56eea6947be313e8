"""A phone as JSON: for ``linekey phone show``, the pages' twins and ``linekey up``.

No secret is in any of it.
"""

from typing import Any

from linekey.certs.certificate import Certificate
from linekey.phone.apps import describe_apps
from linekey.phone.known_settings import find_known
from linekey.phone.state import PhoneState
from linekey.phone.urls import redact_url


def describe_run(state: PhoneState) -> dict[str, Any]:
    """What ``linekey up --json`` tells of the phone."""
    identity = state.identity.identity
    last = state.last_tls
    return {
        "mac": str(state.mac),
        "model": state.profile.model.name,
        "firmware": str(state.profile.firmware),
        "state": state.status.value,
        "reason": state.status_reason,
        "tls": None if last is None else {"version": last.version, "suite": last.suite},
        "certificate": None
        if identity is None
        else {
            "generation": identity.generation.value,
            "key_bits": identity.leaf.key.bits,
            "kind": state.identity.kind,
            "sha256": identity.leaf.sha256,
        },
        "fetched": [f.as_dict() for f in state.fetched],
        "settings": len(state.settings),
        "lines": [line.as_dict() for line in state.apps.lines],
    }


def describe_certificate(certificate: Certificate) -> dict[str, Any]:
    """One certificate with the fields that the phone's page shows."""
    key = certificate.key
    return {
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "version": certificate.version,
        "serial": f"{certificate.serial:02X}",
        "signature_algorithm": certificate.signature_algorithm,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "sha1": certificate.sha1,
        "md5": certificate.md5,
        "sha256": certificate.sha256,
        "key": {"kind": key.kind, "bits": key.bits},
    }


def describe_certificates(state: PhoneState) -> dict[str, Any]:
    """The four tabs and the phone's own certificate."""
    own = state.identity
    return {
        "own": None
        if own.identity is None
        else {"kind": own.kind, **describe_certificate(own.identity.leaf)},
        "unknown": [
            {
                **describe_certificate(u.certificate),
                "seen": u.seen,
                "purpose": u.purpose,
                "peer": u.peer,
                "reason": u.reason,
                "times": u.times,
            }
            for u in state.trust.unknown
        ],
        "server_certificates": [
            {
                **describe_certificate(e.certificate),
                "origin": e.origin.value,
                "since": e.since,
            }
            for e in state.trust.server_certificates
        ],
        "ieee8021x": [describe_certificate(c) for c in state.trust.ieee8021x],
        "authorities": [describe_certificate(c) for c in state.trust.authorities],
    }


def describe_settings(state: PhoneState) -> list[dict[str, Any]]:
    """Every setting that was set; a secret's value is stars."""
    return [
        {
            "name": e.name,
            "idx": e.idx,
            "value": e.shown,
            "perm": e.perm,
            "origin": e.origin.value,
            "read_only": e.read_only,
            "known": find_known(e.name) is not None,
        }
        for e in state.settings
    ]


def describe_phone(state: PhoneState) -> dict[str, Any]:
    """All but the long lists: settings, certificates, log."""
    row = state.profile
    tls = state.tls_settings
    return {
        **describe_run(state),
        "setting_server": state.setting_server and redact_url(state.setting_server),
        "provisioned_at": state.provisioned_at,
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
        "shelves": {
            "unknown": len(state.trust.unknown),
            "server_certificates": len(state.trust.server_certificates),
            "ieee8021x": len(state.trust.ieee8021x),
            "authorities": len(state.trust.authorities),
        },
        "function_keys": [
            {"idx": k.idx, "type": k.type, "label": k.label}
            for k in state.function_keys
        ],
        "sections": sorted(state.sections),
        "apps": describe_apps(state.apps),
        "notifications": [n.as_dict() for n in state.notifications],
        "log_lines": state.log_count,
    }
