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

import difflib
import re
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Final, NamedTuple

from linekey.catalog.firmware import Firmware
from linekey.catalog.known_settings import (
    INSIST,
    near_name,
    why_unknown,
    written_with_idx,
)
from linekey.catalog.models import Generation, find_model
from linekey.catalog.vendors import IDENTITY_RULES, LAB_VENDOR
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Mark, Setting
from linekey.store.csv_cells import AS_TEXT, EMPTY, KEPT, read_cell, refuse_broken
from linekey.store.csv_rows import csv_rows
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
    "mac", "vendor", "model", "firmware", "label", "state", "revoked_reason",
    "generations",
)  # fmt: skip
VENDORS: tuple[str, ...] = tuple(sorted({rule.vendor for rule in IDENTITY_RULES}))
"""Short names of the vendors whose certificates can be read."""

NOBODY: Final[Mapping[Mac, str]] = MappingProxyType({})

_BRACKETS = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)\[([0-9]{0,4})\]", re.ASCII)
_SNOM = ("snom", LAB_VENDOR)
_SNOM_LIKE = (*_SNOM, "gigaset")
"""Makers whose phones read the settings that a foreign table's line is turned into."""
_ALIASES = {"polycom": "poly", "cisco systems": "cisco"}
"""Makers as other systems call them."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one row. ``line`` is the file's, from 1."""

    line: int
    reason: str
    cure: str = ""


Slot = tuple[str, int | None]
"""A setting's name and idx."""


class Row(NamedTuple):
    """A phone of a table; of several rows, if it has a row for each line of its own."""

    device: Device
    """As it is if it is new."""
    line: int
    said: frozenset[str]
    """The record's columns, or ``enabled``, that have a value."""
    kept: frozenset[Slot] = frozenset()
    """Settings whose value is to stay as it is."""


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


def parse_vendor(text: str) -> str:
    """Return a vendor's short name as in ``catalog.vendors``; raises InputError."""
    name = text.strip().lower()
    name = _ALIASES.get(name, name)
    if name in VENDORS:
        return name
    near = difflib.get_close_matches(name, VENDORS, n=1)
    raise InputError(
        f"unknown vendor: {text!r}",
        hint=(f"did you mean {near[0]}? " if near else "")
        + f"one of {', '.join(VENDORS)}",
    )


def parse_model(text: str, vendor: str) -> str:
    """Return a model's name: the catalogue's for Snom, as written for other vendors.

    Raises InputError for a Snom model that the catalogue has not.
    """
    return find_model(text).name if vendor in _SNOM else text.strip()


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
    found: dict[Mac, Row] = {}
    problems: list[RowProblem] = []
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            row = _row(columns, line, cells, vendor, vendors)
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
    columns: "list[_Column | None]", secret: Collection[tuple[str, int | None]]
) -> "list[_Column | None]":
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
    columns: "Sequence[_Column | None]",
    devices: Iterable[Device],
) -> tuple[str, ...]:
    notes = []
    if foreign is not None:
        titles = [title.strip() for title in header]
        pairs = list(zip(titles, columns, strict=True))
        read = [
            f"{title} as {column.shown}"
            for title, column in pairs
            if column is not None and column.record != _LEFT_OUT
            and title.lower() != column.shown
        ]  # fmt: skip
        left = [t for t, c in pairs if c is not None and c.record == _LEFT_OUT]
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


DISABLED = "disabled in the table that was imported"
"""The reason with which such a device is revoked."""
_LEFT_OUT = "left out"
_TRUE = frozenset({"true", "t", "1", "yes", "on", "enabled", "wahr", "ja"})
_FALSE = frozenset({"false", "f", "0", "no", "off", "disabled", "falsch", "nein"})


@dataclass(frozen=True, slots=True)
class _Column:
    record: str | None
    """A column of the record, or a foreign table's own, or _LEFT_OUT; None: a
    setting."""
    name: str = ""
    idx: int | None = None
    of_line: bool = False
    """The idx is the row's column ``line``."""
    secret: bool = False
    """Marked as a secret by the operator."""

    @property
    def shown(self) -> str:
        if self.record is not None:
            return self.record
        idx = "LINE" if self.of_line else self.idx
        return self.name if idx is None else f"{self.name}[{idx}]"


