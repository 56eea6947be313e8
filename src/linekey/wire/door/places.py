"""Who holds what at the door, and who gives way: decisions only, on counts and ages.

A connection has one *place* at a time:

    silent      no whole ClientHello yet, whether nothing came or it drips; this is
                cheap: a descriptor and 3 KiB, measured with 3,400
    turns       its ClientHello is whole, and it waits for one of the
                ``limits.half_open`` places in the next row; at the limit of all
                connections these give way like silent ones
    handshakes  from there to the handshake's end: the costly ones
    asking      the handshake is over, no whole request is here yet
    answering   (kept by nobody here: a whole request is here)
    idle        answered, and no next request has begun
    ending      all is said; what still comes is thrown away

Rules. A *source* (``wire.sources``) that holds less than its share,
``limits.half_open_per_source``, never waits behind one that holds more: it is before it
in the row (``wire.sources.Turns``), and where one of those that hold more keeps its
handshake waiting, that one is closed for it. A handshake that goes on is never closed
for another: its signature is paid. What nobody else needs, any source may have: a whole
office stands behind one address. Silent ones are cheap and may be many; above
``limits.half_open`` of them those go that are older than ``limits.shed_after_s``, all
at once, and with a probability that rises to 1 at ``limits.connections`` a newcomer
costs its source one of its silent ones (random early drop, as OpenSSH's MaxStartups
and PerSourceMaxStartups). Nobody is banned. Each worker counts for itself.
"""

from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any, Protocol

from linekey.settings import LimitSettings
from linekey.wire.sources import Crowd, Turns

STALLED_S = 2.0
"""A handshake has stalled after so many seconds without a byte: an RSA-1024 phone of
2008 signs in about one second, and may be far away."""
STALLED_FACTOR = 2
"""For others of its own source it goes after so many times ``shed_after_s``."""
_LOOKED_AT = 16  # the eldest handshakes, for each that comes; the sweep sees all
_RECALLED = 16  # at most, in one sweep


class Placed(Protocol):
    """What is asked of a connection."""

    source: str
    since: float
    """When it was accepted, in seconds of the loop's clock."""
    heard: float
    """When the last byte came."""
    place: "Place | None"
    """Where it is; ``Places.put`` sets it, and nobody else."""

    @property
    def has_sent(self) -> bool:
        """Whether bytes of the peer wait to be read: it is not the peer who is late."""


class Place(Protocol):
    """One row of the table above."""

    def add(self, member: Any, source: str) -> None:
        """Add a member that is not there."""

    def discard(self, member: Any) -> bool:
        """Take a member out; say whether it was there."""


class Places:
    """The door's connections by place. Members are ``Placed``, compared by identity."""

    def __init__(self, limits: LimitSettings, chance: Random) -> None:
        self.limits = limits
        self.silent: Crowd[Placed] = Crowd()
        self.turns: Turns[Placed] = Turns()
        self.handshakes: Crowd[Placed] = Crowd()
        self.asking: Crowd[Placed] = Crowd()
        self.idle: Crowd[Placed] = Crowd()
        self.ending: Crowd[Placed] = Crowd()
        self._chance = chance
        self.slots = min(limits.half_open, max(1, limits.connections // 2))
        """Handshakes at once; never all connections, so that somebody can give way."""
        self.share = min(limits.half_open_per_source, max(1, self.slots // 2))
        """Handshakes, and silent ones, of a source that nobody else can ask back."""

    def put(self, member: Placed, place: Place | None) -> None:
        """Move a member; None: it is answered now, or has ended."""
        if member.place is not None:
            member.place.discard(member)
        member.place = place
        if place is not None:
            place.add(member, member.source)

    # Decisions

    @property
    def has_slot(self) -> bool:
        """Whether one more handshake may begin."""
        return len(self.handshakes) < self.slots

    @property
    def is_crowded(self) -> bool:
        """Whether silent ones are too many to be let sit."""
        return len(self.silent) > self.limits.half_open

    def early_drop(self, newcomer: Placed) -> Placed | None:
        """Say who goes because one more of its source came: as a rule nobody.

        Never the newcomer: a phone's first bytes may be on their way.
        """
        source = newcomer.source
        start, full = self.limits.half_open, self.limits.connections
        beyond = len(self.silent) - start
        if beyond <= 0 or self.silent.count(source) <= self.share:
            return None
        if self._chance.random() * max(1, full - start) >= beyond:
            return None
        return self.silent.any_of(source, self._chance, but=newcomer)

    def giving_way(self, newcomer: Placed | None = None) -> Placed | None:
        """Say who goes when all connections are taken; None if nobody may be sent."""
        if self.ending:
            return self.ending.oldest()
        if self.is_crowded:
            return self._any_of_heaviest(self.silent, newcomer)
        if len(self.turns) > self.limits.half_open:
            return self._any_of_heaviest(self.turns)
        if self.idle:
            return self.idle.oldest()
        much = min(self.share, max(1, self.limits.connections // 4))
        for place in (self.asking, self.silent, self.turns):
            if place.heaviest()[1] > much:
                return self._any_of_heaviest(place, newcomer)
        return None

    def next_turn(self, now: float) -> Placed:
        """Take out whose turn it is; somebody must wait. ``now`` is the loop's."""
        old = now - self.limits.handshake_s
        return self.turns.take(
            lambda member: member.since <= old,
            lambda source: self.handshakes.count(source) < self.share,
        )

    def recalled_for(self, source: str, now: float) -> Placed | None:
        """Say whose handshake ends so that one of ``source`` can begin, if anybody's.

        For a source within its share one that has stalled, of a source beyond its own.
        """
        if self.handshakes.count(source) >= self.share:
            return None
        return next(self._stalled(now - STALLED_S, _LOOKED_AT), None)

    def recalled(self, now: float) -> Iterator[Placed]:
        """Yield those whose handshakes end for sources that wait within their shares,
        one for each."""
        waiting = list(islice(self.turns.sources(), _RECALLED))
        within = sum(self.handshakes.count(source) < self.share for source in waiting)
        if within and not self.has_slot:
            stalled = self._stalled(now - STALLED_S, len(self.handshakes))
            yield from islice(stalled, within)

    def _stalled(self, since: float, most: int) -> Iterator[Placed]:
        """Of so many eldest handshakes those of sources beyond their share whose peer
        has kept them waiting ``since`` then."""
        if self.handshakes.heaviest()[1] <= self.share:
            return
        for member in list(islice(self.handshakes, most)):
            beyond = self.handshakes.count(member.source) > self.share
            if beyond and member.heard <= since and not member.has_sent:
                yield member

    def overdue(self, now: float, *, full: bool) -> Iterator[Placed]:
        """Yield all that go now because they kept others waiting for too long.

        ``full``: all connections are taken. The clock's ``now`` is the loop's.
        """
        if full or self.is_crowded:
            old = now - self.limits.shed_after_s
            for member in list(self.silent):
                if member.since > old:
                    break
                if not member.has_sent:  # what a busy loop has not read is no silence
                    yield member
        if self.turns:
            old = now - STALLED_FACTOR * self.limits.shed_after_s
            yield from self._stalled(old, len(self.handshakes))

    def _any_of_heaviest(
        self, place: Crowd[Placed], newcomer: Placed | None = None
    ) -> Placed:
        return place.any_of(place.heaviest()[0], self._chance, but=newcomer)
