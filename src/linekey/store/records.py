"""Devices and layers as rows: what is plain, what is sealed, and to which place.

A layer is kept as JSON without its secrets (``Layer.to_plain``); these are sealed
together, for the place ``device MAC`` or ``layer SCOPE``, so that they open in that row
only. A device's HA1 values for HTTP digest are sealed with its layer's secrets.

Rule: a row with a damaged entry gives the rest (``Layer.unreadable`` names it); a row
whose secrets do not open raises StorageError, since a phone that gets its file without
its password is a phone that loses its line.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from pydantic_core import from_json, to_json

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.errors import InputError, StorageError
from linekey.mac import Mac
from linekey.provisioning.device import Device, DigestCredential
from linekey.provisioning.document import Layer
from linekey.provisioning.expired import Expired
from linekey.provisioning.group import Group
from linekey.provisioning.pending import Policy
from linekey.store.schema import devices, from_us, groups, to_us
from linekey.store.secrets import KeyRing

DEVICE_COLUMNS: tuple[str, ...] = tuple(
    c.name for c in devices.columns if c.name != "changed_at"
)
"""The columns that ``read_device`` takes, in this order."""
GROUP_COLUMNS: tuple[str, ...] = tuple(
    c.name for c in groups.columns if c.name != "changed_at"
)
"""The columns that ``read_group`` takes, in this order."""


def read_rule(rule: str | None, vendor: str | None) -> OperatorRule | None:
    """Read the operator's word on a CA's phones from its row; None: there is none.

    Raises StorageError for a rule that this linekey does not know.
    """
    if rule is None:
        return None
    try:
        return OperatorRule(TrustRule(rule), vendor)
    except ValueError:
        raise StorageError(
            f"a CA in the trust list has the unknown rule {rule!r}",
            hint="install the newer linekey that wrote it, or remove that row",
        ) from None


def read_policy(text: str | None) -> Policy | None:
    """Read what a CA's unregistered phones get from its row; None: as for all.

    Raises StorageError for a policy that this linekey does not know.
    """
    try:
        return None if text is None else Policy(text)
    except ValueError:
        raise StorageError(
            f"a CA in the trust list has the unknown policy {text!r}",
            hint="install the newer linekey that wrote it, or set it anew: linekey "
            "trust set FINGERPRINT --pending",
        ) from None


def read_expired(text: str | None) -> Expired | None:
    """Read what ended certificates are worth, a CA's or a phone's; None: nothing said.

    Raises StorageError for a policy that this linekey does not know.
    """
    try:
        return None if text is None else Expired(text)
    except ValueError:
        raise StorageError(
            f"the database has the unknown policy {text!r} for expired certificates",
            hint="install the newer linekey that wrote it, or set it anew: linekey "
            "trust set FINGERPRINT --expired, or linekey device set MAC --expired",
        ) from None


def device_place(mac: Mac) -> str:
    """What a device's secrets are sealed for."""
    return f"device {mac}"


def layer_place(scope: str) -> str:
    """What the secrets of a fleet's or a model's layer are sealed for."""
    return f"layer {scope}"


def device_values(device: Device, keys: KeyRing) -> dict[str, Any]:
    """Return the row of a device, without ``changed_at``."""
    plain, secrets = device.layer.to_plain()
    sealed: dict[str, Any] = {}
    if secrets:
        sealed["layer"] = secrets
    digest = device.digest
    if digest is not None:
        sealed["ha1"] = [digest.ha1_md5, digest.ha1_sha256]
    return {
        "mac": device.mac.digits,
        "vendor": device.vendor,
        "model": device.model,
        "firmware": None if device.firmware is None else str(device.firmware),
        "label": device.label,
        "state": device.state,
        "revoked_reason": device.revoked_reason,
        "group": device.group,
        "generations": (
            None
            if device.generations is None
            else ",".join(sorted(g.value for g in device.generations))
        ),
        "token_sha256": device.token_sha256,
        "token_used_at": (
            None if device.token_used_at is None else to_us(device.token_used_at)
        ),
        "digest_username": None if digest is None else digest.username,
        "digest_realm": None if digest is None else digest.realm,
        "layer": dump(plain),
        "sealed": seal(sealed, keys, device_place(device.mac)),
        "version": device.version,
        "waited": int(device.waited),
        "registered_at": (
            None if device.registered_at is None else to_us(device.registered_at)
        ),
        "expired": None if device.expired is None else device.expired.value,
    }


def device_row(device: Device, names: Sequence[str], keys: KeyRing) -> list[Any]:
    """Return these columns of a device's row."""
    values = device_values(device, keys)
    return [values[name] for name in names]


_COLUMNS_OF: dict[str, tuple[str, ...]] = {
    "digest": ("digest_username", "digest_realm", "sealed"),
    "layer": ("layer", "sealed"),
}
"""Of a device's attribute, where it is not one column of its own name."""


