"""Terms to a maker's lines and back, by rows of data.

A ``Field`` says under which name, or names, one term stands in the maker's file.
``{n}`` in a name is the term's idx; a field that holds for one idx alone has ``at``.
Both directions come from the same row, so what the server writes the virtual phone
reads.

Rules: a value that the maker cannot say is a note and no line. What no field knows is
handed back as it came (``rest``).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from linekey.catalog.evidence import Confidence
from linekey.endpoint import host_port, parse_host_port
from linekey.makers.grammar import Line
from linekey.makers.terms import TERMS, problem_of


class How(StrEnum):
    """How a term's value becomes the maker's."""

    AS_IT_IS = "as it is"
    HOST_PORT = "host and port"
    """Two names: host, and port where one is given."""
    SCHEME_PATH = "scheme and path"
    """Two names: a number for the scheme, and the URL without its scheme."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One row of a maker's map."""

    term: str
    names: tuple[str, ...]
    """One, or two for HOST_PORT and SCHEME_PATH."""
    source: str
    confidence: Confidence
    values: tuple[tuple[str, str], ...] = ()
    """Ours and the maker's; where ours is not among them, the maker cannot say it. The
    first of several of ours with one of theirs is read back."""
    unit: int = 1
    """For numbers: how many of ours are one of theirs (60: theirs are minutes)."""
    least: int = 0
    """The least of theirs."""
    form: str = "{}"
    """Theirs with ours in it: ``admin:{}``."""
    with_it: tuple[tuple[str, str], ...] = ()
    """Lines that have to stand beside it for it to count: name, value."""
    how: How = How.AS_IT_IS
    at: int | None = None
    """The only idx that the row is for; None: any."""
    offset: int = 0
    """For numbers: added to ours (Grandstream counts accounts from 0)."""
    note: str = ""
    """What is odd about it, for the maker's page."""


@dataclass(frozen=True)
class Map:
    """All rows of a maker."""

    fields: tuple[Field, ...]

    @cached_property
    def _by_term(self) -> dict[tuple[str, int | None], Field]:
        return {(f.term, f.at): f for f in self.fields}

    @cached_property
    def _exact(self) -> dict[str, tuple[Field, int, int | None]]:
        """Names without a place for an idx: the field, which name of it, the idx."""
        return {
            name: (f, which, f.at)
            for f in self.fields
            for which, name in enumerate(f.names)
            if "{n}" not in name
        }

    @cached_property
    def _patterns(self) -> tuple[tuple[re.Pattern[str], Field, int], ...]:
        return tuple(
            (
                re.compile(re.escape(name).replace(r"\{n\}", "([0-9]{1,3})"), re.ASCII),
                f,
                which,
            )
            for f in self.fields
            for which, name in enumerate(f.names)
            if "{n}" in name
        )

    @cached_property
    def _beside(self) -> frozenset[tuple[str, str]]:
        return frozenset(pair for f in self.fields for pair in f.with_it)

    def field_of(self, term: str, idx: int | None) -> Field | None:
        """The row that says how a term is written; None: the maker cannot say it."""
        return self._by_term.get((term, idx)) or self._by_term.get((term, None))

    def lines_of(self, terms: Iterable[Line]) -> tuple[list[Line], list[str]]:
        """Write terms as the maker's lines; and a note for each that it cannot say.

        The terms are such as ``terms.problem_of`` finds nothing wrong with.

        Lines of one name come once, the last value winning, in the order of the terms.
        """
        lines: dict[str, Line] = {}
        notes: list[str] = []
        for term in terms:
            shown = name_at(term)
            field = self.field_of(term.name, term.idx)
            if field is None:
                notes.append(f"{shown}: these phones have no setting known for it")
                continue
            found, note = _written(field, term)
            if note:
                notes.append(f"{shown}: {note}")
            for line in found:
                lines[name_at(line)] = line
        return list(lines.values()), notes

    def terms_of(self, lines: Iterable[Line]) -> tuple[list[Line], list[Line]]:
        """Read a maker's lines as terms; and the lines that are none."""
        found: dict[tuple[str, int | None], dict[int, str]] = {}
        fields: dict[tuple[str, int | None], Field] = {}
        rest: list[Line] = []
        for line in lines:
            hit = self.find(name_at(line))
            if hit is None:
                if (_bare(line.name), line.value) not in self._beside:
                    rest.append(line)
                continue
            field, which, idx = hit
            fields[field.term, idx] = field
            found.setdefault((field.term, idx), {})[which] = line.value
        terms: list[Line] = []
        for (name, idx), values in found.items():
            value = _read(fields[name, idx], values)
            if value is None or problem_of(name, idx, value):
                field = fields[name, idx]
                rest += [
                    line_at(_named(field.names[which], idx), text)
                    for which, text in values.items()
                ]
            elif value or name in _MAY_BE_EMPTY:
                terms.append(Line(name, value, idx))
        return terms, rest

    def find(self, name: str) -> tuple[Field, int, int | None] | None:
        """The row of a maker's name, which of its names it is, and the idx in it."""
        if exact := self._exact.get(name):
            return exact
        for pattern, field, which in self._patterns:
            if found := pattern.fullmatch(name):
                idx = int(found[1])
                return (field, which, idx) if field.at in (None, idx) else None
        return None


