"""What an exported server is told of the registry: accounts, or a phone book."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from linekey.errors import InputError
from linekey.export.accounts import NAMES, Account, accounts_of
from linekey.export.phone_book import entries_of, ldif
from linekey.mac import Mac
from linekey.makers.all import maker_of
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, merge
from linekey.provisioning.group import parse_group
from linekey.provisioning.other_makers import any_in_snoms_words, is_snoms_alone
from linekey.store.database import Database
from linekey.store.groups import Groups
from linekey.store.layers import Layers


class Told(NamedTuple):
    """What goes into the export, and what is said about it."""

    accounts: tuple[Account, ...] = ()
    phone_book: str = ldif(())
    notes: tuple[str, ...] = ()


def told_of_registry(
    peer: str,
    database: Database,
    devices: Sequence[Device],
    *,
    realm: str,
    groups: Sequence[str] | None,
) -> Told:
    """Return what ``peer`` is told of ``devices``.

    ``groups``: of whose phones the phone book is; None: of all. Raises InputError for a
    group that is not there, or for a peer that has no phone book.
    """
    if peer == "kamailio" and not groups:
        accounts, left_out = accounts_of(_phones(database, devices), realm)
        return Told(accounts=accounts, notes=left_out)
    if peer == "slapd":
        return _phone_book(database, devices, groups)
    if groups:
        raise InputError(
            f"--group is for a phone book, and {peer} has none",
            hint="leave it out, or export slapd",
        )
    return Told()


def _phone_book(
    database: Database, devices: Sequence[Device], groups: Sequence[str] | None
) -> Told:
    wanted = {Groups(database).get(parse_group(name)).name for name in groups or ()}
    its = [one for one in devices if not wanted or one.group in wanted]
    entries, left_out = entries_of(_phones(database, its))
    notes = list(left_out)
    if len({one.group for one in its if one.state == "active"}) > 1:
        notes.append(
            "phones of several groups are in one phone book, which every phone of the "
            "CAs may read; --group limits it to one"
        )
    return Told(phone_book=ldif(entries), notes=tuple(notes))


def _phones(
    database: Database, devices: Sequence[Device]
) -> Iterator[tuple[Mac, str, dict[tuple[str, int | None], str]]]:
    """The active phones' accounts, whoever made the phone: shared layers read once."""
    layers = Layers(database)
    shared: dict[tuple[Any, ...], _Shared] = {}
    for device in devices:
        if device.state != "active":
            continue
        kind = device.group, device.model
        if kind not in shared:
            found = layers.shared(device)
            shared[kind] = _Shared(
                (found.fleet, found.of_group), found.model, _lines(merge(*found.all)),
                is_snoms_alone(found.all),
            )  # fmt: skip
        below = shared[kind]
        maker = maker_of(device.vendor)
        snoms = below.of_snom and (maker is None or maker.snom_like)
        if snoms and is_snoms_alone([device.layer]):
            yield device.mac, device.label, below.lines | _lines(device.layer)
            continue
        whole = any_in_snoms_words(
            below.layers, below.model, device.layer, device.vendor
        )
        yield device.mac, device.label, _lines(whole)


class _Shared(NamedTuple):
    """What a group's phones of one model share, read once."""

    layers: tuple[Layer, Layer]
    model: Layer
    lines: dict[tuple[str, int | None], str]
    of_snom: bool
    """Whether it says nothing in neutral terms, or in another maker's."""


def _lines(layer: Layer) -> dict[tuple[str, int | None], str]:
    return {
        (s.name.lower(), s.idx): s.value
        for s in layer.settings
        if s.name.lower() in NAMES
    }
