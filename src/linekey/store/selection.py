"""Which phones are meant, in which order, and from where on.

A ``Selection`` is what commands, API and pages ask by; everything it names must hold.
A pattern is the whole text, with ``*`` for any characters and ``?`` for one; the
letters A to Z are the same in either case. ``search`` finds a part of MAC, label, model
or firmware.

Rules: SQLite and PostgreSQL select and order alike (so no locale's rules). No phone is
found by the value of a secret: it is sealed, and asking again and again would tell it.
A cursor is a place in an order, not a number of phones, so that a list goes on rightly
while phones come and go.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.makers.known import is_secret, why_unknown
from linekey.provisioning.device import State
from linekey.provisioning.document import parse_setting
from linekey.said import say
from linekey.store import sightings
from linekey.store.schema import devices
from linekey.words import choice_hint

MAX_PATTERN = 256
"""Characters of a pattern; the longest column of names has 64."""
MAX_WILDCARDS = 8
"""Of ``*`` in a pattern: each one multiplies what a database tries."""

_COLUMNS = (
    "mac", "vendor", "model", "firmware", "label", "group", "state", "revoked_reason",
)  # fmt: skip
_SEARCHED = (
    devices.c.label, devices.c.model, devices.c.firmware, devices.c.mac,
)  # fmt: skip
_FILTERS = ("vendor", "model", "label", "group")
_Where = list[sa.ColumnElement[bool]]


class SortBy(StrEnum):
    """What a list is ordered by; then by MAC."""

    MAC = "mac"
    VENDOR = "vendor"
    MODEL = "model"
    LABEL = "label"
    GROUP = "group"
    STATE = "state"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Order:
    """An order: ``label``, or ``-label`` with the last first."""

    by: SortBy = SortBy.MAC
    descending: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``label`` or ``-label``; raises InputError."""
        name = text.strip().lower()
        try:
            return cls(SortBy(name.removeprefix("-")), name.startswith("-"))
        except ValueError:
            raise InputError(
                say("no list is ordered by %(text)s", text=repr(text[:40])),
                hint=say(
                    "%(choice_hint)s; with - before it the last comes first",
                    choice_hint=choice_hint(name, SortBy),
                ),
            ) from None

    def __str__(self) -> str:
        return f"-{self.by}" if self.descending else self.by.value

    def columns(self, sqlite: bool) -> list[sa.ColumnElement[Any]]:
        """What to order by; the MAC is last, and makes each place one of its own."""
        if self.by is SortBy.MAC:
            return [devices.c.mac]
        if self.by is SortBy.CHANGED:
            return [devices.c.changed_at, devices.c.mac]
        column: sa.ColumnElement[str] = sa.func.coalesce(devices.c[self.by.value], "")
        return [column if sqlite else sa.collate(column, "C"), devices.c.mac]

    def cursor(self, place: Sequence[Any]) -> str:
        """Write a place as a text that stands in a URL as it is."""
        text = json.dumps([str(self), *place], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def read_cursor(self, text: str) -> tuple[Any, ...]:
        """Read what ``cursor`` wrote. Raises InputError if this order did not."""
        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            order, *place = json.loads(data)
        except (binascii.Error, ValueError, TypeError):
            order, place = None, []
        first = int if self.by is SortBy.CHANGED else str
        kinds = (str,) if self.by is SortBy.MAC else (first, str)
        fits = len(place) == len(kinds) and all(map(isinstance, place, kinds))
        if order != str(self) or not fits or "\0" in str(place):
            raise InputError(
                say("this cursor is not one of this list in this order"),
                hint=say("begin again without a cursor"),
            )
        return tuple(place)


BY_MAC = Order()


@dataclass(frozen=True, slots=True)
class Condition:
    """A column, what visits said, or a setting of the phone's own, and its value.

    ``sightings.CONDITIONS`` are what visits said. An empty ``pattern`` finds phones
    where it is not set.
    """

    name: str
    idx: int | None
    pattern: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NAME=VALUE`` or ``NAME[IDX]=VALUE``; raises InputError."""
        setting = parse_setting(text)
        name, idx, value = setting.name, setting.idx, setting.value.strip()
        if idx is None and name.lower() in _COLUMNS:
            return cls(name.lower(), None, value)
        if idx is None and name.lower() in sightings.CONDITIONS:
            sightings.clause(name.lower(), value)  # refused here, not when it is asked
            return cls(name.lower(), None, value)
        odd = why_unknown(name, idx, (*_COLUMNS, *sightings.CONDITIONS))
        if odd is not None and odd.instead:
            raise InputError(
                str(odd),
                hint="name a setting as it is written, or one of "
                + ", ".join((*_COLUMNS, *sightings.CONDITIONS)),
            )
        if value and is_secret(name):
            raise InputError(
                say("%(name)s is a secret: no phone is found by its value", name=name),
                hint=say(
                    "%(name)s= finds the phones that have none of their own", name=name
                ),
            )
        return cls(name, idx, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which phones; what is None or empty asks for nothing."""

    macs: frozenset[Mac] | None = None
    vendor: str | None = None
    model: str | None = None
    label: str | None = None
    group: str | None = None
    state: State | None = None
    search: str = ""
    where: tuple[Condition, ...] = ()

    @property
    def is_quick(self) -> bool:
        """Whether nothing is asked that takes a look at many texts."""
        visits = all(c.name in sightings.CONDITIONS for c in self.where)
        return visits and replace(self, state=None, where=()).is_all

    @property
    def is_all(self) -> bool:
        """Whether nothing is asked for, so that every phone is meant."""
        return self == Selection()

    def clauses(self, sqlite: bool, within: frozenset[str] | None = None) -> _Where:
        """It as conditions of SQL, by what visits ``within`` these groups said (None:
        all). Raises InputError for a pattern beyond bounds."""
        found: _Where = []
        if self.macs is not None:
            found.append(one_of(devices.c.mac, self.macs, sqlite))
        for name in _FILTERS:
            if (pattern := getattr(self, name)) is not None:
                found.append(_column(Condition(name, None, pattern), sqlite))
        if self.state is not None:
            found.append(devices.c.state == self.state)
        if words := self.search.strip():
            found.append(_search(words, sqlite, within))
        for condition in self.where:
            if condition.idx is None and condition.name in sightings.CONDITIONS:
                found.append(
                    sightings.clause(condition.name, condition.pattern, within)
                )
                continue
            is_column = condition.idx is None and condition.name in _COLUMNS
            found.append((_column if is_column else _setting)(condition, sqlite))
        return found

    def describe(self) -> str:
        """It in the words of the command line, for a question or an error."""
        parts = [
            f"--{name} {value!r}"
            for name in _FILTERS
            if (value := getattr(self, name)) is not None
        ]
        parts += [f"--where {_written(c)}" for c in self.where]
        parts += [f"--search {self.search!r}"] if self.search else []
        parts += ["--revoked"] if self.state == "revoked" else []
        parts += [f"a list of {len(self.macs)}"] if self.macs is not None else []
        return ", ".join(parts) or "all phones"


EVERYTHING = Selection()


def _written(condition: Condition) -> str:
    idx = "" if condition.idx is None else f"[{condition.idx}]"
    return f"{condition.name}{idx}={condition.pattern}"


def one_of(
    column: sa.ColumnElement[str], macs: frozenset[Mac], sqlite: bool
) -> sa.ColumnElement[bool]:
    """The condition that a column holds one of these MACs."""
    # One value, since a statement has room for 32,766 (SQLite) or 65,535.
    listed = sorted(mac.digits for mac in macs)
    if sqlite:
        each = sa.func.json_each(json.dumps(listed)).table_valued("value")
        return column.in_(sa.select(each.c.value))
    array = sa.func.jsonb_array_elements_text(sa.literal(listed, JSONB))
    return column.in_(sa.select(array.column_valued("listed")))


def _alike(column: Any, pattern: str, sqlite: bool) -> Any:
    """Compare with a pattern of LIKE in lower case, the letters A to Z in either case.

    SQLite's LIKE does so by itself, three times as fast as after lower(), PostgreSQL
    under the collation C.
    """
    found = column if sqlite else sa.func.lower(sa.collate(column, "C"))
    return found.like(pattern, escape="\\")


def _literal(text: str) -> str:
    """A text as a pattern of LIKE that it alone fits."""
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return text


_EXTENSION = re.compile(r"[0-9*#+]{2,32}", re.ASCII)
_ADDRESS = re.compile(r"(?=.*[.:])[0-9a-f.:]{3,64}", re.ASCII)
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def like(column: Any, pattern: str, sqlite: bool) -> Any:
    """The condition that a column fits a pattern. Raises InputError for one that is
    none."""
    _check(pattern)
    text = _literal(pattern.translate(_ASCII_LOWER))
    return _alike(column, text.replace("*", "%").replace("?", "_"), sqlite)


def _check(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN or pattern.count("*") > MAX_WILDCARDS:
        raise InputError(
            say(
                "a pattern has at most %(max_pattern)s characters and "
                "%(max_wildcards)s *",
                max_pattern=MAX_PATTERN,
                max_wildcards=MAX_WILDCARDS,
            ),
            hint=say("ask for less, or give a list of MACs"),
        )
    if not pattern.isprintable():
        raise InputError(
            say("a pattern with a control character"),
            hint=say("leave it out, or write ?"),
        )


def search_in(
    columns: Sequence[Any], mac: Any, words: str, sqlite: bool
) -> sa.ColumnElement[bool]:
    """The condition that one of some columns has these words in it, or that ``mac``
    has them without what separates digits. Raises InputError."""
    _check(words)
    text = words.translate(_ASCII_LOWER)
    digits = text.replace(":", "").replace("-", "").replace(".", "")
    found = [_alike(c, f"%{_literal(text)}%", sqlite) for c in columns]
    if digits and digits != text:
        found.append(_alike(mac, f"%{_literal(digits)}%", sqlite))
    return sa.or_(*found)


def _search(
    words: str, sqlite: bool, within: frozenset[str] | None
) -> sa.ColumnElement[bool]:
    """In the columns; an extension in the layer, an address in what visits said."""
    found = [search_in(_SEARCHED, devices.c.mac, words, sqlite)]
    text = words.translate(_ASCII_LOWER)
    if _EXTENSION.fullmatch(text):
        # As ``dump`` writes it, of accounts 0 to 99: taking JSON apart costs ten times
        # as much. Most layers have no such value at all, which is found the fastest:
        # SQLite's LIKE leaps from one of its first digit to the next.
        layer = devices.c.layer
        there = sa.func.strpos(layer, f'"value":"{text}') > 0
        if sqlite:
            there = _alike(layer, f"%{_literal(text)}%", sqlite)
        accounts = sa.or_(
            *(
                _alike(
                    layer,
                    f'%"name":"{name}","idx":{idx},"value":"{_literal(text)}%',
                    sqlite,
                )
                for name in ("user\\_name", "any.account.user")
                for idx in ("_", "__")
            )
        )
        found.append(sa.and_(there, accounts))
    if _ADDRESS.fullmatch(text):
        found.append(sightings.from_address(f"%{_literal(text)}%", within))
    return sa.or_(*found)


def _column(condition: Condition, sqlite: bool) -> sa.ColumnElement[bool]:
    column = sa.func.coalesce(devices.c[condition.name], "")
    pattern = condition.pattern
    if condition.name == "mac":
        pattern = pattern.replace(":", "").replace("-", "")
    found: sa.ColumnElement[bool] = like(column, pattern, sqlite)
    return found


def own_settings(sqlite: bool) -> tuple[Any, Callable[[str], Any]]:
    """The settings in each phone's own layer: a table to join, and its fields."""
    if sqlite:
        each = sa.func.json_each(devices.c.layer, "$.settings").table_valued("value")
        return each, lambda name: sa.func.json_extract(each.c.value, f"$.{name}")
    array = sa.cast(devices.c.layer, JSONB)["settings"]
    entry = sa.func.jsonb_array_elements(array).table_valued(
        sa.column("value", JSONB), name="setting"
    )
    return entry, lambda name: entry.c.value[name].astext


def _setting(condition: Condition, sqlite: bool) -> sa.ColumnElement[bool]:
    if (found := _in_text(condition, sqlite)) is not None:
        return found
    return _in_entries(condition, sqlite)


def _in_text(condition: Condition, sqlite: bool) -> sa.ColumnElement[bool] | None:
    """It asked of the stored JSON as a text; None for a pattern that cannot be.

    So no JSON is taken apart, and each layer is gone through once or twice. An entry is
    ``{"name":…,"idx":…,"perm":…,"mark":…,"value":…}`` (``Layer.to_plain``, ``dump``);
    what stands in a value has its quotes escaped, so it never looks like one.
    """
    idx = "" if condition.idx is None else f'"idx":{condition.idx},'
    head = f'{{"name":"{condition.name}",{idx}'
    if not condition.pattern:
        return ~_has(head, sqlite, or_idx=bool(idx))
    _check(condition.pattern)
    whole = condition.pattern.rstrip("*")
    if "*" in whole or "?" in whole:
        return None
    written = json.dumps(whole.translate(_ASCII_LOWER), ensure_ascii=False)[1:-1]
    if whole == condition.pattern:
        written += '"'
    begins = _begins(f'{head}"value":"', written, sqlite)
    # Where a perm or mark stands before the value, more is asked.
    if sqlite:
        between = _leaps(head, '"[pm]')
        return sa.or_(begins, sa.and_(between, _in_entries(condition, sqlite)))
    # Not of the entries: PostgreSQL looks by several processes only where no question
    # is within the question.
    perm = _begins_later(f'{head}"perm":', '"[^"]*",("mark":"[^"]*",)?', written)
    mark = _begins_later(f'{head}"mark":', '"[^"]*",', written)
    return sa.or_(begins, perm, mark)


def _begins_later(head: str, between: str, written: str) -> sa.ColumnElement[bool]:
    """Whether an entry's ``head`` is followed by what fits a regular expression, then a
    value that begins with ``written``, in lower case."""
    layer = devices.c.layer
    rest = sa.func.lower(sa.collate(sa.func.split_part(layer, head, 2), "C"))
    says = f'^{between}"value":"{re.escape(written)}'
    return sa.and_(sa.func.strpos(layer, head) > 0, rest.regexp_match(says))


def _has(head: str, sqlite: bool, *, or_idx: bool = True) -> sa.ColumnElement[bool]:
    """Whether a layer has an entry that begins so; without ``or_idx`` one in which no
    idx comes next."""
    if sqlite:
        return _globs(f"*{_glob(head)}{'' if or_idx else _NO_IDX}*")
    layer: Any = devices.c.layer
    if not or_idx:
        layer = sa.func.replace(layer, f'{head}"i', "")
    found: sa.ColumnElement[bool] = sa.func.strpos(layer, head) > 0
    return found


_NO_IDX = '"[^i]'


def _begins(head: str, written: str, sqlite: bool) -> sa.ColumnElement[bool]:
    """Whether ``written``, in lower case, follows an entry's ``head``; the letters A to
    Z in either case."""
    if sqlite:
        value = "".join(
            f"[{c}{c.upper()}]" if c.isascii() and c.isalpha() else _glob(c)
            for c in written
        )
        return _leaps(head, value)
    if not written:
        return _has(head, sqlite)
    # A layer has a setting once. To look for its head is a third of the work that it is
    # to write all of the layer in lower case.
    rest = sa.func.left(sa.func.split_part(devices.c.layer, head, 2), len(written))
    found: sa.ColumnElement[bool] = sa.func.lower(sa.collate(rest, "C")) == written
    return found


_USUAL = '"aeinmulrxdt_s:v{,}po01hgc'
"""What layers are made of, the most usual first."""


def _leaps(head: str, rest: str) -> sa.ColumnElement[bool]:
    """Whether a layer has an entry that begins with ``head``, then what ``rest`` fits.

    SQLite's GLOB leaps from one of a pattern's first character to the next: so first it
    looks for the head from its rarest one on.
    """
    rarest = max(range(len(head)), key=lambda n: _USUAL.find(head[n]) % 99)
    whole = _globs(f"*{_glob(head)}{rest}*")
    if not rarest:
        return whole
    return sa.and_(_globs(f"*{_glob(head[rarest:])}{rest}*"), whole)


def _glob(text: str) -> str:
    """A text as a pattern of SQLite's GLOB that it alone fits."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)


def _globs(pattern: str) -> sa.ColumnElement[bool]:
    return devices.c.layer.op("GLOB", is_comparison=True)(pattern)


def _in_entries(condition: Condition, sqlite: bool) -> sa.ColumnElement[bool]:
    """It asked of the entries themselves, which says what is meant."""
    table, field = own_settings(sqlite)
    idx: Any = condition.idx
    if idx is not None and not sqlite:
        idx = str(idx)  # the field as text
    of_it = [field("name") == condition.name]
    of_it.append(field("idx").is_(None) if idx is None else field("idx") == idx)
    there = sa.select(sa.literal(1)).select_from(table)
    if condition.pattern:
        of_it.append(like(field("value"), condition.pattern, sqlite))
        # First the whole text: to take JSON apart costs ten times as much.
        return sa.and_(
            _alike(devices.c.layer, _in_json("value", condition.pattern), sqlite),
            sa.exists(there.where(*of_it).correlate(devices)),
        )
    return sa.or_(
        ~_alike(devices.c.layer, _in_json("name", condition.name), sqlite),
        ~sa.exists(there.where(*of_it).correlate(devices)),
    )


def _in_json(member: str, pattern: str) -> str:
    """A pattern of LIKE that fits every layer with such a member, as ``dump`` wrote it.

    And others too: ``?`` is taken for ``*``, since JSON may write two for one.
    """
    parts = pattern.translate(_ASCII_LOWER).replace("?", "*").split("*")
    written = [_literal(json.dumps(p, ensure_ascii=False)[1:-1]) for p in parts]
    return f'%"{member}":"{"%".join(written)}"%'
