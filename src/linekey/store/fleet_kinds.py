"""The registry's phones by what a server has to know of them: a kind for many.

A phone's own layer differs from its neighbour's by user and password, which no server's
certificate depends on. ``fleet_kinds`` reads what a question names: settings by
``names``, and the certificates; so 100,000 phones are some ten kinds, and no secret is
opened for them. ``whole_kinds`` is for who asks what the rest of their files does as
well: of the other settings all counts but a value that any phone takes as any other.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from linekey.mac import Mac
from linekey.provisioning.document import Layer, merge, secret_key
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.layers import Layers
from linekey.store.records import device_place, load, unseal
from linekey.store.schema import devices
from linekey.store.selection import Selection


@dataclass(frozen=True, slots=True)
class FleetKind:
    """Phones of one vendor, group, model, firmware, generation and the same settings.

    ``layer`` is all that makes their file, merged, as far as it was asked for.
    """

    vendor: str
    group: str | None
    model: str | None
    firmware: str | None
    generations: str | None
    layer: Layer
    macs: tuple[str, ...]


def fleet_kinds(
    database: Database, names: Iterable[str], wanted: Selection
) -> list[FleetKind]:
    """Return the kinds of the phones that are wanted, of those that may be seen.

    Raises StorageError. ``names`` are settings' names in lower case.
    """
    known = frozenset(names)
    marks = tuple(f'"{name}"' for name in known)
    columns = (
        devices.c.mac, devices.c.vendor, devices.c.group, devices.c.model,
        devices.c.firmware, devices.c.generations, devices.c.layer,
    )  # fmt: skip
    query = sa.select(*columns).where(
        *wanted.clauses(database.is_sqlite, database.within)
    )
    if database.within is not None:
        query = query.where(devices.c.group.in_(sorted(database.within)))
    groups: dict[tuple[Any, ...], list[str]] = {}
    with database.read() as connection:
        rows = connection.execute(query, execution_options={"yield_per": 2000})
        for mac, vendor, group, model, firmware, generations, layer in rows:
            own, lower = "", layer.lower()
            if '"certificates":["' in lower or any(mark in lower for mark in marks):
                own = _part(layer, known, mac)
            key = (vendor, group, model, firmware, generations, own)
            groups.setdefault(key, []).append(mac)
    return [
        FleetKind(
            vendor,
            group,
            model,
            firmware,
            generations,
            _layer(database, macs[0], known),
            tuple(macs),
        )
        for (vendor, group, model, firmware, generations, _), macs in groups.items()
    ]


def whole_kinds(
    database: Database, names: Iterable[str], wanted: Selection
) -> list[FleetKind]:
    """``fleet_kinds`` with whole layers, in the order of the first MACs.

    Of a setting that ``names`` does not name the value stands for all that are
    printable and of up to LONG characters: it is the first phone's. Raises StorageError
    as well where a phone's secrets do not open.
    """
    known = frozenset(names)
    names_ = ("mac", "vendor", "group", "model", "firmware", "layer", "sealed")
    query = sa.select(*(devices.c[name] for name in names_))
    query = query.where(*wanted.clauses(database.is_sqlite, database.within)).order_by(
        devices.c.mac
    )
    groups: dict[tuple[Any, ...], list[str]] = {}
    with database.read() as connection:
        rows = connection.execute(query, execution_options={"yield_per": 2000})
        for mac, vendor, group, model, firmware, layer, sealed in rows:
            opened = unseal(sealed, database.keys, device_place(Mac(mac)))
            own = _what_counts(layer, opened.get("layer") or {}, known, mac)
            key = (vendor, group, model, firmware, own)
            groups.setdefault(key, []).append(mac)
        stored, layers = Devices(database), Layers(database)
        first = [Mac(macs[0]) for macs in groups.values()]
        each = {
            mac: device
            for start in range(0, len(first), 500)
            for mac, device in stored.those(
                connection, first[start : start + 500]
            ).items()
        }
    found = []
    for (vendor, group, model, firmware, _), macs in groups.items():
        layer = merge(*(layer for _, layer in layers.of(each[Mac(macs[0])])))
        kind = FleetKind(vendor, group, model, firmware, None, layer, tuple(macs))
        found.append(kind)
    return found


LONG = 1024
"""Characters of a value from which on it counts by itself: a phone may refuse it."""


def _what_counts(
    text: str, secrets: Mapping[str, str], names: frozenset[str], mac: str
) -> tuple[Any, ...]:
    """A layer without the values that do not count; equal layers are one kind."""
    try:
        plain = load(text)
        counts: list[Any] = []
        for entry in plain["settings"]:
            name, idx = entry["name"], entry.get("idx")
            sealed = entry.get("secret")
            value = secrets[secret_key(name, idx)] if sealed else entry["value"]
            if len(value) <= LONG and value.isprintable() and name.lower() not in names:
                value = None
            counts.append((name, idx, entry.get("perm"), value))
        return (*counts, *plain["certificates"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return (mac,)  # what is damaged is a kind of its own


def _part(text: str, names: frozenset[str], mac: str) -> str:
    """What counts of a layer, as a text that is equal where it is.

    A value that is sealed is a kind of its own.
    """
    plain = json.loads(text)
    settings = [s for s in plain.get("settings", ()) if s["name"].lower() in names]
    alone = mac if any("value" not in s for s in settings) else ""
    return json.dumps([settings, plain.get("certificates"), alone], sort_keys=True)


def _layer(database: Database, mac: str, names: frozenset[str]) -> Layer:
    device = Devices(database).get(Mac(mac))
    whole = merge(*(layer for _, layer in Layers(database).of(device)))
    return Layer(
        settings=tuple(s for s in whole.settings if s.name.lower() in names),
        certificates=whole.certificates,
    )
