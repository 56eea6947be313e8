"""The catalogue as documents: for ``--json`` and for the reference page.

``model_document`` and ``profile_document`` return plain values that JSON can hold; the
keys are the documented form of ``linekey models --json``. Cipher suites are named by
``linekey.tls.suites``.
"""

from typing import Any

from linekey.catalog.evidence import Rule, sources_in
from linekey.catalog.firmware_dates import date_of
from linekey.catalog.matrix import firmwares_of
from linekey.catalog.models import Model
from linekey.catalog.profile import Profile
from linekey.tls.suites import SUITES

ORIGIN_WORDS = {
    "table": "SNOM-TLS's table of models",
    "matrix": "SNOM-TLS's cipher matrix only",
    "later": "later than SNOM-TLS",
    "other": "another maker's phone",
}


def hash_words(model: Model) -> str:
    """Return the supported hashes in a few words: ``SHA-1, SHA-2 from …``."""
    if not model.is_known:
        return "unknown"
    if model.sha2_since is None:
        return "SHA-1"
    if model.sha2_native:
        return "SHA-1, SHA-2"
    return f"SHA-1, SHA-2 from {model.sha2_since.firsts[0]}"


def certificate_words(model: Model) -> str:
    """Return the built-in certificate in a few words: ``SHA-1/RSA-1024, shared``."""
    words = "unknown"
    if model.builtin is not None:
        words = f"{model.builtin.label}/RSA-{model.key_bits}"
    return f"{words}, shared" if model.shared_certificate else words


def branch_words(model: Model) -> str:
    """Return the firmware branches it may have had: ``8.7 – 8.9``, ``10.1 –``."""
    if not model.is_known:
        return "unknown"
    first = ".".join(map(str, model.first_branch))
    if model.last_branch is None:
        return f"{first} –"
    last = ".".join(map(str, model.last_branch))
    return first if first == last else f"{first} – {last}"


def rule_document(rule: Rule) -> dict[str, str]:
    """Return one rule as a plain object."""
    return {
        "rule": rule.name,
        "statement": rule.statement,
        "source": rule.source,
        "confidence": rule.confidence,
    }


def model_document(model: Model) -> dict[str, Any]:
    """Return what is known of a model whatever its firmware."""
    return {
        "model": model.name,
        "maker": model.maker,
        "title": model.title,
        "user_agent_name": model.user_agent_name,
        "aliases": list(model.aliases),
        "hashes": list(model.hashes),
        "sha2_since": None
        if model.sha2_since is None or model.sha2_native
        else [str(first) for first in model.sha2_since.firsts],
        "certificate": {
            "generation": model.builtin and model.builtin.value,
            "key_bits": model.key_bits,
            "shared": model.shared_certificate,
        },
        "branches": {
            "first": ".".join(map(str, model.first_branch)),
            "last": model.last_branch and ".".join(map(str, model.last_branch)),
            "confidence": model.range_confidence,
        }
        if model.is_known
        else None,
        "matrix_firmwares": [str(firmware) for firmware in firmwares_of(model)]
        if model.is_known
        else [],
        "accounts": model.accounts,
        "line_keys": model.line_keys,
        "file_code": model.code or None,
        "origin": model.origin,
        "source": model.source,
        "sources": sources_in(model.source),
        "confidence": model.confidence,
        "readings": list(model.readings),
    }


def suite_document(number: int) -> dict[str, Any]:
    """Return one cipher suite as a plain object."""
    suite = SUITES[number]
    return {
        "number": f"0x{number:04X}",
        "name": suite.name,
        "openssl_name": suite.openssl_name,
    }


def profile_document(profile: Profile) -> dict[str, Any]:
    """Return what a model with a firmware can do: the document of one phone.

    Where no source tells that, ``tls`` and ``certificates`` are None.
    """
    if profile.is_unknown:
        return {
            **model_document(profile.model),
            "firmware": str(profile.firmware),
            "tls": None,
            "certificates": None,
            "server_authentication": {
                "default": profile.server_auth_default,
                "forced": profile.server_auth_forced,
                "check_fqdn_default": profile.check_fqdn_default,
            },
            "rules": [rule_document(rule) for rule in profile.facts],
        }
    row = profile.match.row
    dated = date_of(profile.firmware)
    return {
        **model_document(profile.model),
        "firmware": str(profile.firmware),
        "firmware_date": None
        if dated is None
        else {
            "exact": dated.exact and dated.exact.day.isoformat(),
            "not_before": dated.not_before and dated.not_before.day.isoformat(),
            "not_after": dated.not_after and dated.not_after.day.isoformat(),
            "source": dated.source,
            "confidence": dated.confidence,
        },
        "warnings": list(profile.warnings),
        "tls": {
            "versions": list(profile.version_labels),
            "suites": [suite_document(number) for number in profile.suites],
            "server_authentication_by": list(profile.authentications),
            "sends_server_name": profile.sends_server_name,
            "groups": list(profile.groups),
            "signature_algorithms": [
                f"0x{number:04X}" for number in profile.signature_algorithms
            ],
            "row": row.id,
            "how": profile.match.how,
            "confidence": profile.confidence,
        },
        "certificates": {
            "hashes": list(profile.hashes),
            "min_key_bits": profile.min_key_bits,
            "max_key_bits": profile.max_key_bits,
            "generations": sorted(profile.generations),
        },
        "server_authentication": {
            "available": profile.server_auth_available,
            "default": profile.server_auth_default,
            "forced": profile.server_auth_forced,
            "check_fqdn_available": profile.check_fqdn_available,
            "check_fqdn_default": profile.check_fqdn_default,
            "host_flags_available": profile.host_flags_available,
            "host_flags_default": profile.host_flags_default,
        },
        "provisioning": {
            "base64_certificates": profile.base64_certificates,
            "signed_by_rule": profile.signed_by_rule,
            "phone_cert_type": profile.phone_cert_type,
        },
        "sip_srv_checks_proxy": profile.sip_srv_checks_proxy,
        "rules": [rule_document(rule) for rule in profile.facts],
    }
