"""A row of a table of devices: what it says of one phone.

Most rows of a table say most things in the same words, so each word is judged once:
``RowReader`` keeps what a cell of a setting's column means, and what the record's cells
mean together. It is kept for one table, and so many words that it stays small.

Rules: what a spreadsheet broke is said to be that; no reason repeats the value of a
setting, which may be a password.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation, find_model
from linekey.catalog.vendors import IDENTITY_RULES, LAB_VENDOR
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.makers.all import find_other, maker_of
from linekey.makers.terms import TRANSPORTS
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Mark, Setting
from linekey.provisioning.expired import Expired, parse_expired
from linekey.provisioning.group import parse_group
from linekey.said import say
from linekey.store.csv_cells import AS_TEXT, EMPTY, KEPT, read_cell, refuse_broken
from linekey.words import choice_hint

VENDORS: tuple[str, ...] = tuple(sorted({rule.vendor for rule in IDENTITY_RULES}))
"""Short names of the vendors whose certificates can be read."""
DISABLED = "disabled in the table that was imported"
"""The reason with which a device is revoked that another system has disabled."""
LEFT_OUT: Final = "left out"
"""Instead of a column of the record: what means nothing here."""

_SNOM = ("snom", LAB_VENDOR)
NEUTRAL: Final = MappingProxyType(
    {
        "user_name": "any.account.user",
        "user_pname": "any.account.auth_user",
        "user_pass": "any.account.password",
        "user_host": "any.account.registrar",
        "user_realname": "any.account.display_name",
        "user_expiry": "any.account.expires",
    }
)
"""What a setting of a foreign table's line is called for a phone that is no Snom."""
_ALIASES = {"polycom": "poly", "cisco systems": "cisco"}
"""Makers as other systems call them."""
_TRUE = frozenset({"true", "t", "1", "yes", "on", "enabled", "wahr", "ja"})
_FALSE = frozenset({"false", "f", "0", "no", "off", "disabled", "falsch", "nein"})
_MAX_WORDS = 1024
"""Kept of one column, and of what record cells mean together."""

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
class Column:
    """What a column is for."""

    record: str | None
    """A column of the record, or a foreign table's own, or LEFT_OUT; None: a
    setting."""
    name: str = ""
    idx: int | None = None
    of_line: bool = False
    """The idx is the row's column ``line``."""
    secret: bool = False
    """Marked as a secret by the operator."""

    @property
    def shown(self) -> str:
        """It in words."""
        if self.record is not None:
            return self.record
        idx = "LINE" if self.of_line else self.idx
        return self.name if idx is None else f"{self.name}[{idx}]"


class _Facts(NamedTuple):
    """What the record's cells of a row mean together, but for MAC and label."""

    vendor: str
    model: str | None
    firmware: Firmware | None
    generations: frozenset[Generation] | None
    expired: Expired | None
    group: str | None
    state: Literal["active", "revoked"]
    revoked_reason: str
    line: int
    of_lines: bool
    """Whether linekey writes files for the phone, so that a foreign table's line has
    settings for it."""
    neutral: bool
    """Whether these are neutral ones, since the phone is no Snom."""
    settings: tuple[Setting, ...]
    """Those that a foreign table's line is turned into."""
    said: frozenset[str]


_Meant = Setting | Literal["kept"] | None
"""A setting's cell: a value, ``(kept)``, or nothing."""


