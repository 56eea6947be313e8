"""A table laid over the registry: what it adds, changes and removes.

``add`` takes new phones only. ``update`` changes those there are, too: an empty cell
leaves what is there. ``sync`` makes the registry say what the table says: an empty cell
takes a value away, and phones that are not in the table are removed. What has no column
stays as it is in all of them: function keys, certificates, tokens.

Rules: all of it or nothing, in one transaction. ``(kept)`` leaves a value, and is
refused where there is none. A phone that was revoked here is not restored because
another system's table calls it enabled; only one that such a table had disabled.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.engine import Connection

from linekey.errors import InputError
from linekey.provisioning.device import Device
from linekey.provisioning.document import Setting
from linekey.store.device_csv import DeviceTable, RowProblem
from linekey.store.device_rows import DISABLED, Row
from linekey.store.devices import Change, Devices, Done
from linekey.store.known_groups import known_groups, no_group
from linekey.words import counted

REMOVED_UNASKED = 10
"""``sync`` removes one phone in so many without being told how many it may."""
_CHUNK = 500


class How(StrEnum):
    """What to do with a table."""

    ADD = "add"
    UPDATE = "update"
    SYNC = "sync"


class ImportRefused(InputError):  # noqa: N818 - a past tense, like the other events
    """Rows that cannot be imported; ``problems`` says which and why."""

    def __init__(self, problems: Sequence[RowProblem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        bad = len({problem.line for problem in problems})
        rows = "row" if bad == 1 else "rows"
        super().__init__(
            f"{bad} {rows} cannot be imported, so nothing was imported",
            hint="correct the file and import it again",
        )


def import_table(
    devices: Devices,
    table: DeviceTable,
    how: How,
    now: datetime,
    *,
    skip_registered: bool = False,
    removals: int | None = None,
    dry_run: bool = False,
    seen: Callable[[int], None] = lambda count: None,
) -> list[Done]:
    """Import a table; return what was done to each phone, or would be by ``dry_run``.

    ``skip_registered`` leaves out phones that are there when adding; ``removals`` is
    how many the operator lets ``sync`` remove; ``seen`` is told how many rows have been
    looked at. Raises ImportRefused for rows, InputError for an empty table and for too
    many removals; then nothing is changed.
    """
    if how is How.SYNC and not table.rows and not table.problems:
        raise InputError(
            "the table has no phones: nothing is removed by an empty table",
            hint="look whether this is the right file; linekey device remove MAC "
            "removes a phone",
        )

    def parts(connection: Connection) -> Iterator[list[Change]]:
        problems = [*table.problems, *_without_group(table, connection)]
        if how is How.SYNC and not problems:
            there = devices.macs(connection)
            gone = sorted(there - {row.device.mac for row in table.rows})
            if too_many(len(gone), len(there), removals) and not dry_run:
                raise _too_many(len(gone), len(there))
            for start in range(0, len(gone), _CHUNK):
                found = devices.those(connection, gone[start : start + _CHUNK])
                yield [Change(device, None) for device in found.values()]
        for start in range(0, len(table.rows), _CHUNK):
            rows = table.rows[start : start + _CHUNK]
            old = devices.those(connection, [row.device.mac for row in rows])
            part = []
            for row in rows:
                before = old.get(row.device.mac)
                if before is not None and how is How.ADD:
                    if not skip_registered:
                        problems.append(_registered(row))
                    continue
                try:
                    after = _laid_over(row, table, before, whole=how is How.SYNC)
                except InputError as error:
                    problems.append(RowProblem(row.line, error.message, error.hint))
                else:
                    part.append(Change(before, after))
            if not problems:
                yield part
            seen(len(rows))
        if problems:
            raise ImportRefused(problems)

    return devices.apply(parts, now, dry_run=dry_run)


def too_many(removed: int, before: int, allowed: int | None) -> bool:
    """Whether so many removals of so many phones need the operator's word."""
    return removed * REMOVED_UNASKED > before and removed > (allowed or 0)


def _too_many(removed: int, before: int) -> InputError:
    return InputError(
        f"{removed:,} of {counted(before, 'phone')} "
        f"{'is' if removed == 1 else 'are'} not in the table and would be removed",
        hint=f"if that is meant: --allow-removals {removed}; --dry-run lists them; "
        "--update removes none",
    )


def _registered(row: Row) -> RowProblem:
    mac = row.device.mac
    return RowProblem(
        row.line,
        f"{mac} is registered already",
        "--update changes it; --skip-registered skips it",
    )


def _without_group(table: DeviceTable, connection: Connection) -> list[RowProblem]:
    """The first row of each group that is not there."""
    first = {row.device.group: row.line for row in reversed(table.rows)}
    known = known_groups(connection)
    missing = {name for name in first if name} - known
    errors = [(first[name], no_group(name, known)) for name in missing]
    return [RowProblem(line, error.message, error.hint) for line, error in errors]


_FIELDS = ("vendor", "model", "firmware", "label", "group", "generations", "expired")


def _laid_over(
    row: Row, table: DeviceTable, before: Device | None, *, whole: bool
) -> Device:
    """The device as its row makes it. Raises InputError for a (kept) of nothing."""
    own = {s.slot: s for s in before.layer.settings} if before else {}
    if missing := sorted(row.kept - own.keys(), key=str):
        name, idx = missing[0]
        raise InputError(
            f"{name if idx is None else f'{name}[{idx}]'} is (kept), but this phone "
            + ("has none" if before else "is not registered yet"),
            hint="write the value, or leave the cell empty",
        )
    new = row.device
    if before is None:
        return new
    given = {s.slot: s for s in new.layer.settings}
    differing = [s for s in given.values() if not _says(s, own.get(s.slot))]
    layer = before.layer
    if differing:
        layer = layer.with_settings(*(_setting(s, own.get(s.slot)) for s in differing))
    if whole:
        for slot in own.keys() - given.keys() - row.kept:
            if table.tells(slot):
                layer = layer.without_setting(*slot)
    fields: dict[str, Any] = {
        name: getattr(new, name)
        for name in _FIELDS
        if name in row.said or (whole and name in table.columns and name != "vendor")
    }
    device = before
    if layer is not before.layer or any(
        getattr(before, name) != value for name, value in fields.items()
    ):
        device = replace(before, layer=layer, **fields)
    return _with_state(device, row, table)


def _says(given: Setting, old: Setting | None) -> bool:
    """Whether what is there says what the table says; most of it does."""
    return (
        old is not None and old.value == given.value and given.mark in (None, old.mark)
    )


def _setting(given: Setting, old: Setting | None) -> Setting:
    """What is there with the table's value; perm and mark are no matter of a table."""
    if old is None:
        return given
    mark = given.mark or old.mark
    return Setting(old.name, given.value, old.idx, old.perm, mark)


def _with_state(device: Device, row: Row, table: DeviceTable) -> Device:
    new = row.device
    if "enabled" in row.said:
        disabled_there = device.revoked_reason == DISABLED
        if new.state == "revoked" and device.state == "active":
            return replace(device, state="revoked", revoked_reason=DISABLED)
        if new.state == "active" and disabled_there:
            return replace(device, state="active", revoked_reason="")
        return device
    if "state" not in row.said:
        return device
    reason = new.revoked_reason
    if new.state == "revoked" == device.state and "revoked_reason" not in table.columns:
        reason = device.revoked_reason
    return replace(device, state=new.state, revoked_reason=reason)