def differing_columns(changed: Iterable[tuple[Device, Device]]) -> list[str]:
    """The columns in which any of these devices differs from what it was.

    Others need not be written, nor entries of their indexes.
    """
    attributes = {f.name: _COLUMNS_OF.get(f.name, (f.name,)) for f in fields(Device)}
    found: set[str] = set()
    for before, after in changed:
        for name in list(attributes):
            if getattr(before, name) != getattr(after, name):
                found.update(attributes.pop(name))
    return [name for name in DEVICE_COLUMNS if name in found]


def read_device(row: Sequence[Any], keys: KeyRing) -> Device:
    """Return the device of a row of DEVICE_COLUMNS.

    Raises StorageError if its secrets do not open or it was damaged outside linekey.
    """
    mac_digits, vendor, model, firmware, label, state, revoked_reason = row[:7]
    group, generations, token_sha256, token_used_at, username, realm = row[7:13]
    layer, sealed, version, waited, registered_at, expired = row[13:]
    mac = Mac(mac_digits)
    secrets = unseal(sealed, keys, device_place(mac))
    try:
        digest = None
        if username is not None:
            ha1_md5, ha1_sha256 = secrets["ha1"]
            digest = DigestCredential(username, realm, ha1_md5, ha1_sha256)
        if state not in ("active", "revoked"):
            raise ValueError(state)
        return Device(
            mac=mac,
            vendor=vendor,
            model=model,
            firmware=None if firmware is None else Firmware.parse(firmware),
            state=state,
            revoked_reason=revoked_reason,
            generations=(
                None
                if generations is None
                else frozenset(Generation(g) for g in generations.split(",") if g)
            ),
            token_sha256=token_sha256,
            token_used_at=None if token_used_at is None else from_us(token_used_at),
            digest=digest,
            label=label,
            group=group,
            layer=Layer.from_plain(load(layer), secrets.get("layer")),
            waited=bool(waited),
            registered_at=None if registered_at is None else from_us(registered_at),
            expired=None if expired is None else Expired(expired),
            version=version,
        )
    except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise _damaged(device_place(mac)) from error


def read_group(row: Sequence[Any]) -> Group:
    """Return the group of a row of GROUP_COLUMNS.

    Raises StorageError if it was changed outside linekey.
    """
    name, note, authorities, policies, version = row
    try:
        allowed = None if authorities is None else dict(json.loads(authorities))
        return Group(name, note, allowed, dict(json.loads(policies)), version)
    except (ValueError, TypeError) as error:
        raise _damaged(f"group {name}") from error


def group_values(group: Group) -> dict[str, Any]:
    """Return the row of a group, without ``changed_at``."""
    allowed = group.authorities
    return {
        "name": group.name,
        "note": group.note,
        "authorities": None if allowed is None else dump(dict(allowed)),
        "policies": dump(dict(group.policies)),
        "version": group.version,
    }


def layer_values(scope: str, layer: Layer, keys: KeyRing) -> dict[str, Any]:
    """Return the ``layer`` and ``sealed`` columns of a fleet's or a model's layer."""
    plain, secrets = layer.to_plain()
    sealed = {"layer": secrets} if secrets else {}
    return {
        "layer": dump(plain),
        "sealed": seal(sealed, keys, layer_place(scope)),
    }


def read_layer(scope: str, layer: str, sealed: bytes | None, keys: KeyRing) -> Layer:
    """Return the layer of a row. Raises StorageError as ``read_device`` does."""
    secrets = unseal(sealed, keys, layer_place(scope))
    try:
        return Layer.from_plain(load(layer), secrets.get("layer"))
    except (ValueError, TypeError, AttributeError) as error:
        raise _damaged(layer_place(scope)) from error


def reseal(sealed: bytes, keys: KeyRing, place: str) -> bytes:
    """Seal anew with the newest key what an older one sealed."""
    return keys.seal(keys.unseal(sealed, place), place)


def dump(plain: dict[str, Any] | list[Any]) -> str:
    """Write JSON as it stands in a column.

    ``json`` writes the same at a quarter of the speed, and what Rust's strings cannot
    hold.
    """
    try:
        return to_json(plain).decode()
    except ValueError:
        return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def load(text: str) -> Any:
    """Read JSON as it stands in a column. Raises ValueError."""
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)  # takes what the other does not: half a character


def seal(secrets: dict[str, Any], keys: KeyRing, place: str) -> bytes | None:
    """Seal a row's secrets for their place; None if there are none."""
    return keys.seal(dump(secrets).encode(), place) if secrets else None


def unseal(sealed: bytes | None, keys: KeyRing, place: str) -> dict[str, Any]:
    """Open what ``seal`` made. Raises StorageError."""
    if sealed is None:
        return {}
    secrets: dict[str, Any] = load(keys.unseal(bytes(sealed), place).decode())
    return secrets


def _damaged(place: str) -> StorageError:
    return StorageError(
        f"the record of {place} was changed outside linekey and cannot be read",
        hint="restore the database from backup, or remove and add this record again",
    )