class RowReader:
    """Reads the rows of one table.

    ``usual_vendor`` is for rows that name none, unless ``vendors`` has their phone's.
    """

    def __init__(
        self,
        columns: Sequence[Column | None],
        usual_vendor: str,
        vendors: Mapping[Mac, str],
    ) -> None:
        places = list(enumerate(columns))
        self._width = len(columns)
        self._nameless = [n for n, column in places if column is None]
        there = [(n, column) for n, column in places if column is not None]
        self._labels = [n for n, column in there if column.record == "label"]
        self._record: dict[str, int] = {
            column.record: n
            for n, column in there
            if column.record is not None
            and column.record not in ("label", "mac", LEFT_OUT)
        }
        self._mac_at = next(n for n, column in there if column.record == "mac")
        self._settings: list[tuple[int, Column, dict[str, _Meant]]] = [
            (n, c, {}) for n, c in there if c.record is None and not c.of_line
        ]
        self._of_lines: list[tuple[int, Column, dict[tuple[str, int], _Meant]]] = [
            (n, c, {}) for n, c in there if c.of_line
        ]
        self._facts: dict[tuple[str, ...], _Facts] = {}
        self._said_label: dict[frozenset[str], frozenset[str]] = {}
        self._usual_vendor = usual_vendor
        self._vendors = vendors

    def read(self, line: int, cells: Sequence[str]) -> Row:
        """Read a row, whose first line is ``line``. Raises InputError."""
        cells = self._whole(cells)
        written = _text(cells[self._mac_at])
        if not written:
            raise InputError("no MAC", hint="every row needs its phone's MAC")
        mac = _mac(written)
        facts = self._facts_of(mac, cells)
        settings: list[Setting] = []
        kept: list[Slot] = []
        for place, column, known in self._settings:
            cell = cells[place]
            if not cell:
                continue
            try:
                meant = known[cell]
            except KeyError:
                meant = _meant(cell, column, column.idx)
                if len(known) < _MAX_WORDS:
                    known[cell] = meant
            if meant is None:
                continue
            if meant == "kept":
                kept.append((column.name, column.idx))
            else:
                settings.append(meant)
        if self._of_lines:
            self._read_line(cells, facts, settings, kept)
        if self._of_lines or facts.settings:  # they may be another column's, too
            settings += facts.settings
            settings = list({s.slot: s for s in settings}.values())
        said = facts.said
        labels = [text for n in self._labels if (text := _text(cells[n]))]
        if labels:
            said = self._said_label.setdefault(said, said | {"label"})
        device = Device(
            mac=mac,
            vendor=facts.vendor,
            model=facts.model,
            firmware=facts.firmware,
            state=facts.state,
            revoked_reason=facts.revoked_reason,
            generations=facts.generations,
            expired=facts.expired,
            label=", ".join(labels),
            group=facts.group,
            layer=Layer(tuple(settings)),
        )
        return Row(device, line, said, frozenset(kept))

    def _whole(self, cells: Sequence[str]) -> Sequence[str]:
        """As many cells as there are columns, none without a name."""
        extra = len(cells) - self._width
        if extra > 0 and any(cell.strip() for cell in cells[self._width :]):
            raise InputError(
                f"{len(cells)} cells, but {self._width} columns",
                hint='put a value that holds the separator between "',
            )
        if extra < 0:
            cells = [*cells, *[""] * -extra]
        for place in self._nameless:
            if _text(cells[place]):
                raise InputError(
                    "a value under a column without a name", hint="name the column"
                )
        return cells

    def _read_line(
        self,
        cells: Sequence[str],
        facts: _Facts,
        settings: list[Setting],
        kept: list[Slot],
    ) -> None:
        """The settings of the line that this row is about."""
        for place, column, known in self._of_lines:
            key = cells[place], facts.line
            if key not in known:
                if len(known) >= _MAX_WORDS:
                    known.clear()
                known[key] = _meant(key[0], column, facts.line)
            meant = known[key]
            name = NEUTRAL[column.name] if facts.neutral else column.name
            if meant == "kept":
                kept.append((name, facts.line))
            elif meant is not None and facts.of_lines:
                settings.append(_called(meant, name))

    def _facts_of(self, mac: Mac, cells: Sequence[str]) -> _Facts:
        usual = self._vendors.get(mac, self._usual_vendor)
        key = (usual, *[cells[place] for place in self._record.values()])
        facts = self._facts.get(key)
        if facts is None:
            record = {
                name: _text(cell)
                for name, cell in zip(self._record, key[1:], strict=True)
            }
            facts = _facts(record, usual)
            if len(self._facts) >= _MAX_WORDS:
                self._facts.clear()
            self._facts[key] = facts
        return facts


def _called(setting: Setting, name: str) -> Setting:
    if setting.name == name:
        return setting
    return Setting(name, setting.value, setting.idx, mark=setting.mark)


def _text(written: str) -> str:
    """What a cell of the record says, without blanks unless they are meant."""
    cell = read_cell(written)
    return cell.text if cell.exact else cell.text.strip()


def _meant(written: str, column: Column, idx: int | None) -> _Meant:
    """What a setting's cell means. Raises InputError."""
    cell = read_cell(written)
    if cell == (KEPT, False):
        return "kept"
    if not cell.text:
        return None
    refuse_broken(cell, column.shown)
    value = "" if cell == (EMPTY, False) else cell.text
    mark = Mark.SECRET if column.secret else None
    return Setting(column.name, value, idx, mark=mark)


def _facts(record: Mapping[str, str], usual_vendor: str) -> _Facts:
    """What the record's cells mean. Raises InputError."""
    vendor, model = _maker(record, usual_vendor)
    firmware = record.get("firmware")
    number = record.get("line") or "1"
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= 99):
        raise InputError(f"not a line: {number[:20]!r}", hint="a number from 1 to 99")
    state, reason = _state(record)
    said = {name for name, text in record.items() if text}
    said |= {"vendor", "model"} if "/" in record.get("template", "") else set()
    maker = maker_of(vendor)
    neutral = maker is not None and not maker.snom_like
    return _Facts(
        vendor,
        parse_model(model, vendor) if model else None,
        Firmware.parse(firmware) if firmware else None,
        _generations(record.get("generations", "")),
        _expired(record.get("expired", "")),
        parse_group(record["group"]) if record.get("group") else None,
        state,
        reason,
        int(number),
        maker is not None,
        neutral,
        _line_settings(record, int(number), neutral) if maker is not None else (),
        frozenset(said | {"mac"}),
    )


