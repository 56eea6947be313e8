"""Who fails when: the days on which phones of a fleet stop working, and why.

Two things end. A phone stops **accepting** a server when the path that it proves to one
of its roots ends, or another takes its place that its line of OpenSSL refuses. A server
stops **recognising** a phone when the phone's own certificate, or an authority above
it, ends. The one judge (``PhoneState.verdict_on``) is asked for each kind of phone at
each instant at which its answer can change: the dates of the chain's certificates and
of the roots by which they can be proved. Nothing happens in between.

Rules: every phone is told once a day and cause; phones that do not authenticate
servers accept any, and are counted as such. All instants are by true time. A phone
goes by its own clock: one that has no time yet, or a wrong one, may refuse earlier or
later, which the forecast names as a condition (``CLOCK``) and cannot know.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cached_property
from typing import Any, Final, Literal

from linekey.certs.certificate import Certificate
from linekey.check.classes import Phone
from linekey.said import say, together, words_of
from linekey.tls.policy import choose_key
from linekey.tls.server_key import server_key
from linekey.trust.findings import Finding, Verdict
from linekey.trust.root_age import DEPENDS, difference_of
from linekey.words import counted

DEFAULT_AHEAD: Final = timedelta(days=400)
"""How far ahead: more than the longest life of a public server certificate."""
CLOCK: Final = say(
    "by true time: a phone whose clock is wrong, or not yet set, judges by its own"
)
_TICK: Final = timedelta(seconds=1)
"""To phones, the second of an end is over; linekey's own server counts it in."""


class Says(IntEnum):
    """What a phone says to a server, the worse the greater."""

    ACCEPTS = 0
    UNSURE = 1
    """Accepts with the newest list of roots its firmware may have, not with the
    oldest, or the other way round."""
    REFUSES = 2


@dataclass(frozen=True, slots=True)
class Served:
    """A server by its chain: what phones call it, and what it sends, leaf first.

    ``label`` is what the forecast calls it. ``preferred``: other chains that it sends
    to the phones that can use them, by their hello (``tls.policy.choose_key``).
    """

    label: str
    name: str
    chain: tuple[Certificate, ...]
    preferred: tuple[tuple[Certificate, ...], ...] = ()

    @classmethod
    def of(
        cls, label: str, name: str, chains: Sequence[tuple[Certificate, ...]]
    ) -> "Served":
        """Make one of all its chains: RSA's is for the phones that know no other."""
        *preferred, usual = sorted(chains, key=lambda chain: chain[0].key.kind == "rsa")
        return cls(label, name, usual, tuple(preferred))

    @property
    def chains(self) -> tuple[tuple[Certificate, ...], ...]:
        """All that it sends, the one to be preferred first."""
        return (*self.preferred, self.chain)

    def sent_to(self, phone: Phone) -> tuple[Certificate, ...]:
        """The chain that a phone is sent."""
        if not self.preferred:
            return self.chain
        by_key = {server_key(chain[0]): chain for chain in self.chains}
        choice = choose_key(phone.hello.client_hello, list(by_key))
        return by_key[choice.key] if choice.policy and choice.key else self.chain

    def renewed(
        self, label: str, new: tuple[Certificate, ...], *, beside: bool = False
    ) -> "Served":
        """It with ``new`` in place of its chain for a key of that kind.

        A server with one chain alone has that replaced, whatever the kind, unless it
        shall have ``new`` ``beside`` it.
        """
        if not self.preferred and not beside:
            return Served(label, self.name, new)
        kind = new[0].key.kind
        others = [chain for chain in self.chains if chain[0].key.kind != kind]
        return Served.of(label, self.name, [*others, new])


@dataclass(frozen=True, slots=True)
class Kind:
    """Phones that are alike for any server: one of them, and the MACs of all."""

    phone: Phone
    macs: tuple[str, ...]


