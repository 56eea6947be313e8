"""A maker of phones: everything that server, phone, check and lint need of it.

What differs from maker to maker is in the maker's own folder; what is done with it is
here, once. ``Maker.lines_of`` writes terms, ``Maker.trust_lines`` what makes the phone
verify servers, and ``Maker.weakens`` says which lines of anybody's would switch that
off: what linekey renders has none of them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final, Literal

from linekey.catalog.evidence import Confidence
from linekey.catalog.models import Model
from linekey.makers.grammar import Grammar, Line
from linekey.makers.mapping import Field, Map, name_at
from linekey.makers.terms import problem_of


class FileKind(StrEnum):
    """What a name that a phone asks for is."""

    OWN = "own"
    """The phone's own configuration: accounts, passwords."""
    MASTER = "master"
    """Says which further files to fetch."""
    COMMON = "common"
    """For every phone, or every one of a model; without secrets."""
    LOCAL = "local"
    """What the phone itself wrote there before: its user's changes."""
    PACKED = "packed"
    """A binary form that linekey does not write; nothing is there."""


@dataclass(frozen=True, slots=True)
class FileName:
    """One name that a phone asks for."""

    pattern: str
    """With ``{mac}``, ``{model}`` or ``{number}``: ``{mac}.cfg``."""
    kind: FileKind
    source: str
    confidence: Confidence
    served: bool = True
    """Whether linekey has something under it; else nothing is there (404), and the
    phone goes on to the next."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that the phone sends to the server."""

    pattern: str
    method: str
    source: str
    confidence: Confidence
    note: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Ca:
    """A CA that the phone has to trust: its PEM, and a URL of its DER."""

    pem: str
    url: str = ""
    sha256: str = ""

    def __repr__(self) -> str:
        return f"Ca({self.sha256})"


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """What the trust settings of a maker are to say."""

    cas: tuple[Ca, ...] = ()
    min_tls: str = ""
    """``1.2``; empty: the phone's own default stays."""
    accounts: tuple[int, ...] = ()
    """The accounts that are set, for makers that verify account by account."""
    asks: bool = False
    """Whether the file says where the phone asks for it; then it asks nobody else."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A setting that can weaken the phone's verification of servers."""

    pattern: str
    """Regular expression for the whole name."""
    safe: frozenset[str]
    """Values, in lower case, that keep it on."""
    why: str
    """What any other value does, one clause."""
    source: str
    confidence: Confidence
    reset: bool = False
    """Whether an empty value weakens too: it sets the maker's default back, off."""
    checks: Literal["chain", "name"] = "chain"
    """What it guards: that the chain is proved, or that it has the server's name."""


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A setting of the maker's that linekey knows beside its map."""

    pattern: str
    """Regular expression for the whole name."""
    secret: bool
    meaning: str
    source: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement about the maker's phones, for its page."""

    statement: str
    source: str
    confidence: Confidence


TrustLines = Callable[[TrustSettings], tuple[list[Line], list[str]]]
OwnLines = Callable[[Sequence[Line]], tuple[list[Line], list[str], list[Line]]]


def _nothing_own(terms: Sequence[Line]) -> tuple[list[Line], list[str], list[Line]]:
    return [], [], list(terms)


