"""Who a connection counts for, and fair choices among those who hold something.

A *source* is an IPv4 address or an IPv6 /64: what one host can call its own (RFC 4291
§2.5.4, RFC 6177; OpenSSH's ``PerSourceNetBlockSize`` has the same purpose). Whole
offices stand behind one, so a source is never banned: it only comes second where others
have less.

``Crowd`` and ``Turns`` hold members by their source. Every question is answered in
constant time, however many sources there are, since a flood is when they are asked.
Rules: nothing here touches a socket or a clock; chance comes in as ``random.Random``.
"""

import ipaddress
from collections.abc import Iterator
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
    """Members that wait: one source after another has its turn, the newest first.

    Newest first, since behind more than can be served the eldest have given up, and
    since who floods then gains nothing by having come before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._row: dict[str, dict[Member, None]] = {}

    def add(self, member: Member, source: str) -> None:
        """Add a member that is not there."""
        super().add(member, source)
        self._row.setdefault(source, {})[member] = None

    def discard(self, member: Member) -> bool:
        """Take a member out; say whether it was there."""
        seat = self._seat.get(member)
        if seat is None:
            return False
        source = seat[0]
        waiting = self._row[source]
        del waiting[member]
        if not waiting:
            del self._row[source]
        return super().discard(member)

    def take(self) -> Member:
        """Take out whom it is the turn of. Raises StopIteration if nobody waits."""
        source = next(iter(self._row))
        member = next(reversed(self._row[source]))
        self.discard(member)
        if source in self._row:
            self._row[source] = self._row.pop(source)  # at the end of the row
        return member