Then = Literal["refused", "with factor", "without factor", "accepted"]
"""What becomes of phones when their certificates have ended: refused, as they are
without a second factor where one is needed; or let in, as the operator says."""


@dataclass(frozen=True, slots=True)
class Known:
    """Phones whose certificates end alike: ``path`` is what ends, nearest first.

    ``who`` says which phones, in words. ``condition`` is what is assumed of them, empty
    where their certificates were seen.
    """

    who: str
    macs: tuple[str, ...]
    path: tuple[Certificate, ...]
    not_after: datetime
    """The end of the phones' own certificates; of ``path`` where it is not known."""
    condition: str = ""
    then: Then = "refused"


@dataclass(frozen=True, slots=True)
class Event:
    """One day's change for some phones, by one cause.

    ``kind`` is ``accepts`` (they refuse a server from then on), ``recognised`` (servers
    refuse them from then on), or ``begins`` (they accept from then on). ``at`` is the
    first instant of it; ``models`` are (model, firmware, phones).
    """

    at: datetime
    kind: str
    server: str
    macs: tuple[str, ...]
    cause: str
    cure: str
    rule: str = ""
    condition: str = ""
    models: tuple[tuple[str, str, int], ...] = ()
    is_so: bool = False
    """Nothing changes at ``at``: it is so already then."""

    @property
    def phones(self) -> int:
        """How many."""
        return len(self.macs)

    @property
    def id(self) -> str:
        """A short name that stays while day, cause and phones do."""
        return _short(self.subject_id, *self.macs)

    @property
    def subject_id(self) -> str:
        """One that stays while day and cause do, whatever phones come and go."""
        return _short(
            self.at.isoformat(), self.kind, self.server, self.cause, self.cure,
            self.rule, self.condition,
        )  # fmt: skip

    @property
    def what(self) -> str:
        """What the phones do from then on, in words: ``412 phones …``."""
        one = self.phones == 1
        who = counted(self.phones, "phone")
        if self.kind == "recognised" and self.is_so:
            return f"{who} {'is' if one else 'are'} not recognised any more"
        if self.kind == "recognised":
            return f"{who} {'stops' if one else 'stop'} being recognised"
        unsure = " may" if self.condition else ""
        s = "s" if one and not unsure else ""
        if self.kind == "begins":
            return f"{who}{unsure} begin{s} accepting {self.server}"
        verb = f"refuse{s}" if self.is_so else f"stop{s} accepting"
        return f"{who}{unsure} {verb} {self.server}"

    def as_dict(self, macs: int | None = None) -> dict[str, Any]:
        """For JSON, with so many of its MACs at most."""
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "kind": self.kind,
            "server": self.server or None,
            "phones": self.phones,
            "sentence": self.what,
            "cause": self.cause,
            "cure": self.cure,
            "rule": self.rule or None,
            "condition": self.condition or None,
            "models": [
                {"model": model, "firmware": firmware, "phones": count}
                for model, firmware, count in self.models
            ],
            "macs": list(self.macs[:macs]),
        }


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a new chain changes for the phones, at one instant."""

    server: str
    at: datetime
    lost: tuple[Event, ...]
    gained: tuple[Event, ...]
    kept: int
    """Phones that accept the new one."""

    def as_dict(self, macs: int | None = None) -> dict[str, Any]:
        """For JSON, with so many MACs of each event at most."""
        return {
            "server": self.server,
            "at": self.at.isoformat(),
            "kept": self.kept,
            "lost": [event.as_dict(macs) for event in self.lost],
            "gained": [event.as_dict(macs) for event in self.gained],
        }


@dataclass(frozen=True)
class Forecast:
    """Everything that ends, and what is refused already."""

    made_at: datetime
    until: datetime
    phones: int
    """All active phones of the registry."""
    judged: int
    """Those whose model the catalogue knows, so that it can say what they accept."""
    careless: int
    """Those that authenticate no server."""
    already: tuple[Event, ...]
    events: tuple[Event, ...]
    renewal: Renewal | None = None
    notes: tuple[str, ...] = ()
    unknown: int = 0
    """Those of which nobody knows what they accept: their model, or its TLS."""

    @cached_property
    def ends(self) -> tuple[Event, ...]:
        """What takes something away, in order."""
        return tuple(event for event in self.events if event.kind != "begins")

    @cached_property
    def failing(self) -> int:
        """How many phones lose something until then: each once, whatever it loses.

        What ends of a chain that is not deployed takes nothing away.
        """
        new = None if self.renewal is None else self.renewal.server
        return len({m for e in self.ends if e.server != new for m in e.macs})

    @property
    def exit_code(self) -> int:
        """1: phones fail now or within the horizon, or a renewal loses some."""
        lost = self.renewal is not None and self.renewal.lost
        return int(bool(self.ends or self.already or lost))

    def as_dict(self, macs: int | None = None) -> dict[str, Any]:
        """For JSON, with so many MACs of each event at most; None: all."""
        return {
            "format": 1,
            "made_at": self.made_at.isoformat(),
            "until": self.until.isoformat(),
            "phones": self.phones,
            "judged": self.judged,
            "unknown": self.unknown,
            "failing": self.failing,
            "without_server_authentication": self.careless,
            "condition": CLOCK,
            "already": [event.as_dict(macs) for event in self.already],
            "events": [event.as_dict(macs) for event in self.events],
            "renewal": None if self.renewal is None else self.renewal.as_dict(macs),
            "notes": list(self.notes),
            "words": words_of(self._sentences()),
        }

    def _sentences(self) -> Iterable[str]:
        renewal = self.renewal
        more = () if renewal is None else (*renewal.lost, *renewal.gained)
        for event in (*self.already, *self.events, *more):
            yield from (event.cause, event.cure, event.condition)
        yield from (CLOCK, *self.notes)


def forecast(
    kinds: Sequence[Kind],
    servers: Sequence[Served],
    known: Sequence[Known],
    *,
    now: datetime,
    until: datetime,
    phones: int,
    renewal: Served | None = None,
    roots: Sequence[Certificate] = (),
    notes: Iterable[str] = (),
    unknown: int = 0,
) -> Forecast:
    """Say what ends between ``now`` and ``until`` (both aware).

    ``renewal`` is a chain that shall replace the first server's. ``roots`` only help to
    say what is missing. ``unknown`` phones are in no kind, since nobody knows what they
    accept; what ends of their own certificates is told all the same.
    """
    asked = _Asked(roots)
    already: list[Event] = []
    events: list[Event] = []
    for served in (*servers, *((renewal,) if renewal else ())):
        for kind in kinds:
            before = asked.at(kind, served, now)
            if before.says is not Says.ACCEPTS and served is not renewal:
                told = _event(now, "accepts", kind, served, before)
                already.append(replace(told, is_so=True))
            for at in _instants(kind, served, now, until):
                after = asked.at(kind, served, at)
                if after.says is not before.says:
                    how = "accepts" if after.says > before.says else "begins"
                    said = after if how == "accepts" else before
                    event = _event(at, how, kind, served, said)
                    events.append(replace(event, cause=_cause(event, served, kind)))
                before = after
    for group in known:
        if group.then in ("with factor", "accepted"):
            continue  # a note of theirs (``after_end.notes_of``)
        if group.not_after < now:
            already.append(replace(_unrecognised(group, now), is_so=True))
        elif group.not_after < until:
            events.append(_unrecognised(group, group.not_after + _TICK))
    careless = [k for k in kinds if not k.phone.state.authenticates_servers]
    return Forecast(
        now,
        until,
        phones,
        sum(len(kind.macs) for kind in kinds),
        sum(len(kind.macs) for kind in careless),
        _merged(already),
        _merged(events),
        None if renewal is None else _renewed(kinds, servers, renewal, asked, now),
        tuple(notes),
        unknown,
    )


@dataclass(frozen=True, slots=True)
class _Word:
    """What one kind of phone says at one instant."""

    says: Says
    finding: Finding | None


class _Asked:
    """The judge's answers, each asked for once."""

    def __init__(self, roots: Sequence[Certificate]) -> None:
        self._roots = roots
        self._words: dict[tuple[int, int, datetime], _Word] = {}

    def at(self, kind: Kind, served: Served, at: datetime) -> _Word:
        key = (id(kind), id(served), at)
        if key not in self._words:
            verdict = kind.phone.state.verdict_on(
                served.sent_to(kind.phone), served.name, at, known=self._roots
            )
            self._words[key] = _word(verdict)
        return self._words[key]


