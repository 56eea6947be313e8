"""A phone's record and a layer as JSON values, for commands and for the API.

Rule: a secret has ``"secret": true`` and no value, and no hash of one is in here.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from linekey.makers.known import why_unknown
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, merge
from linekey.provisioning.group import Group
from linekey.provisioning.pending import AdoptionRule


def device_json(device: Device) -> dict[str, Any]:
    """Write a device as JSON values, without secrets and hashes of such."""
    return {
        "mac": device.mac.digits,
        "vendor": device.vendor,
        "model": device.model,
        "firmware": None if device.firmware is None else str(device.firmware),
        "label": device.label,
        "group": device.group,
        "state": device.state,
        "revoked_reason": device.revoked_reason,
        "generations": generations_of(device),
        "expired": device.expired,
        "registered_at": (
            None if device.registered_at is None else device.registered_at.isoformat()
        ),
        "token": token_state(device),
        "digest_user": None if device.digest is None else device.digest.username,
        "version": device.version,
        "layer": layer_json(device.layer),
    }


def group_json(group: Group, phones: int) -> dict[str, Any]:
    """Write a group with the number of its phones as JSON values."""
    allowed = group.authorities
    return {
        "name": group.name,
        "note": group.note,
        "vendor_cas": None if allowed is None else sorted(allowed),
        "policies": dict(group.policies),
        "phones": phones,
    }


def rule_json(rule: AdoptionRule) -> dict[str, Any]:
    """Write a rule for phones that are expected as JSON values."""
    return {
        "name": rule.name,
        "macs": [str(each) for each in rule.ranges],
        "count": rule.count,
        "label": rule.label,
        "group": rule.group,
        "model": rule.model,
        "vendor": rule.vendor,
        "ask": not rule.adopts,
    }


@lru_cache(4096)  # a fleet's phones have the same settings
def _is_known(name: str, idx: int | None) -> bool:
    return why_unknown(name, idx) is None


def layer_json(layer: Layer) -> dict[str, Any]:
    """Write a layer as JSON values; a secret has ``"secret": true`` and no value."""
    plain, _ = layer.to_plain()
    for entry, s in zip(plain["settings"], layer.settings, strict=True):
        entry["known"] = _is_known(s.name, s.idx)
    plain["certificates"] = [
        {
            "subject": str(entry.certificate.subject),
            "sha256": entry.certificate.sha256,
            "not_after": entry.certificate.not_after.isoformat(),
        }
        for entry in layer.certificates
    ]
    return plain | {"unreadable": list(layer.unreadable)}


def sources(layers: Sequence[tuple[str, Layer]]) -> list[str]:
    """Say which of named layers, the lowest first, each entry of all is from.

    In the order in which ``merge`` of them has settings, function keys, certificates.
    """
    whole = merge(*(layer for _, layer in layers))
    found: dict[object, str] = {}
    for name, layer in layers:
        found.update({s.slot: name for s in layer.settings})
        found.update({k.slot: name for k in layer.function_keys})
        for entry in layer.certificates:
            found.setdefault(entry, name)
    keys: list[object] = [s.slot for s in whole.settings]
    keys += [k.slot for k in whole.function_keys]
    return [found[key] for key in (*keys, *whole.certificates)]


def merged_json(layers: Sequence[tuple[str, Layer]]) -> dict[str, Any]:
    """Write named layers laid over each other; each entry says which it is ``from``."""
    plain = layer_json(merge(*(layer for _, layer in layers)))
    entries = [*plain["settings"], *plain["function_keys"], *plain["certificates"]]
    for entry, source in zip(entries, sources(layers), strict=True):
        entry["from"] = source
    return plain


def generations_of(device: Device) -> list[str] | None:
    """The generations that a device is pinned to, in order; None: by its model."""
    if device.generations is None:
        return None
    return sorted(generation.value for generation in device.generations)


def token_state(device: Device) -> str:
    """Say whether a device has a one-time token, and when it was used."""
    if device.token_sha256 is None:
        return "none"
    if device.token_used_at is None:
        return "unused"
    return f"used {device.token_used_at:%Y-%m-%d %H:%M:%S} UTC"