def _columns(
    header: Sequence[str],
    line: int,
    foreign: ForeignTable | None,
    allow_unknown: bool,
    in_use: Callable[[], Collection[Slot]],
) -> list[_Column | None]:
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
    columns: list[_Column | None] = []
    seen: set[_Column] = set()
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
        if column in seen and column.record not in ("label", _LEFT_OUT):
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
    if _Column("mac") not in seen:
        raise InputError(f"line {line}: there is no column 'mac'", hint=_HEADER_HINT)
    return columns


_WORDS_FOR_MAC = frozenset({"mac", "address", "adresse", "addr", "phone", "device"})


def _near_title(lower: str) -> str:
    """The column that a title with blanks or odd characters means; empty: none is."""
    words = re.findall(r"[a-z0-9]+", lower)
    if "mac" in words and _WORDS_FOR_MAC.issuperset(words):
        return "mac"
    return near_name("_".join(words), RECORD_COLUMNS)


def _column(title: str, line: int, foreign: ForeignTable | None) -> _Column:
    lower = title.lower()
    if lower in RECORD_COLUMNS:
        return _Column(lower)
    if foreign is not None and (meant := foreign.columns.get(lower)):
        if meant in LINE_SETTINGS:
            return _Column(None, meant, of_line=True)
        return _Column(meant)
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
        return _Column(_LEFT_OUT)
    try:
        Setting(name, "", idx)  # a name that no setting can have
    except InputError as error:
        near = _near_title(lower)
        raise InputError(
            f"line {line}: column {title!r}: "
            + (f"did you mean {near}?" if near else error.message),
            hint=_HEADER_HINT,
        ) from None
    return _Column(None, name, idx)


def _row(
    columns: Sequence[_Column | None],
    line: int,
    cells: Sequence[str],
    usual_vendor: str,
    vendors: Mapping[Mac, str],
) -> Row:
    if len(cells) > len(columns) and any(c.strip() for c in cells[len(columns) :]):
        raise InputError(
            f"{len(cells)} cells, but {len(columns)} columns",
            hint='put a value that holds the separator between "',
        )
    record: dict[str, str] = {}
    labels: list[str] = []
    settings: list[tuple[_Column, str]] = []
    kept: list[_Column] = []
    for column, written in zip(columns, cells, strict=False):
        cell = read_cell(written)
        text = cell.text if cell.exact else cell.text.strip()
        if column is None:
            if text:
                raise InputError(
                    "a value under a column without a name", hint="name the column"
                )
        elif column.record == "label":
            labels += [text] if text else []
        elif column.record is not None:
            record[column.record] = text
        elif cell == (KEPT, False):
            kept.append(column)
        elif cell.text:
            refuse_broken(cell, column.shown)
            settings.append((column, "" if cell == (EMPTY, False) else cell.text))
    if not record.get("mac"):
        raise InputError("no MAC", hint="every row needs its phone's MAC")
    mac = _mac(record["mac"])
    vendor, model = _maker(record, vendors.get(mac, usual_vendor))
    firmware = record.get("firmware")
    made = _settings(record, settings, vendor)
    device = Device(
        mac=mac,
        vendor=vendor,
        model=parse_model(model, vendor) if model else None,
        firmware=Firmware.parse(firmware) if firmware else None,
        generations=_generations(record.get("generations", "")),
        label=", ".join(labels),
        layer=Layer(tuple({s.slot: s for s in made}.values())),
    )
    number = int(record.get("line") or 1)
    said = {name for name, text in record.items() if text}
    said |= {"label"} if labels else set()
    said |= {"vendor", "model"} if "/" in record.get("template", "") else set()
    return Row(
        _with_state(device, record),
        line,
        _one_value(frozenset(said)),
        frozenset((c.name, number if c.of_line else c.idx) for c in kept),
    )


