"""Which phones ``linekey phone run`` runs: counted on from one MAC, or of a CSV file.

Rule: the words on the command line hold for every phone of a file whose cell is empty;
a file that is wrong in one row is refused whole, before any phone is made.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.digits import digits_of
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.store.csv_cells import read_cell, refuse_broken
from linekey.store.csv_rows import csv_rows

MOST: Final = 1000
"""Phones in one process: what bench/phones.py was measured with."""
_MAX_PORT: Final = 65535
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Order:
    """One phone to run; what is empty or None is as the phone's folder has it."""

    mac: Mac
    model: str = ""
    firmware: str = ""
    setting_server: str = ""
    identity: Path | None = None
    key: Path | None = None
    trust: tuple[Path, ...] = ()
    clock: datetime | None = None
    firmware_date: date | None = None
    web_port: int | None = None


def count_on(first: Order, count: int) -> list[Order]:
    """``count`` phones from the MAC of ``first`` on, with its ports one after another.

    Raises InputError where MACs or ports end, or one certificate would be for several.
    """
    if count > 1 and first.identity is not None:
        raise InputError(
            f"--identity is one phone's certificate, and --count makes {count} phones",
            hint="leave --identity out: each gets the lab's; or write a file with a "
            "column identity, for --phones",
        )
    start, port = int(first.mac.digits, 16), first.web_port
    if (start + count - 1) >> 24 != start >> 24:
        raise InputError(
            f"{count} phones from {first.mac} on leave the maker's addresses",
            hint=f"begin with a lower --mac, such as {first.mac.digits[:6]}000000",
        )
    if port and port + count - 1 > _MAX_PORT:
        raise InputError(
            f"{count} ports from {port} on end after {_MAX_PORT}",
            hint="begin with a lower --web-port; 0 takes free ones",
        )
    return [
        replace(
            first,
            mac=Mac(f"{start + i:012X}"),
            web_port=port + i if port else port,
        )
        for i in range(count)
    ]


def read_orders(data: bytes, base: Order) -> tuple[list[Order], list[str]]:
    """The phones of a CSV file, and notes on columns that are not for this.

    The first line names the columns: ``mac``, and of the others any, as the options are
    called (``model``, ``setting_server`` …). What a cell does not say, ``base`` does.
    Raises InputError, with the line.
    """
    rows = csv_rows(data)
    try:
        _, head = next(rows)
    except StopIteration:
        head = []
    names = [cell.strip().lower().replace("-", "_") for cell in head]
    if "mac" not in names:
        raise InputError(
            "the file has no column mac",
            hint="its first line names the columns: mac,model,firmware",
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise InputError(
            f"the column {twice[0]!r} is there twice", hint="remove one of the two"
        )
    orders: dict[Mac, tuple[int, Order]] = {}
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            order = _order(dict(zip(names, cells, strict=False)), base)
        except InputError as error:
            raise InputError(f"line {line}: {error.message}", hint=error.hint) from None
        if (known := orders.get(order.mac)) is not None:
            raise InputError(
                f"line {line}: {order.mac} is in line {known[0]} already",
                hint="a phone runs once: remove one of the two lines",
            )
        orders[order.mac] = (line, order)
        if len(orders) > MOST:
            raise InputError(
                f"line {line}: more than {MOST} phones",
                hint="split the file, and run each part in a process of its own",
            )
    if not orders:
        raise InputError(
            "the file has no phone", hint="write one a line, below the columns' names"
        )
    _refuse_same_ports([order for _, order in orders.values()])
    return [order for _, order in orders.values()], _notes(names)


def _order(row: dict[str, str], base: Order) -> Order:
    changes: dict[str, Any] = {}
    for name, read in _READERS.items():
        cell = read_cell(row.get(name, ""))
        refuse_broken(cell, name)
        if (text := cell.text.strip()) or name == "mac":
            changes[name] = read(text)
    return replace(base, **changes)


def _refuse_same_ports(orders: Sequence[Order]) -> None:
    seen: dict[int, Mac] = {}
    for order in orders:
        if order.web_port and seen.setdefault(order.web_port, order.mac) != order.mac:
            raise InputError(
                f"{seen[order.web_port]} and {order.mac} both have web_port "
                f"{order.web_port}",
                hint="give each its own, or 0, which takes a free one",
            )


def _notes(names: Sequence[str]) -> list[str]:
    notes = []
    other = [name for name in names if name and name not in _READERS]
    for name in other:
        near = difflib.get_close_matches(name, _READERS, n=1, cutoff=0.8)
        if near:
            notes.append(f"column {name!r} is not used; did you mean {near[0]}?")
    rest = [name for name in other if not any(repr(name) in note for note in notes)]
    if rest:
        shown = ", ".join(rest[:5]) + (" …" if len(rest) > 5 else "")
        notes.append(f"not used: {shown}; a phone fetches its settings itself")
    return notes


def read_time(text: str) -> datetime:
    """A time as ISO 8601 writes it, in UTC unless it says. Raises InputError."""
    moment = _read(text, datetime.fromisoformat, "a time", "1970-01-01T00:00")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_date(text: str) -> date:
    """A date as ISO 8601 writes it. Raises InputError."""
    return _read(text, date.fromisoformat, "a date", "2019-02-25")


def _read(text: str, reader: Callable[[str], _T], what: str, example: str) -> _T:
    try:
        return reader(text)
    except ValueError:
        raise InputError(
            f"not {what}: {text!r}", hint=f"write it as {example}"
        ) from None


def _model(text: str) -> str:
    return find_model(text).name


def _firmware(text: str) -> str:
    return str(Firmware.parse(text))


def _port(text: str) -> int:
    port = digits_of(text, _MAX_PORT + 1)
    if port is None or port > _MAX_PORT:
        raise InputError(
            f"web_port cannot be {text[:40]!r}", hint=f"write 0 to {_MAX_PORT}"
        )
    return port


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "mac": parse_mac,
    "model": _model,
    "firmware": _firmware,
    "setting_server": str,
    "identity": Path,
    "key": Path,
    "clock": read_time,
    "firmware_date": read_date,
    "web_port": _port,
}
assert set(_READERS) | {"trust"} == {field.name for field in fields(Order)}
