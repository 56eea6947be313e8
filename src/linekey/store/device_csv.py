"""A table of devices, as spreadsheet programs write it.

The first line names the columns, in any order. ``mac`` must be there; the others of
RECORD_COLUMNS go into the device's record; every other column is a phone setting:
``user_name[1]`` with its idx, or ``user_name1``. (``dns_server1`` is a setting's whole
name; ``NAME[]`` is one whatever it looks like.) ``csv_cells`` tells what a cell says.
Tables of other systems are read by their own column names (``foreign_tables``).

Rules: a column that is neither the record's nor a known setting is refused, with the
nearest known name, unless the caller insists; every bad row is told, with its line and
reason, not only the first; what a spreadsheet broke is said to be that; no reason
repeats the value of a setting, which may be a password.
"""

import re
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from linekey.catalog.known_settings import (
    INSIST,
    near_name,
    written_with_idx,
)
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.makers.known import why_unknown
from linekey.makers.terms import is_term
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.entries import NAME
from linekey.store.csv_rows import csv_rows
from linekey.store.device_rows import (
    DISABLED,
    LEFT_OUT,
    NEUTRAL,
    Column,
    Row,
    RowReader,
    Slot,
)
from linekey.store.foreign_tables import (
    LINE_SETTINGS,
    ForeignTable,
    recognise_table,
)

MAX_PHONES = 250_000
"""Of one table: they are in memory at once, some 3 kB each with ten settings."""
MAX_COLUMNS = 500
MAX_PROBLEMS = 1000
"""Rows that are told as bad; what follows is not looked at."""

RECORD_COLUMNS = (
    "mac", "vendor", "model", "firmware", "label", "group", "state",
    "revoked_reason", "generations", "expired",
)  # fmt: skip
NOBODY: Final[Mapping[Mac, str]] = MappingProxyType({})