@cache
def _one_value(said: frozenset[str]) -> frozenset[str]:
    return said  # one object for all rows that say the same things


def _with_state(device: Device, record: dict[str, str]) -> Device:
    enabled = record.get("enabled", "").lower()
    if enabled and enabled not in _TRUE | _FALSE:
        raise InputError(
            f"neither true nor false: {enabled[:20]!r}", hint="write true or false"
        )
    if enabled in _FALSE:
        return replace(device, state="revoked", revoked_reason=DISABLED)
    state = record.get("state", "").lower()
    if state not in ("", "active", "revoked"):
        raise InputError(f"not a state: {state[:20]!r}", hint="write active or revoked")
    if state == "revoked":
        reason = record.get("revoked_reason", "")
        return replace(device, state="revoked", revoked_reason=reason)
    return device


def _generations(text: str) -> frozenset[Generation] | None:
    try:
        return frozenset(map(Generation, text.lower().split("+"))) if text else None
    except ValueError:
        known = " or ".join(Generation)
        raise InputError(
            f"not a generation of certificates: {text[:40]!r}",
            hint=f"write {known}, or several with + between them",
        ) from None


def _maker(record: dict[str, str], usual: str) -> tuple[str, str | None]:
    """Vendor and model of a row; ``template`` is a foreign one's ``vendor/model``."""
    named, model = record.get("vendor"), record.get("model")
    of_template, slash, template_model = record.get("template", "").partition("/")
    if slash and not named:
        named = of_template
        model = model or template_model
    return (parse_vendor(named) if named else usual), model


def _settings(
    record: dict[str, str], settings: Sequence[tuple[_Column, str]], vendor: str
) -> list[Setting]:
    """The row's settings; those of a foreign table's line only for a phone that reads
    them."""
    line = record.get("line") or "1"
    if not (line.isascii() and line.isdigit() and 1 <= int(line) <= 99):
        raise InputError(f"not a line: {line[:20]!r}", hint="a number from 1 to 99")
    snom = vendor in _SNOM_LIKE
    made = [
        Setting(
            column.name,
            value,
            int(line) if column.of_line else column.idx,
            mark=Mark.SECRET if column.secret else None,
        )
        for column, value in settings
        if snom or not column.of_line
    ]
    if not snom:
        return made
    if server := record.get("server"):
        made.append(Setting("user_host", server, int(line)))
    transport = record.get("transport", "").lower()
    host = record.get("proxy") or record.get("server")
    if host and transport in ("tls", "tcp", "udp"):
        port = f":{record['port']}" if record.get("port") else ""
        value = f"{host}{port};transport={transport}"
        made.append(Setting("user_outbound", value, int(line)))
    elif host and record.get("proxy"):
        made.append(Setting("user_outbound", host, int(line)))
    return made


def _mac(text: str) -> Mac:
    """Read a row's MAC, and say if a spreadsheet program spoilt it."""
    try:
        return parse_mac(text)
    except InputError:
        digits = re.sub(r"[^0-9A-Za-z]", "", text)
        if re.fullmatch(r"[0-9]+(?:[.,][0-9]+)?E[+-]?[0-9]{1,3}", text, re.IGNORECASE):
            raise InputError(
                f"a spreadsheet has written the MAC as a number: {text[:40]!r}",
                hint=AS_TEXT,
            ) from None
        if found := re.fullmatch(r"([0-9]{6,12})[.,]0{1,3}", text):
            raise InputError(
                f"a spreadsheet has written the MAC as a number: {text!r}",
                hint=f"if it is {Mac(found[1].zfill(12))}, write that; mark the column "
                "as text before the table is opened",
            ) from None
        if re.fullmatch(r"[0-9A-Fa-f]{6,11}", digits) and digits == text:
            raise InputError(
                f"a spreadsheet has taken zeros from the MAC's beginning: {text!r}",
                hint=f"if it is {Mac(digits.upper().zfill(12))}, write that; mark the "
                "column as text before the table is opened",
            ) from None
        raise