def _word(verdict: Verdict) -> _Word:
    unsure = difference_of(verdict)
    if unsure is not None and unsure.rule == DEPENDS:
        return _Word(Says.UNSURE, unsure)
    if verdict.accepted:
        return _Word(Says.ACCEPTS, None)
    return _Word(Says.REFUSES, next(f for f in verdict.findings if f.refuses))


def _instants(
    kind: Kind, served: Served, now: datetime, until: datetime
) -> list[datetime]:
    """When the answer can change: dates begin, dates end."""
    found = {
        date
        for certificate in _possible(kind, served)
        for date in (certificate.not_before, certificate.not_after)
    }
    return sorted(at for at in found if now < at <= until)


def _possible(kind: Kind, served: Served) -> list[Certificate]:
    """The chain, and what of the phone's store can stand above any of it, by name."""
    state = kind.phone.state
    store = [*state.trust.anchors, *(state.older_trust or state.trust).anchors]
    by_name: dict[object, list[Certificate]] = {}
    for anchor in store:
        by_name.setdefault(anchor.subject.canonical, []).append(anchor)
    sent = served.sent_to(kind.phone)
    found = dict.fromkeys(sent)
    waiting = list(sent)
    while waiting:
        for above in by_name.get(waiting.pop().issuer.canonical, ()):
            if above not in found:
                found[above] = None
                waiting.append(above)
    return list(found)