@dataclass(frozen=True)
class Maker:
    """One maker. See the module."""

    id: str
    title: str
    ouis: tuple[tuple[str, Confidence], ...]
    """First six digits of its phones' MACs, in upper case. A hint, never evidence."""
    grammars: tuple[Grammar, ...]
    """The first is what linekey writes."""
    files: tuple[FileName, ...]
    """In the order of the requests."""
    user_agents: tuple[str, ...]
    """With ``{model}``, ``{firmware}``, ``{mac}``, ``{mac_colons}``; usual first."""
    models: tuple[Model, ...]
    map: Map = field(default_factory=lambda: Map(()))
    guards: tuple[Guard, ...] = ()
    known: tuple[KnownRow, ...] = ()
    uploads: tuple[Upload, ...] = ()
    facts: tuple[Fact, ...] = ()
    unknown: tuple[str, ...] = ()
    """What no source tells, a clause each."""
    sources: tuple[str, ...] = ()
    trust: TrustLines | None = None
    """None: as Snom, whose firmware verifies by itself."""
    trust_source: str = ""
    trust_confidence: Confidence = "L"
    own: OwnLines = _nothing_own
    """Terms that rows cannot say: lines, notes, and the terms that are left."""
    own_read: Callable[[Sequence[Line]], tuple[list[Line], list[Line]]] | None = None
    """The same, backwards: terms, and the lines that are left."""
    translate: Callable[[Line], Line] = lambda line: line
    """A setting as the operator wrote it, in the form that is written."""
    repeated: frozenset[str] = frozenset()
    """Names that may stand several times, each adding to the others."""
    cas_add_up: bool = True
    """Whether CAs that a phone is given count beside those that it has built in."""
    snom_like: bool = False
    """Whether it reads Snom's own files and settings."""

    @property
    def grammar(self) -> Grammar:
        """What linekey writes."""
        return self.grammars[0]

    def kind_of(self, pattern: str) -> FileKind | None:
        """What a name is that its phones ask for; None: they ask for no such."""
        return next((f.kind for f in self.files if f.pattern == pattern), None)

    @cached_property
    def _known(self) -> tuple[tuple[re.Pattern[str], KnownRow], ...]:
        return tuple((re.compile(k.pattern, re.ASCII), k) for k in self.known)

    @cached_property
    def _guards(self) -> tuple[tuple[re.Pattern[str], Guard], ...]:
        flags = re.ASCII | re.IGNORECASE
        return tuple((re.compile(g.pattern, flags), g) for g in self.guards)

    @cached_property
    def _mapped(self) -> tuple[tuple[re.Pattern[str], Field], ...]:
        found = []
        for row in self.map.fields:
            for name in (*row.names, *(n for n, _ in row.with_it)):
                pattern = re.escape(name).replace(r"\{n\}", "[0-9]{1,3}")
                found.append((re.compile(pattern, re.ASCII), row))
        return tuple(found)

    def lines_of(self, terms: Sequence[Line]) -> tuple[list[Line], list[str]]:
        """Write neutral terms as this maker's lines, and what it cannot say."""
        good: list[Line] = []
        odd: list[str] = []
        for term in terms:
            if problem := problem_of(term.name, term.idx, term.value):
                odd.append(f"{name_at(term)}: {problem}")
            else:
                good.append(term)
        lines, notes, rest = self.own(good)
        more, further = self.map.lines_of(rest)
        return more + lines, odd + further + notes

    def terms_of(self, lines: Iterable[Line]) -> tuple[list[Line], list[Line]]:
        """Read this maker's lines as neutral terms; and the lines that are none."""
        kept = list(lines)
        first: list[Line] = []
        if self.own_read is not None:
            first, kept = self.own_read(kept)
        terms, rest = self.map.terms_of(kept)
        return terms + first, rest

    def trust_lines(self, trust: TrustSettings) -> tuple[list[Line], list[str]]:
        """Lines that have the phone verify servers, with the CAs to trust; notes."""
        return ([], []) if self.trust is None else self.trust(trust)

    def guard_broken_by(self, line: Line) -> Guard | None:
        """The guard that a line switches off; None: it weakens nothing."""
        for pattern, guard in self._guards:
            if pattern.fullmatch(line.name):
                value = line.value.strip().lower()
                if value == "" and not guard.reset:
                    continue
                if value not in guard.safe:
                    return guard
        return None

    def weakens(self, line: Line) -> str:
        """Why a line weakens the phone's verification, a clause; empty: it does not."""
        guard = self.guard_broken_by(line)
        return "" if guard is None else guard.why

    def knows(self, name: str) -> bool:
        """Whether linekey knows a setting of this name."""
        return (
            any(p.fullmatch(name) for p, _ in self._known)
            or any(p.fullmatch(name) for p, _ in self._guards)
            or any(p.fullmatch(name) for p, _ in self._mapped)
        )

    def is_address(self, name: str) -> bool:
        """Whether a setting of this name says where the phone asks for its file."""
        return any(
            pattern.fullmatch(name) and row.term == "any.provisioning.url"
            for pattern, row in self._mapped
        )

    def is_secret(self, name: str) -> bool | None:
        """Whether a setting of this name is a secret; None: it is not known."""
        for pattern, row in self._known:
            if pattern.fullmatch(name):
                return row.secret
        for pattern, mapped in self._mapped:
            if pattern.fullmatch(name):
                return mapped.term in SECRET_TERMS
        return False if any(p.fullmatch(name) for p, _ in self._guards) else None


SECRET_TERMS: Final = frozenset(
    {"any.account.password", "any.directory.password"}
    | {"any.provisioning.password", "any.admin.password"}
)


def language_field(
    name: str, values: Mapping[str, str], source: str, confidence: Confidence
) -> Field:
    """A row for ``any.language``."""
    return Field(
        term="any.language", names=(name,), values=tuple(values.items()),
        source=source, confidence=confidence,
    )  # fmt: skip
