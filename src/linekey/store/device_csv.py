"""A table of devices, as spreadsheet programs write it.

The first line names the columns, in any order. ``mac`` must be there; ``vendor``,
``model``, ``firmware`` and ``label`` go into the device's record; every other column is
a phone setting: ``user_name[1]`` with its idx, or ``user_name1`` for the settings of a
line, which all begin with ``user_``. (``dns_server1`` is a setting's whole name.) An
empty cell sets nothing.

Tolerated, since spreadsheet programs write them: a byte order mark, UTF-16, CRLF,
semicolons or tabs for commas, a first line ``sep=;``, empty lines.

Rules: every bad row is told, with its line and reason, not only the first; no reason
repeats the value of a setting, which may be a password.
"""

import codecs
import csv
import difflib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.catalog.vendors import IDENTITY_RULES, LAB_VENDOR
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of a file. 100,000 phones with ten settings each have about 20 million."""

RECORD_COLUMNS = ("mac", "vendor", "model", "firmware", "label")
VENDORS: tuple[str, ...] = tuple(sorted({rule.vendor for rule in IDENTITY_RULES}))
"""Short names of the vendors whose certificates can be read."""

_BRACKETS = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)\[([0-9]{1,4})\]", re.ASCII)
_LINE_SETTING = re.compile(r"(user_[A-Za-z_]*[A-Za-z_])([0-9]{1,2})", re.ASCII)
_SNOM = ("snom", LAB_VENDOR)


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


def parse_vendor(text: str) -> str:
    """Return a vendor's short name as in ``catalog.vendors``; raises InputError."""
    name = text.strip().lower()
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


def parse_device_table(data: bytes, vendor: str = "snom") -> DeviceTable:
    """Read a CSV file; ``vendor`` is for rows that name none.

    Raises InputError if it cannot be read as a table at all: not text, no header, no
    column ``mac``, a column that is no setting's name. What is wrong with a row is in
    ``problems``.
    """
    rows = _rows(_text(data))
    try:
        line, header = next(rows)
    except StopIteration:
        raise InputError("the file is empty", hint=_HEADER_HINT) from None
    columns = _columns(header, line)
    devices: list[Device] = []
    lines: dict[Mac, int] = {}
    problems: list[RowProblem] = []
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            device = _device(columns, cells, vendor)
            if device.mac in lines:
                raise InputError(
                    f"{device.mac} is on line {lines[device.mac]} already",
                    hint="keep one of the two rows",
                )
        except InputError as error:
            problems.append(RowProblem(line, error.message, error.hint))
        else:
            devices.append(device)
            lines[device.mac] = line
    return DeviceTable(tuple(devices), lines, tuple(problems))


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


@dataclass(frozen=True, slots=True)
class _Column:
    record: str | None
    name: str = ""
    idx: int | None = None


def _columns(header: Sequence[str], line: int) -> list[_Column | None]:
    columns: list[_Column | None] = []
    seen: set[_Column] = set()
    for number, cell in enumerate(header, 1):
        title = cell.strip()
        column = _column(title, line) if title else None
        if column is not None and column in seen:
            raise InputError(
                f"line {line}: column {title!r} is there twice", hint="remove one"
            )
        if column is not None:
            seen.add(column)
        columns.append(column)
        if number > 500:
            raise InputError(f"line {line}: more than 500 columns")
    if _Column("mac") not in seen:
        raise InputError(f"line {line}: there is no column 'mac'", hint=_HEADER_HINT)
    return columns


def _column(title: str, line: int) -> _Column:
    if title.lower() in RECORD_COLUMNS:
        return _Column(title.lower())
    name, idx = title, None
    if found := _BRACKETS.fullmatch(title) or _LINE_SETTING.fullmatch(title):
        name, idx = found[1], int(found[2])
    try:
        Setting(name, "", idx)  # a name that no setting can have
    except InputError as error:
        raise InputError(
            f"line {line}: column {title!r}: {error.message}", hint=_HEADER_HINT
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
    record: dict[str, str] = {}
    settings: list[Setting] = []
    for column, cell in zip(columns, cells, strict=False):
        if column is None:
            if cell.strip():
                raise InputError(
                    "a value under a column without a name", hint="name the column"
                )
        elif column.record is not None:
            record[column.record] = cell.strip()
        elif cell:
            settings.append(Setting(column.name, cell, column.idx))
    if not record.get("mac"):
        raise InputError("no MAC", hint="every row needs its phone's MAC")
    named = record.get("vendor")
    vendor = parse_vendor(named) if named else usual_vendor
    model, firmware = record.get("model"), record.get("firmware")
    return Device(
        mac=parse_mac(record["mac"]),
        vendor=vendor,
        model=parse_model(model, vendor) if model else None,
        firmware=Firmware.parse(firmware) if firmware else None,
        label=record.get("label", ""),
        layer=Layer().with_settings(*settings),
    )