def _cause(event: Event, served: Served, kind: Kind) -> str:
    """What ends or begins at that instant, in words, before what the phone says."""
    turns = []
    for certificate in _possible(kind, served):
        if event.at == certificate.not_after:
            turns.append(say("%(certificate)s expires", certificate=certificate.label))
        elif event.at == certificate.not_before:
            turns.append(
                say("%(certificate)s becomes valid", certificate=certificate.label)
            )
    if not turns:
        return event.cause
    what = together(dict.fromkeys(turns))
    if event.kind == "begins" or event.rule == "chain.expired":
        return what  # the finding says no more, and as of then
    return say("%(what)s: %(why)s", what=what, why=event.cause)


def _event(at: datetime, how: str, kind: Kind, served: Served, word: _Word) -> Event:
    finding = word.finding
    model, firmware = kind.phone.profile.model.name, str(kind.phone.profile.firmware)
    return Event(
        at,
        how,
        served.label,
        kind.macs,
        finding.message if finding else say("the chain is accepted"),
        finding.cure if finding else "",
        finding.rule if finding else "",
        say("depends on the firmware's date") if word.says is Says.UNSURE else "",
        ((model, firmware, len(kind.macs)),),
    )


def what_ends(group: Known) -> str:
    """Which CAs end a group's path; empty: none, so the phones' own certificates."""
    ended = [c.label for c in group.path if c.not_after == group.not_after]
    return together(ended) if ended else ""


