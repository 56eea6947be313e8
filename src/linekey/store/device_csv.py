"""A table of devices, as spreadsheet programs write it.

The first line names the columns, in any order. ``mac`` must be there; ``vendor``,
``model``, ``firmware`` and ``label`` go into the device's record; every other column is
a phone setting: ``user_name[1]`` with its idx, or ``user_name1``. (``dns_server1`` is a
setting's whole name.) An empty cell sets nothing. Tables of other systems are read by
their own column names (``foreign_tables``).

Tolerated, since spreadsheet programs write them: a byte order mark, UTF-16, CRLF,
semicolons or tabs for commas, a first line ``sep=;``, empty lines, ``="0100"``.

Rules: a column that is neither the record's nor a known setting is refused, with the
nearest known name, unless the caller insists; every bad row is told, with its line and
reason, not only the first; what a spreadsheet broke is said to be that; no reason
repeats the value of a setting, which may be a password.
"""

import codecs
import csv
import difflib
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from linekey.catalog.firmware import Firmware
from linekey.catalog.known_settings import (
    INSIST,
    near_name,
    why_unknown,
    written_with_idx,
)
from linekey.catalog.models import find_model
from linekey.catalog.vendors import IDENTITY_RULES, LAB_VENDOR
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Mark, Setting
from linekey.store.foreign_tables import (
    LINE_SETTINGS,
    ForeignTable,
    recognise_table,
)

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of a file. 100,000 phones with ten settings each have about 20 million."""

RECORD_COLUMNS = ("mac", "vendor", "model", "firmware", "label")
VENDORS: tuple[str, ...] = tuple(sorted({rule.vendor for rule in IDENTITY_RULES}))
"""Short names of the vendors whose certificates can be read."""

_BRACKETS = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)\[([0-9]{1,4})\]", re.ASCII)
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


@dataclass(frozen=True, slots=True)
class DeviceTable:
    """What a file held. ``lines`` has each good device's line."""

    devices: tuple[Device, ...]
    lines: dict[Mac, int]
    problems: tuple[RowProblem, ...]
    notes: tuple[str, ...] = ()
    """What was made of a foreign table's columns and of its disabled devices."""


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
    secret: Collection[tuple[str, int | None]] = (),
) -> DeviceTable:
    """Read a CSV file; ``vendor`` is for rows that name none.

    ``secret`` names settings (with their idx) whose columns hold secrets. Raises
    InputError if it cannot be read as a table at all: not text, no header, no column
    ``mac``, a column that is no setting's name, or, without ``allow_unknown``, none
    that is known; and for a name in ``secret`` that no column has. What is wrong with
    a row is in ``problems``.
    """
    rows = _rows(_text(data))
    try:
        line, header = next(rows)
    except StopIteration:
        raise InputError("the file is empty", hint=_HEADER_HINT) from None
    foreign = recognise_table(header)
    columns = _mark(_columns(header, line, foreign, allow_unknown), secret)
    by_line = any(c is not None and c.record == "line" for c in columns)
    devices: dict[Mac, Device] = {}
    lines: dict[Mac, int] = {}
    problems: list[RowProblem] = []
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            device = _device(columns, cells, vendor)
            there = devices.get(device.mac)
            if there is not None:
                if not by_line or not _one_phone(there, device):
                    raise InputError(
                        f"{device.mac} is on line {lines[device.mac]} already",
                        hint="keep one of the two rows",
                    )
                device = replace(
                    there, layer=there.layer.with_settings(*device.layer.settings)
                )
        except InputError as error:
            problems.append(RowProblem(line, error.message, error.hint))
        else:
            devices[device.mac] = device
            lines.setdefault(device.mac, line)
    notes = _notes(foreign, header, columns, devices.values())
    return DeviceTable(tuple(devices.values()), lines, tuple(problems), notes)


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


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise InputError(
            f"the file has {len(data)} bytes; the limit is {MAX_BYTES}",
            hint="split it",
        )
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"line {line} is not UTF-8",
            hint='save the table as "CSV UTF-8"',
        ) from None
    if "\0" in text:
        raise InputError("not a text file", hint='save the table as "CSV UTF-8"')
    return text


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    skipped = 0
    first, _, rest = text.partition("\n")
    separator = None
    if re.fullmatch(r"sep=.\r?", first):
        separator, text, skipped = first[4], rest, 1
        first = rest.partition("\n")[0]
    if separator is None:
        separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1 + skipped
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"line {line}: {error}", hint='look for a stray " in this row'
            ) from None


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
) -> list[_Column | None]:
    if len(header) > 500:
        raise InputError(f"line {line}: more than 500 columns")
    if len(header) == 1 and (mark := re.search(r"[|:^]", header[0])):
        raise InputError(
            f"line {line}: the columns are separated by {mark[0]!r}",
            hint="separate them by commas, semicolons or tabs; or write "
            f"sep={mark[0]} as the first line",
        )
    columns: list[_Column | None] = []
    seen: set[_Column] = set()
    unknown: list[str] = []
    for cell in header:
        title = cell.strip()
        column = _column(title, line, foreign) if title else None
        if column is not None and column.record is None and not column.of_line:
            odd = why_unknown(column.name, column.idx, RECORD_COLUMNS)
            if odd is not None:
                if _near_title(title.lower()) == "mac":
                    odd = replace(odd, instead="mac")
                unknown.append(f"column {odd}")
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
        raise InputError(
            f"line {line}: {'; '.join(unknown)}",
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
        name, idx = found[1], int(found[2])
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


def _device(
    columns: Sequence[_Column | None], cells: Sequence[str], usual_vendor: str
) -> Device:
    if len(cells) > len(columns) and any(c.strip() for c in cells[len(columns) :]):
        raise InputError(
            f"{len(cells)} cells, but {len(columns)} columns",
            hint='put a value that holds the separator between "',
        )
    cells = [_plain(cell) for cell in cells]
    record: dict[str, str] = {}
    labels: list[str] = []
    settings: list[tuple[_Column, str]] = []
    for column, cell in zip(columns, cells, strict=False):
        if column is None:
            if cell.strip():
                raise InputError(
                    "a value under a column without a name", hint="name the column"
                )
        elif column.record == "label":
            labels += [cell.strip()] if cell.strip() else []
        elif column.record is not None:
            record[column.record] = cell.strip()
        elif cell:
            _check_cell(column, cell)
            settings.append((column, cell))
    if not record.get("mac"):
        raise InputError("no MAC", hint="every row needs its phone's MAC")
    mac = _mac(record["mac"])
    vendor, model = _maker(record, usual_vendor)
    firmware = record.get("firmware")
    enabled = record.get("enabled", "").lower()
    if enabled and enabled not in _TRUE | _FALSE:
        raise InputError(
            f"neither true nor false: {enabled[:20]!r}", hint="write true or false"
        )
    return Device(
        mac=mac,
        vendor=vendor,
        model=parse_model(model, vendor) if model else None,
        firmware=Firmware.parse(firmware) if firmware else None,
        state="revoked" if enabled in _FALSE else "active",
        revoked_reason=DISABLED if enabled in _FALSE else "",
        label=", ".join(labels),
        layer=Layer().with_settings(*_settings(record, settings, vendor)),
    )


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


_ROUNDED = re.compile(r"[0-9][.,][0-9]+E[+-]?[0-9]{1,3}", re.IGNORECASE)
_TEXT_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
_FORMULA = re.compile(r"#(?:NAME|REF|VALUE|NUM|NULL|N/A|DIV/0|WERT|BEZUG|NV)[!?]?")
_AS_TEXT = (
    "mark the column as text before the table is opened, and export it again from "
    "where it came from: the digits are lost here"
)


def _plain(cell: str) -> str:
    """What a cell shows: ``="0100"`` is how people keep zeros in a spreadsheet."""
    found = _TEXT_FORMULA.fullmatch(cell.strip())
    return cell if found is None else found[1].replace('""', '"')


def _check_cell(column: _Column, cell: str) -> None:
    """Refuse what a spreadsheet program has made of a value; it is never repeated."""
    text = cell.strip()
    if _ROUNDED.fullmatch(text):
        raise InputError(
            f"{column.shown}: a spreadsheet has written a number as 4.137E+12",
            hint=_AS_TEXT,
        )
    if _FORMULA.fullmatch(text):
        raise InputError(
            f"{column.shown}: a spreadsheet has taken the value for a formula",
            hint=_AS_TEXT,
        )


def _mac(text: str) -> Mac:
    """Read a row's MAC, and say if a spreadsheet program spoilt it."""
    try:
        return parse_mac(text)
    except InputError:
        digits = re.sub(r"[^0-9A-Za-z]", "", text)
        if re.fullmatch(r"[0-9]+(?:[.,][0-9]+)?E[+-]?[0-9]{1,3}", text, re.IGNORECASE):
            raise InputError(
                f"a spreadsheet has written the MAC as a number: {text[:40]!r}",
                hint=_AS_TEXT,
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