def _state(record: Mapping[str, str]) -> tuple[Literal["active", "revoked"], str]:
    """Whether the phone is revoked, and why."""
    enabled = record.get("enabled", "").lower()
    if enabled and enabled not in _TRUE | _FALSE:
        raise InputError(
            f"neither true nor false: {enabled[:20]!r}", hint="write true or false"
        )
    if enabled in _FALSE:
        return "revoked", DISABLED
    state = record.get("state", "").lower()
    if state not in ("", "active", "revoked"):
        raise InputError(f"not a state: {state[:20]!r}", hint="write active or revoked")
    if state == "revoked":
        return "revoked", record.get("revoked_reason", "")
    return "active", ""


def _line_settings(
    record: Mapping[str, str], line: int, neutral: bool
) -> tuple[Setting, ...]:
    """What a foreign table's columns of a line are turned into."""
    if neutral:
        return _neutral_line(record, line)
    made = []
    if server := record.get("server"):
        made.append(Setting("user_host", server, line))
    transport = record.get("transport", "").lower()
    host = record.get("proxy") or record.get("server")
    if host and transport in ("tls", "tcp", "udp"):
        port = f":{record['port']}" if record.get("port") else ""
        value = f"{host}{port};transport={transport}"
        made.append(Setting("user_outbound", value, line))
    elif host and record.get("proxy"):
        made.append(Setting("user_outbound", host, line))
    return tuple(made)


def _neutral_line(record: Mapping[str, str], line: int) -> tuple[Setting, ...]:
    """The same for a phone that is no Snom."""
    port = f":{record['port']}" if record.get("port") else ""
    transport = record.get("transport", "").lower()
    pairs = [
        ("any.account.registrar", record.get("server"), port),
        ("any.account.outbound", record.get("proxy"), port),
        ("any.account.transport", transport if transport in TRANSPORTS else "", ""),
    ]
    return tuple(
        Setting(name, f"{value}{more}", line) for name, value, more in pairs if value
    )


def _generations(text: str) -> frozenset[Generation] | None:
    try:
        return frozenset(map(Generation, text.lower().split("+"))) if text else None
    except ValueError:
        known = " or ".join(Generation)
        raise InputError(
            f"not a generation of certificates: {text[:40]!r}",
            hint=f"write {known}, or several with + between them",
        ) from None


def _expired(text: str) -> Expired | None:
    return parse_expired(text, of_phone=True) if text else None


def _maker(record: Mapping[str, str], usual: str) -> tuple[str, str | None]:
    """Vendor and model of a row; ``template`` is a foreign one's ``vendor/model``."""
    named, model = record.get("vendor"), record.get("model")
    of_template, slash, template_model = record.get("template", "").partition("/")
    if slash and not named:
        named = of_template
        model = model or template_model
    if named:
        return parse_vendor(named), model
    return vendor_of_model(model or "", usual), model


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


def parse_vendor(text: str) -> str:
    """Return a vendor's short name as in ``catalog.vendors``; raises InputError."""
    name = text.strip().lower()
    name = _ALIASES.get(name, name)
    if name in VENDORS:
        return name
    raise InputError(
        f"unknown vendor: {text!r}",
        hint=choice_hint(name, VENDORS),
    )


def parse_model(text: str, vendor: str) -> str:
    """Return a model's name as it is listed; as written for one that is not.

    Raises InputError for a Snom model that the catalogue has not, and for a model that
    is another maker's than ``vendor``.
    """
    found = find_other(text)
    maker = maker_of(vendor)
    if found is not None and (maker is None or found.maker != maker.id):
        raise InputError(
            say(
                "the %(model)s is a phone of %(maker)s, and the vendor is %(vendor)s",
                model=found.name,
                maker=repr(found.maker),
                vendor=repr(vendor),
            ),
            hint=say("give the vendor %(maker)s, or another model", maker=found.maker),
        )
    if found is not None:
        return found.name
    return find_model(text).name if vendor in _SNOM else text.strip()


def vendor_of_model(text: str, vendor: str) -> str:
    """The vendor of a phone of a model, where only a usual ``vendor`` is known.

    A model of another maker's says whose phone it is; in the lab it is the lab's. The
    vendor of a maker whose files are not written yet stays.
    """
    found = find_other(text)
    maker = maker_of(vendor)
    if found is None or (vendor and (maker is None or maker.id == found.maker)):
        return vendor
    of_lab = f"lab-{found.maker}"
    return of_lab if vendor.startswith("lab-") and of_lab in VENDORS else found.maker
