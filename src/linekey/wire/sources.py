"""Who a connection counts for, and fair choices among those who hold something.

A *source* is an IPv4 address or an IPv6 /64: what one host can call its own (RFC 4291
§2.5.4, RFC 6177; OpenSSH's ``PerSourceNetBlockSize`` has the same purpose). Whole
offices stand behind one, so a source is never banned: it only comes second where others
have less.

``Crowd`` and ``Turns`` hold members by their source. Every question is answered in
constant time, or that of a heap, however many sources there are, since a flood is when
they are asked.
Rules: nothing here touches a socket or a clock; chance comes in as ``random.Random``.
"""

import ipaddress
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import Generic, TypeVar

IPV6_PREFIX = 64
"""Bits of an IPv6 address that name a source."""

Member = TypeVar("Member")


def source_of(host: str) -> str:
    """Return the source that an address belongs to, as text.

    An IPv4-mapped address (RFC 4291 §2.5.5.2) is the IPv4 one; what is no address, such
    as the empty name of a Unix socket's peer, is a source by itself.
    """
    if ":" not in host:
        return host  # IPv4, as the kernel writes it: one spelling for each
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), IPV6_PREFIX), strict=False))


class Crowd(Generic[Member]):
    """Members in the order in which they came, and by source."""

    def __init__(self) -> None:
        self._seat: dict[Member, tuple[str, int]] = {}  # its source, and where in it
        self._members: dict[str, list[Member]] = {}
        self._by_count: dict[int, dict[str, None]] = {}
        self._most = 0

    def __len__(self) -> int:
        return len(self._seat)

    def __iter__(self) -> Iterator[Member]:
        """The members, in the order in which they came."""
        return iter(self._seat)

    def __contains__(self, member: Member) -> bool:
        return member in self._seat

    def count(self, source: str) -> int:
        """Return how many members a source has."""
        return len(self._members.get(source, ()))

    def add(self, member: Member, source: str) -> None:
        """Add a member that is not there."""
        members = self._members.setdefault(source, [])
        before = len(members)
        self._seat[member] = source, before
        members.append(member)
        self._move(source, before, before + 1)

    def discard(self, member: Member) -> bool:
        """Take a member out; say whether it was there."""
        seat = self._seat.pop(member, None)
        if seat is None:
            return False
        source, at = seat
        members = self._members[source]
        last = members.pop()
        if last is not member:
            members[at] = last
            self._seat[last] = seat
        after = len(members)
        if not after:
            del self._members[source]
        self._move(source, after + 1, after)
        return True

    def _move(self, source: str, before: int, after: int) -> None:
        if before:
            sources = self._by_count[before]
            del sources[source]
            if not sources:
                del self._by_count[before]
        if after:
            self._by_count.setdefault(after, {})[source] = None
        if after > self._most or self._most not in self._by_count:
            self._most = after  # a count changes by one, so this is the next

    def oldest(self) -> Member | None:
        """Return who came first."""
        return next(iter(self._seat), None)

    def heaviest(self) -> tuple[str, int]:
        """Return a source that has most members, and how many; ("", 0) if nobody."""
        if not self._seat:
            return "", 0
        return next(iter(self._by_count[self._most])), self._most

    def any_of(
        self, source: str, chance: Random, *, but: Member | None = None
    ) -> Member:
        """Return one of a source's members, each as likely as the other.

        ``but`` is left out, unless it is the only one.
        """
        members = self._members[source]
        spared = None
        if but is not None and len(members) > 1:
            of, at = self._seat.get(but, ("", 0))
            spared = at if of == source else None
        drawn = chance.randrange(len(members) - (spared is not None))
        if spared is not None and drawn >= spared:
            drawn += 1
        return members[drawn]


class Turns(Crowd[Member]):
    """Members that wait for a turn, and whose is next.

    By turns the one that has waited longest, wherever it comes from, and the eldest of
    the next source: an office of thousands is not kept behind everybody else, and
    thousands from one address delay nobody else's turn by more than one of theirs.
    Who has waited so long that it may have given up comes after all others, the newest
    first: else, with more coming than can be served, each would be served too late.
    """

    def __init__(self) -> None:
        super().__init__()
        self._row: dict[str, dict[Member, None]] = {}
        self._late: dict[Member, None] = {}
        self._numbers: dict[Member, int] = {}
        self._count = 0
        # The eldest of each source, and some that are that no more.
        self._eldest: list[tuple[int, str]] = []
        self._by_age = False

    def add(self, member: Member, source: str) -> None:
        """Add a member that is not there."""
        super().add(member, source)
        self._numbers[member] = self._count
        self._count += 1
        row = self._row.setdefault(source, {})
        row[member] = None
        if len(row) == 1:
            self._note_eldest(source)

    def discard(self, member: Member) -> bool:
        """Take a member out; say whether it was there."""
        seat = self._seat.get(member)
        if seat is None:
            return False
        if member in self._late:
            del self._late[member]
        else:
            self._leave_row(member, seat[0])
        del self._numbers[member]
        return super().discard(member)

    def sources(self) -> Iterator[str]:
        """The sources of who waits and may still be there, the next one first."""
        return iter(self._row)

    def take(
        self, is_late: Callable[[Member], bool], may: Callable[[str], bool]
    ) -> Member:
        """Take out whom it is the turn of; there must be one.

        ``is_late`` says who may have given up: of a source's, the eldest are first.
        ``may`` is false for sources that come only where nobody else waits.
        """
        self._by_age = not self._by_age
        choose = self._eldest_of_all if self._by_age else self._next_source
        member = choose(is_late, may)
        if member is None:  # only such as may not, or are late
            member = choose(is_late, lambda _: True)
        if member is None:
            member = next(reversed(self._late))
        source = self._seat[member][0]
        self.discard(member)
        if source in self._row:
            self._row[source] = self._row.pop(source)  # at the end of the row
        return member

    def _eldest_of_all(
        self, is_late: Callable[[Member], bool], may: Callable[[str], bool]
    ) -> Member | None:
        found, passed = None, []
        while self._eldest and found is None:
            number, source = self._eldest[0]
            first = next(iter(self._row.get(source, ())), None)
            if first is None or self._numbers[first] != number:
                heappop(self._eldest)  # another one is its eldest now
            elif is_late(first):
                self._set_aside(first, source)
            elif may(source):
                found = first
            else:
                passed.append(heappop(self._eldest))
        for entry in passed:
            heappush(self._eldest, entry)
        return found

    def _next_source(
        self, is_late: Callable[[Member], bool], may: Callable[[str], bool]
    ) -> Member | None:
        for _ in range(len(self._row)):
            source = next(iter(self._row), None)
            while source in self._row and is_late(
                first := next(iter(self._row[source]))
            ):
                self._set_aside(first, source)
            if source is None or source not in self._row:
                continue
            if may(source):
                return next(iter(self._row[source]))
            self._row[source] = self._row.pop(source)
        return None

    def _set_aside(self, member: Member, source: str) -> None:
        self._leave_row(member, source)
        self._late[member] = None

    def _leave_row(self, member: Member, source: str) -> None:
        row = self._row[source]
        was_eldest = next(iter(row)) is member
        del row[member]
        if not row:
            del self._row[source]
        elif was_eldest:
            self._note_eldest(source)

    def _note_eldest(self, source: str) -> None:
        first = next(iter(self._row[source]))
        heappush(self._eldest, (self._numbers[first], source))