def _unrecognised(group: Known, at: datetime) -> Event:
    ended = what_ends(group)
    if group.then == "without factor":
        cure = say(
            "they are accepted after that with a second factor only, and have no HTTP "
            "password: linekey device set MAC --digest USER gives one"
        )
    elif ended:
        cure = say(
            "import the maker's renewed CA with linekey trust add; if there is none, "
            "linekey trust set --expired says what these phones get after that"
        )
    else:
        cure = say(
            "ask the phones' maker for renewed certificates; until then linekey trust "
            "set --expired says what these phones get"
        )
    return Event(
        at,
        "recognised",
        "",
        group.macs,
        say("%(certificate)s expires (%(who)s)", certificate=ended, who=group.who)
        if ended
        else say("their own certificates expire (%(who)s)", who=group.who),
        cure,
        "",
        group.condition,
    )


def _merged(events: Iterable[Event]) -> tuple[Event, ...]:
    """Events of one instant and cause as one, in order of time and size."""
    groups: dict[tuple[object, ...], list[Event]] = {}
    for event in events:
        key = (
            event.at, event.kind, event.server, event.cause, event.cure, event.rule,
            event.condition,
        )  # fmt: skip
        groups.setdefault(key, []).append(event)
    found = []
    for group in groups.values():
        counts: dict[tuple[str, str], int] = {}
        for event in group:
            for model, firmware, count in event.models:
                pair = (model, firmware)
                counts[pair] = counts.get(pair, 0) + count
        found.append(
            replace(
                group[0],
                macs=tuple(sorted(mac for event in group for mac in event.macs)),
                models=tuple((*pair, n) for pair, n in sorted(counts.items())),
            )
        )
    return tuple(sorted(found, key=lambda e: (e.at, -e.phones, e.kind, e.cause)))


def _renewed(
    kinds: Sequence[Kind],
    servers: Sequence[Served],
    renewal: Served,
    asked: _Asked,
    now: datetime,
) -> Renewal:
    """Compare what phones say to the present chain and to the new one.

    It is judged as of now, or of the new chain's first day where that is to come.
    """
    at = max([now, *(c.not_before for c in renewal.chain[:1])])
    lost, gained, kept = [], [], 0
    for kind in kinds:
        new = asked.at(kind, renewal, at)
        old = asked.at(kind, servers[0], now) if servers else _Word(Says.ACCEPTS, None)
        if new.says is Says.ACCEPTS:
            kept += len(kind.macs)
        if new.says > old.says:
            told = _event(at, "accepts", kind, renewal, new)
            lost.append(replace(told, is_so=True))
        elif new.says < old.says:
            gained.append(_event(at, "begins", kind, renewal, old))
    return Renewal(renewal.label, at, _merged(lost), _merged(gained), kept)


def known_by_record(
    phones: Mapping[tuple[str, str | None], tuple[str, ...]],
    authorities: Mapping[tuple[str, str | None], Sequence[tuple[Certificate, ...]]],
) -> list[Known]:
    """What ends for phones whose certificates nobody saw, by vendor and generation.

    ``authorities`` are the trusted paths by which such phones can be recognised, each
    from the issuing CA to its root. Where several can be, a phone is recognised at
    least until the first of them ends, which is told with that condition.
    """
    found = []
    for (vendor, generation), macs in phones.items():
        paths = [
            path
            for (whose, which), several in authorities.items()
            if whose == vendor and (generation is None or which in (None, generation))
            for path in several
        ]
        if not paths:
            continue
        path = min(paths, key=end_of)
        who = (
            say(
                "%(vendor)s, generation %(generation)s",
                vendor=vendor,
                generation=generation,
            )
            if generation
            else vendor
        )
        condition = say("their certificates were not seen yet")
        if len(paths) > 1:
            condition = say(
                "their certificates were not seen yet; one of %(count)s authorities "
                "issued them",
                count=len(paths),
            )
        found.append(Known(who, macs, path, end_of(path), condition))
    return found


def _short(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def end_of(path: Sequence[Certificate]) -> datetime:
    """When the first of a path's certificates ends."""
    return min(certificate.not_after for certificate in path)
