"""The report of a check: one value, its JSON form, and its summing up.

The JSON form is the interface that scripts read; it is documented in
``docs/reference/check-json.md`` and carries ``format``. Fields are added, never
renamed, as long as ``format`` stays 1. The terminal table and the HTML page are made
from the same value, so the three never differ.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from linekey.trust.findings import Finding
from linekey.trust.root_age import DEPENDS

FORMAT: Final = 1


class Outcome(StrEnum):
    """What can be true of a phone and a server, never confused."""

    ACCEPTED = "accepted"
    PHONE_REFUSES = "phone_refuses"
    SERVER_REFUSES = "server_refuses"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    """No source tells what the phone supports, or which CAs it has built in."""

    @property
    def words(self) -> str:
        """For people."""
        return _WORDS[self]

    @property
    def mark(self) -> str:
        """One character that tells them apart without colour."""
        return _MARKS[self]


_WORDS: Final = {
    Outcome.ACCEPTED: "accepts",
    Outcome.PHONE_REFUSES: "phone refuses the server",
    Outcome.SERVER_REFUSES: "server refuses the phone",
    Outcome.UNREACHABLE: "server not reached",
    Outcome.UNKNOWN: "unknown",
}
_TOLD: Final = {  # of one class, of several
    Outcome.ACCEPTED: ("accepts", "accept"),
    Outcome.PHONE_REFUSES: ("refuses the server", "refuse the server"),
    Outcome.SERVER_REFUSES: ("is refused by the server", "are refused by the server"),
    Outcome.UNREACHABLE: ("does not reach the server", "do not reach the server"),
    Outcome.UNKNOWN: ("is unknown", "are unknown"),
}
_MARKS: Final = {
    Outcome.ACCEPTED: "✓",
    Outcome.PHONE_REFUSES: "✗",
    Outcome.SERVER_REFUSES: "⊘",
    Outcome.UNREACHABLE: "?",
    Outcome.UNKNOWN: "–",
}

_DOUBTS: Final = {
    DEPENDS: "depends on the firmware's date",
    "phone.server-name": "depends on whether this firmware sends a server name (SNI)",
    "phone.suite-order": "depends on this firmware's order of suites",
    "phone.firmware": "no such firmware is known",
}
"""What makes an outcome uncertain, first what may turn it into another."""
DOUBT_MARK: Final = "±"
_UNKNOWN: Final = ("phone.abilities", "phone.roots")
"""The rules whose findings say why an outcome is unknown."""

FailOn = Literal["refused", "warning"]
"""What makes the exit status 1: refusals alone, or warnings as well."""


@dataclass(frozen=True, slots=True)
class Cure:
    """Something ready to use: ``kind`` is xml, pem, nginx, haproxy, apache, setting."""

    kind: str
    title: str
    text: str
    for_rule: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ClassResult:
    """The answer for one class of phones.

    ``phones`` are (model, firmware) pairs; ``differs`` says what would be different
    with another list of roots, where the firmware's date is not known.
    """

    id: str
    phones: tuple[tuple[str, str], ...]
    hello: dict[str, Any]
    outcome: Outcome
    findings: tuple[Finding, ...]
    negotiated: dict[str, Any] | None = None
    client_certificate: dict[str, Any] | None = None
    alert: str | None = None
    path: tuple[dict[str, str], ...] = ()
    cures: tuple[Cure, ...] = ()
    roots: dict[str, Any] | None = None
    differs: str = ""

    @property
    def failures(self) -> tuple[Finding, ...]:
        """What failed, in the phone's order, refusals and warnings."""
        return tuple(f for f in self.findings if not f.ok and f.severity != "note")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What failed and does not refuse."""
        return tuple(f for f in self.findings if not f.ok and f.severity == "warning")

    @property
    def reason(self) -> str:
        """What the verdict hangs on: the first refusal, else the first warning.

        Where there may be no such phone, or it depends on what is not known of it (its
        date, its hello), that stands before both; where nothing is known, alone.
        """
        for findings in (
            tuple(f for f in self.findings if f.rule in _UNKNOWN and not f.ok)
            if self.outcome is Outcome.UNKNOWN
            else (),
            tuple(
                f
                for rule in _DOUBTS
                for f in self.findings
                if f.rule == rule and not f.ok
            ),
            tuple(f for f in self.findings if f.refuses),
            self.warnings,
        ):
            if findings:
                return findings[0].message
        return "no objection"

    @property
    def doubt(self) -> str:
        """Why the outcome is not certain, in a few words; empty where it is.

        There may be no such firmware, or the outcome depends on its date, or on what is
        inferred of its hello: the server name, the order of the suites.
        """
        failing = {f.rule for f in self.findings if not f.ok}
        return next((w for rule, w in _DOUBTS.items() if rule in failing), "")

    @property
    def words(self) -> str:
        """The outcome for people; where it is not certain, that instead."""
        return self.doubt or self.outcome.words

    @property
    def mark(self) -> str:
        """One character that tells outcomes apart without colour."""
        return DOUBT_MARK if self.doubt else self.outcome.mark

    @property
    def label(self) -> str:
        """The phones in words, shortened: ``D735, D785 · 10.1.20.0``."""
        return phones_in_words(self.phones)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.id,
            "phones": [{"model": m, "firmware": f} for m, f in self.phones],
            "hello": self.hello,
            "outcome": str(self.outcome),
            "doubt": self.doubt,
            "reason": self.reason,
            "alert": self.alert,
            "negotiated": self.negotiated,
            "client_certificate": self.client_certificate,
            "roots": self.roots,
            "differs": self.differs,
            "path": list(self.path),
            "findings": [f.as_dict() for f in self.findings],
            "cures": [c.as_dict() for c in self.cures],
        }


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """One day on which something breaks, and for whom.

    ``kind`` is leaf, intermediate, anchor or vendor_ca; ``breaks`` are the ids of the
    classes that would refuse, or be refused, from that day on.
    """

    day: datetime
    kind: str
    subject: str
    breaks: tuple[str, ...]
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "date": self.day.date().isoformat(),
            "kind": self.kind,
            "subject": self.subject,
            "breaks": list(self.breaks),
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one check found.

    ``target`` describes what was looked at (``kind`` server or chain, and its
    parts); ``checked_at`` is when, ``at`` the date that was judged for, and
    ``phone_clock`` the phones' clock where it was given.
    """

    target: dict[str, Any]
    checked_at: datetime
    at: datetime
    phone_clock: datetime | None
    classes: tuple[ClassResult, ...]
    notes: tuple[str, ...] = ()
    calendar: tuple[CalendarEntry, ...] | None = None
    connections: int = 0
    elapsed_s: float = 0.0
    chain: tuple[dict[str, Any], ...] = ()
    of_fleet: bool = False
    """Each phone of a class is one of the registry: phones are counted, not classes."""

    @property
    def phones(self) -> dict[Outcome, int]:
        """How many phones came to which outcome, every outcome named."""
        counted = Counter[Outcome]()
        for result in self.classes:
            counted[result.outcome] += len(result.phones)
        return {outcome: counted[outcome] for outcome in Outcome}

    def _many(self, results: Sequence[ClassResult]) -> int:
        """How many these are, in what the report counts."""
        return sum(len(r.phones) for r in results) if self.of_fleet else len(results)

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many classes came to which outcome, every outcome named."""
        counted = Counter(c.outcome for c in self.classes)
        return {outcome: counted[outcome] for outcome in Outcome}

    @property
    def title(self) -> str:
        """What was looked at, in a few words."""
        return str(self.target.get("label", ""))

    @property
    def sentence(self) -> str:
        """The whole report in one sentence."""
        total = self._many(self.classes)
        what = "phones" if self.of_fleet else "classes of phones"
        told_of = self.phones if self.of_fleet else self.counts
        counts = {o: n for o, n in told_of.items() if n}
        doubts = self._many([c for c in self.classes if c.doubt])
        unsure = f"; for {doubts:,} of them that is not certain" if doubts else ""
        if counts == {Outcome.ACCEPTED: total}:
            warned = self._many([c for c in self.classes if c.warnings])
            tail = f", {warned:,} of them with warnings" if warned else ""
            if total == 1 and self.classes[0].doubt:
                return f"the phone would accept, but {self.classes[0].doubt}"
            if total == 1:
                return "the phone accepts" + (", with warnings" if warned else "")
            return f"all {total:,} {what} accept{tail}{unsure}"
        if counts == {Outcome.UNKNOWN: total}:
            if len(self.classes) == 1:
                return f"unknown: {self.classes[0].reason}"
            return f"of all {total:,} {what} it is unknown"
        told = ", ".join(f"{n:,} {_TOLD[o][n != 1]}" for o, n in counts.items())
        if total == 1:
            what = "phone" if self.of_fleet else "class of phones"
        return f"of {total:,} {what} {told}{unsure}"

    def exit_code(self, fail_on: FailOn = "refused") -> int:
        """0 every phone accepts, 1 findings or unknown, 3 nothing could be reached.

        A server that some hellos reach and others do not is a finding (1): only
        where none reached it is the answer "could not do it" (3).
        """
        outcomes = {c.outcome for c in self.classes}
        if outcomes == {Outcome.UNREACHABLE}:
            return 3
        if outcomes - {Outcome.ACCEPTED}:
            return 1
        if fail_on == "warning" and any(c.warnings for c in self.classes):
            return 1
        return 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "format": FORMAT,
            "target": self.target,
            "checked_at": self.checked_at.isoformat(),
            "at": self.at.isoformat(),
            "phone_clock": None
            if self.phone_clock is None
            else self.phone_clock.isoformat(),
            "sentence": self.sentence,
            "counts": {str(o): n for o, n in self.counts.items()},
            "phones": {str(o): n for o, n in self.phones.items()}
            if self.of_fleet
            else None,
            "connections": self.connections,
            "elapsed_s": round(self.elapsed_s, 3),
            "chain": list(self.chain),
            "notes": list(self.notes),
            "classes": [c.as_dict() for c in self.classes],
            "calendar": None
            if self.calendar is None
            else [e.as_dict() for e in self.calendar],
        }


def phones_in_words(phones: Sequence[tuple[str, str]], limit: int = 6) -> str:
    """Models by firmware, shortened: ``D735, D785 · 10.1.20.0 and 10.1.33.33``."""
    by_firmware: dict[str, list[str]] = {}
    for model, firmware in phones:
        by_firmware.setdefault(firmware, []).append(model)
    by_models: dict[tuple[str, ...], list[str]] = {}
    for firmware, models in by_firmware.items():
        by_models.setdefault(tuple(models), []).append(firmware)
    parts = []
    for names, firmwares in by_models.items():
        shown = ", ".join(names[:limit])
        if len(names) > limit:
            shown += f" and {len(names) - limit} more"
        parts.append(f"{shown} · {' and '.join(firmwares)}")
    return "; ".join(parts)


def grouped(results: Sequence[ClassResult]) -> list[tuple[ClassResult, ...]]:
    """Classes that say the same, together: each group is one line of the table.

    "The same" is outcome, what was negotiated, and every failure in words.
    """
    groups: dict[tuple[Any, ...], list[ClassResult]] = {}
    for result in results:
        key = (
            result.outcome,
            tuple(f.message for f in result.failures),
            tuple(sorted((result.negotiated or {}).items(), key=str)),
        )
        groups.setdefault(key, []).append(result)
    return [tuple(group) for group in groups.values()]
