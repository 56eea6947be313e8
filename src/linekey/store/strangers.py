"""What a stranger's refusals cost: a line each, or one line that counts them.

Whoever reaches the port can be refused a thousand times a second, so what is kept of
that has a bound that no name, certificate or address a stranger makes up can lift:

- **Counted.** A refusal that is about no phone joins the line of its network, reason
  and minute: a count, the first and the last time, and the first one whole. Networks
  beyond ``NETWORKS_A_MINUTE`` are counted together as ``ELSEWHERE``, by reason.
- **A line of its own**, where a phone is concerned: its certificate was proved, or a
  registered MAC was claimed. The first of each phone and day always; more up to
  ``LogSettings.refused_lines_each``, while all of them together are no more than
  ``LogSettings.refused_lines``; what is beyond is counted.
- **Counted, too**: names that phones ask for and that nothing is under. A phone asks
  for several each time it starts, and does without; such a line is nobody's.
- What was handed out, and whether a one-time token was good, always has its own line.
  A waiting file is as a refusal: it tells nobody anything, and anybody with a phone's
  certificate can ask for it all day.

Rule: nothing here asks the database; ``decision_log`` does, and hands in what it said.
"""

import ipaddress
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from linekey.provisioning.decision import Reason
from linekey.store.decisions import LogEntry
from linekey.store.schema import to_us

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
NETWORKS_A_MINUTE = 256
"""Lines that strangers' networks may begin in one minute, in each process."""
ELSEWHERE = "elsewhere"
"""Stands for the networks beyond that."""
UNKNOWN = "unknown"
"""Stands for a peer without an IP address, such as one on a Unix socket."""
IPV4_BITS, IPV6_BITS = 24, 56
"""What is one network: BIND's response rate limiting has the same two (BIND 9
reference manual, ``rate-limit``: ipv4-prefix-length 24, ipv6-prefix-length 56); a
site usually gets a /56 or a /48 (RFC 6177 §2)."""

_FOR_ANYBODY = frozenset(
    {Reason.COMMON_FILE.value, Reason.CERTIFICATE_FILE.value, Reason.WAITING.value}
)
ALL = ""
"""Who stands for all phones in the day's numbers."""


@lru_cache(maxsize=4096)
def network_of(peer: str) -> str:
    """The network of an address: an IPv4 /24 or an IPv6 /56."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    bits = IPV4_BITS if address.version == 4 else IPV6_BITS
    return str(ipaddress.ip_network((address, bits), strict=False))


def is_kept_whole(entry: LogEntry) -> bool:
    """Whether this line is kept whatever else is on record: a file was handed out."""
    nothing = entry.outcome in ("refused", "absent")
    return not nothing and entry.reason not in _FOR_ANYBODY


def phone_of(entry: LogEntry) -> str | None:
    """Which phone a refusal is about: ``p`` and a proved MAC, ``c`` and a claimed one.

    The two have numbers of their own, so that who claims a MAC cannot use up what is
    kept of the phone itself.
    """
    if entry.mac is not None:
        return f"p{entry.mac.digits}"
    return None if entry.target_mac is None else f"c{entry.target_mac.digits}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Lines of their own that refusals of one phone on one day ask for."""

    day: int
    who: str
    entries: tuple[LogEntry, ...]


def by_phone(
    entries: Iterable[LogEntry], registered: Collection[str]
) -> tuple[list[LogEntry], list[Wanted], list[LogEntry]]:
    """Sort into lines that are kept, lines that phones ask for, and what is counted.

    ``registered`` are the MACs, as digits, that have a record.
    """
    kept: list[LogEntry] = []
    counted: list[LogEntry] = []
    asked: dict[tuple[int, str], list[LogEntry]] = {}
    for entry in entries:
        who = phone_of(entry)
        known = who is not None and who[1:] in registered
        if entry.outcome == "absent":
            counted.append(replace(entry, mac=None, target_mac=None))
        elif known and entry.outcome != "refused":
            kept.append(entry)
        elif who is None or not (known or entry.mac is not None):
            counted.append(entry)
        else:
            asked.setdefault((to_us(entry.at) // DAY_US, who), []).append(entry)
    # In one order everywhere, so that two servers never wait for each other's rows.
    wanted = [Wanted(*key, tuple(asked[key])) for key in sorted(asked)]
    return kept, wanted, counted


def own_lines(
    wanted: Wanted, before: int, each: int
) -> tuple[tuple[LogEntry, ...], tuple[LogEntry, ...], tuple[LogEntry, ...]]:
    """Split what one phone asks for: always, if all together allow it, and counted.

    ``before`` is how many refusals of that phone and day there were already.
    """
    first = wanted.entries[: 1 if before == 0 else 0]
    rest = wanted.entries[len(first) :]
    more = max(0, each - max(before, 1))
    return first, rest[:more], rest[more:]


Key = tuple[int, str, str, str]
"""Minute, network, kind and reason of a counted line."""


@dataclass(slots=True)
class Sum:
    """One counted line: its first entry, how often, and when last."""

    first: LogEntry
    times: int = 0
    last_at: int = 0


@dataclass(slots=True)
class Minute:
    """Which counted lines this process began in the current minute."""

    minute: int = -1
    keys: set[Key] = field(default_factory=set)
    begun: int = 0
    """Lines begun since somebody last looked, in all minutes."""

    def sums(self, entries: Iterable[LogEntry]) -> Iterator[tuple[Key, Sum]]:
        """Add entries up; the lines come in the order of their keys."""
        found: dict[Key, Sum] = {}
        for entry in entries:
            at = to_us(entry.at)
            line = found.setdefault(self._key(entry, at // MINUTE_US), Sum(entry))
            line.times += 1
            line.last_at = max(line.last_at, at)
        yield from sorted(found.items(), key=lambda item: item[0])

    def _key(self, entry: LogEntry, minute: int) -> Key:
        if minute != self.minute:
            self.minute = minute
            self.keys.clear()
        key = (minute, network_of(entry.peer), entry.kind, entry.reason)
        if key in self.keys:
            return key
        if len(self.keys) >= NETWORKS_A_MINUTE:
            key = (minute, ELSEWHERE, entry.kind, entry.reason)
        if key not in self.keys:
            self.keys.add(key)
            self.begun += 1
        return key