_BRACKETS = re.compile(rf"({NAME})\[([0-9]{{0,4}})\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one row. ``line`` is the file's, from 1."""

    line: int
    reason: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class DeviceTable:
    """What a file held."""

    rows: tuple[Row, ...]
    problems: tuple[RowProblem, ...]
    notes: tuple[str, ...] = ()
    """What was made of a foreign table's columns and of its disabled devices."""
    columns: frozenset[str] = frozenset()
    """The record's columns that there are."""
    slots: frozenset[Slot] = frozenset()
    """The settings that have a column."""
    of_lines: frozenset[str] = frozenset()
    """Settings that stand there for any line of a phone."""

    @property
    def devices(self) -> tuple[Device, ...]:
        """The phones as they are if they are new."""
        return tuple(row.device for row in self.rows)

    @property
    def lines(self) -> dict[Mac, int]:
        """The line of each phone, the first of several."""
        return {row.device.mac: row.line for row in self.rows}

    def tells(self, slot: Slot) -> bool:
        """Whether this table says what this setting is."""
        return slot in self.slots or slot[0] in self.of_lines


def parse_device_table(
    data: bytes,
    vendor: str = "snom",
    *,
    allow_unknown: bool = False,
    secret: Collection[Slot] = (),
    vendors: Mapping[Mac, str] = NOBODY,
    in_use: Callable[[], Collection[Slot]] = tuple,
) -> DeviceTable:
    """Read a CSV file; ``vendor`` is for rows that name none.

    ``secret`` names settings (with their idx) whose columns hold secrets. ``vendors``
    are those of phones that are registered, for rows that name none; ``in_use`` is
    asked for settings that some phone has although no catalogue knows them. Raises
    InputError if it cannot be read as a table at all: not text, no header, no column
    ``mac``, a column that is no setting's name, or, without ``allow_unknown``, none
    that is known; and for a name in ``secret`` that no column has. What is wrong with
    a row is in ``problems``.
    """
    rows = csv_rows(data)
    try:
        line, header = next(rows)
    except StopIteration:
        raise InputError("the file is empty", hint=_HEADER_HINT) from None
    foreign = recognise_table(header)
    columns = _mark(_columns(header, line, foreign, allow_unknown, in_use), secret)
    by_line = any(c is not None and c.record == "line" for c in columns)
    reader = RowReader(columns, vendor, vendors)
    found: dict[Mac, Row] = {}
    problems: list[RowProblem] = []
    for line, cells in rows:
        if not any(cells) or not any(cell.strip() for cell in cells):
            continue
        try:
            row = reader.read(line, cells)
            mac = row.device.mac
            found[mac] = _joined(found[mac], row, by_line) if mac in found else row
            if len(found) > MAX_PHONES:
                break
        except InputError as error:
            problems.append(RowProblem(line, error.message, error.hint))
            if len(problems) == MAX_PROBLEMS:
                text = f"{MAX_PROBLEMS} bad rows; what follows was not looked at"
                problems.append(RowProblem(line + 1, text))
                break
    if len(found) > MAX_PHONES:
        raise InputError(
            f"more than {MAX_PHONES} phones in one file",
            hint="split it, and import the parts with --update",
        )
    notes = _notes(foreign, header, columns, [row.device for row in found.values()])
    there = [column for column in columns if column is not None]
    names = {c.record for c in there if c.record is not None}
    of_lines = {c.name for c in there if c.of_line}
    of_lines |= {"user_host"} if "server" in names else set()
    of_lines |= {"user_outbound"} if {"proxy", "transport"} & names else set()
    of_lines |= {NEUTRAL[name] for name in of_lines if name in NEUTRAL}
    for name in {"proxy", "transport"} & names:
        of_lines.add(f"any.account.{'outbound' if name == 'proxy' else name}")
    return DeviceTable(
        tuple(found.values()),
        tuple(problems),
        notes,
        frozenset(names & {*RECORD_COLUMNS}),
        frozenset((c.name, c.idx) for c in there if c.record is None and not c.of_line),
        frozenset(of_lines),
    )


def _joined(one: Row, other: Row, by_line: bool) -> Row:
    """Two rows of one phone as one. Raises InputError if they cannot be two lines."""
    if not by_line or not _one_phone(one.device, other.device):
        raise InputError(
            f"{one.device.mac} is on line {one.line} already",
            hint="keep one of the two rows",
        )
    layer = one.device.layer.with_settings(*other.device.layer.settings)
    return Row(
        replace(one.device, layer=layer),
        one.line,
        one.said | other.said,
        one.kept | other.kept,
    )


def _mark(
    columns: "list[Column | None]", secret: Collection[tuple[str, int | None]]
) -> "list[Column | None]":
    slots = {(c.name, c.idx) for c in columns if c is not None and c.record is None}
    for name, idx in secret:
        if (name, idx) not in slots:
            written = name if idx is None else f"{name}[{idx}]"
            raise InputError(
                f"no column is the setting {written!r}",
                hint="write the name as the column's, with its idx",
            )
    return [
        replace(c, secret=True)
        if c is not None and c.record is None and (c.name, c.idx) in secret
        else c
        for c in columns
    ]


def _one_phone(one: Device, other: Device) -> bool:
    """Whether two rows are two lines of one phone."""
    bare = replace(one, layer=Layer()) == replace(other, layer=Layer())
    slots = {s.slot for s in one.layer.settings}
    return bare and not any(s.slot in slots for s in other.layer.settings)


def _notes(
    foreign: ForeignTable | None,
    header: Sequence[str],
    columns: "Sequence[Column | None]",
    devices: Iterable[Device],
) -> tuple[str, ...]:
    notes = []
    if foreign is not None:
        titles = [title.strip() for title in header]
        pairs = list(zip(titles, columns, strict=True))
        read = [
            f"{title} as {column.shown}"
            for title, column in pairs
            if column is not None and column.record != LEFT_OUT
            and title.lower() != column.shown
        ]  # fmt: skip
        left = [t for t, c in pairs if c is not None and c.record == LEFT_OUT]
        text = f"read as a table of {foreign.system}"
        text += f": {', '.join(read)}" if read else ""
        notes.append(text + (f"; left out: {', '.join(left)}" if left else ""))
        if {"device_username", "device_password"} & {t.lower() for t in left}:
            notes.append(
                "the phones' HTTP user and password are not taken over; "
                "linekey device set MAC --digest USER gives one"
            )
    disabled = [d for d in devices if d.revoked_reason == DISABLED]
    if disabled:
        some = ", ".join(str(d.mac) for d in disabled[:3])
        some += " …" if len(disabled) > 3 else ""
        notes.append(f"{len(disabled)} disabled in the table, revoked here: {some}")
    return tuple(notes)


_HEADER_HINT = (
    "the first line names the columns, such as mac,model,firmware,label,user_name[1],"
    "user_pass[1]"
)


def _columns(
    header: Sequence[str],
    line: int,
    foreign: ForeignTable | None,
    allow_unknown: bool,
    in_use: Callable[[], Collection[Slot]],
) -> list[Column | None]:
    if len(header) > MAX_COLUMNS:
        raise InputError(
            f"line {line}: more than {MAX_COLUMNS} columns",
            hint="split the table by its columns",
        )
    if len(header) == 1 and (mark := re.search(r"[|:^]", header[0])):
        raise InputError(
            f"line {line}: the columns are separated by {mark[0]!r}",
            hint="separate them by commas, semicolons or tabs; or write "
            f"sep={mark[0]} as the first line",
        )
    columns: list[Column | None] = []
    seen: set[Column] = set()
    unknown: dict[Slot, str] = {}
    for cell in header:
        title = cell.strip()
        column = _column(title, line, foreign) if title else None
        if column is not None and column.record is None and not column.of_line:
            odd = why_unknown(column.name, column.idx, RECORD_COLUMNS)
            if odd is not None:
                if _near_title(title.lower()) == "mac":
                    odd = replace(odd, instead="mac")
                unknown[column.name, column.idx] = f"column {odd}"
        if column is None:
            columns.append(None)
            continue
        if column in seen and column.record not in ("label", LEFT_OUT):
            raise InputError(
                f"line {line}: column {title!r} is there twice", hint="remove one"
            )
        seen.add(column)
        columns.append(column)
    if unknown and not allow_unknown:
        for slot in in_use():
            unknown.pop(slot, None)
    if unknown and not allow_unknown:
        raise InputError(
            f"line {line}: {'; '.join(unknown.values())}",
            hint=f"correct or remove the column; {INSIST} takes it as a phone setting "
            "as it is",
        )
    if Column("mac") not in seen:
        raise InputError(f"line {line}: there is no column 'mac'", hint=_HEADER_HINT)
    return columns


_WORDS_FOR_MAC = frozenset({"mac", "address", "adresse", "addr", "phone", "device"})


def _near_title(lower: str) -> str:
    """The column that a title with blanks or odd characters means; empty: none is."""
    words = re.findall(r"[a-z0-9]+", lower)
    if "mac" in words and _WORDS_FOR_MAC.issuperset(words):
        return "mac"
    return near_name("_".join(words), RECORD_COLUMNS)


def _column(title: str, line: int, foreign: ForeignTable | None) -> Column:
    lower = title.lower()
    if lower in RECORD_COLUMNS:
        return Column(lower)
    if foreign is not None and (meant := foreign.columns.get(lower)):
        if meant in LINE_SETTINGS:
            return Column(None, meant, of_line=True)
        return Column(meant)
    name, idx = title, None
    if found := _BRACKETS.fullmatch(title):
        name, idx = found[1], int(found[2]) if found[2] else None
    elif with_idx := written_with_idx(title):
        name, idx = with_idx
    if (
        foreign is not None
        and why_unknown(name, idx) is not None
        and foreign.left_out.fullmatch(lower)
    ):
        return Column(LEFT_OUT)
    try:
        Setting(name, "", idx)  # a name that no setting can have
    except InputError as error:
        if is_term(name) and (odd := why_unknown(name, idx)) is not None:
            raise InputError(
                f"line {line}: column {odd}", hint=error.hint or _HEADER_HINT
            ) from None
        near = _near_title(lower)
        raise InputError(
            f"line {line}: column {title!r}: "
            + (f"did you mean {near}?" if near else error.message),
            hint=_HEADER_HINT,
        ) from None
    return Column(None, name, idx)