_MAY_BE_EMPTY: Final = frozenset({"any.key.label", "any.key.value"})


def line_at(name: str, value: str) -> Line:
    """A line by its name, in which an idx may stand: ``user_name[1]``."""
    if name.endswith("]"):
        bare, _, idx = name[:-1].partition("[")
        return Line(bare, value, int(idx))
    return Line(name, value)


def name_at(line: Line) -> str:
    """A line's name with its idx."""
    return line.name if line.idx is None else f"{line.name}[{line.idx}]"


def _named(template: str, idx: int | None) -> str:
    return template.replace("{n}", "" if idx is None else str(idx))


def _bare(name: str) -> str:
    """A name with ``{n}`` for each number in it, as ``with_it`` has it."""
    return re.sub(r"(?<=\.)[0-9]{1,3}(?=\.)", "{n}", name, count=1)


def _written(field: Field, term: Line) -> tuple[list[Line], str]:
    names = [_named(name, term.idx) for name in field.names]
    beside = [line_at(_named(n, term.idx), v) for n, v in field.with_it]
    value = term.value
    if value == "":
        return [line_at(name, "") for name in names], ""
    if field.how is How.HOST_PORT:
        host, port = parse_host_port(value, 0)
        pair = [line_at(names[0], host)]
        if port:
            pair.append(line_at(names[1], str(port)))
        return pair + beside, ""
    if field.how is How.SCHEME_PATH:
        scheme, _, path = value.partition("://")
        number = _theirs(field, scheme.lower())
        if number is None:
            return [], f"{scheme[:12]!r} is no scheme of these phones"
        return [line_at(names[0], number), line_at(names[1], path), *beside], ""
    if field.values:
        theirs = _theirs(field, value)
        if theirs is None:
            said = ", ".join(ours for ours, _ in field.values[:12])
            return [], f"these phones know {said}; no other value is known for them"
        return [line_at(names[0], theirs), *beside], ""
    note = ""
    if field.unit != 1 or field.offset or field.least:
        number_ = int(value) // field.unit + field.offset
        if field.unit != 1 and int(value) % field.unit:
            number_ += 1
        if number_ < field.least:
            number_ = field.least
            note = f"the least that these phones know is {field.least * field.unit}"
        value = str(number_)
    return [line_at(names[0], field.form.replace("{}", value)), *beside], note


def _theirs(field: Field, ours: str) -> str | None:
    return next((theirs for mine, theirs in field.values if mine == ours), None)


def _read(field: Field, values: dict[int, str]) -> str | None:
    """Ours; None: it is nothing of ours."""
    first = values.get(0, "")
    if field.how is How.HOST_PORT:
        port = values.get(1, "")
        if not first or port in ("", "0"):
            return first
        return host_port(first, int(port)) if port.isdecimal() else None
    if field.how is How.SCHEME_PATH:
        path = values.get(1, "")
        if not path or "://" in path:
            return path
        scheme = next((o for o, t in field.values if t == first), None)
        return None if scheme is None else f"{scheme}://{path}"
    if first == "":
        return ""
    if field.values:
        return next((o for o, t in field.values if t.lower() == first.lower()), None)
    if field.form != "{}":
        start, _, end = field.form.partition("{}")
        if not first.startswith(start) or not first.endswith(end):
            return None
        return first[len(start) : len(first) - len(end)]
    if field.unit != 1 or field.offset:
        if not first.isdecimal() or not first.isascii() or len(first) > 9:
            return None
        return str((int(first) - field.offset) * field.unit)
    return first


def unsaid(fields: Sequence[Field]) -> list[str]:
    """Terms for which there is no row, in the vocabulary's order."""
    said = {field.term for field in fields}
    return [n for n in TERMS if n not in said and not n.startswith("any.trust.")]
