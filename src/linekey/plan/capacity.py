"""From a fleet and what a request costs to servers, memory and rows in the database.

Theory of operation. After a power cut all phones come within some time, by chance in
it, each with some connections one after the other. HAProxy gives each source of phones
one server (``balance source``), not quite evenly, and one server may be down. So one
server is simulated with the largest share that it is to bear, and the number of servers
is raised until 99 of 100 connections wait no longer than they may.

Rules: what is assumed is in ``Fleet`` with its reason, and told with the plan; what is
measured is in ``Costs``. The same input gives the same plan: chance is seeded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random

from linekey.errors import InputError
from linekey.plan.costs import Costs
from linekey.plan.queueing import Outcome, simulate

MOST_PHONES = 1_000_000
MOST_SERVERS = 1_000
MOST_CONNECTIONS = 20
MOST_SIMULATED = 4_000_000
"""Connections of all phones: some 10 s of simulation a million, where one server is to
bear them all."""
MOST_ASKS_A_DAY = 86_400.0
"""One a second."""
MOST_KEPT_DAYS = 36_500
"""A hundred years."""
_SEED = 20_080_501
SHARE = 0.99
"""Of the connections, how many are not to wait longer."""
_MIB = 1024
_KEPT_WHOLE, _KEPT_KIB = 4_096, 15.0
"""Phones whose certificate, record and file a worker keeps, and KiB for each."""
_KNOWN, _KNOWN_KIB = 65_536, 5.0
"""Phones whose identity it keeps, and KiB for each beyond those. Measured with
``bench.avalanche``'s phones on one worker: 13, 33, 58 and 88 MiB more after 300, 1,500,
4,000 and 10,000 of them."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is asked for, and what is assumed where nobody said."""

    phones: int
    within_s: float
    """Time in which all of them come once, after a power cut."""
    wait_s: float = 5.0
    """How long 99 of 100 connections may wait for a worker: a phone that boots gives
    up after some ten seconds or more."""
    connections: int = 2
    """Of each phone that boots, one after the other: its file, and one more."""
    resumed: float = 0.0
    """Share of the connections after the first that resume a session. 0 is the safe
    side; with one worker a server and ``balance source`` it is near 1."""
    think_s: float = 0.5
    """Between an answer and the phone's next connection."""
    cores: int = 4
    """Of each server; a worker on each."""
    spare: int = 1
    """Servers that may be down at that moment."""
    uneven: float = 0.25
    """How much more than its share a server may get, since whole offices go to one."""
    keep_alive_s: float = 15.0
    """How long a connection stays open after its answer (``limits.keep_alive_s``)."""
    asks_a_day: float = 2.0
    """Requests of a phone on an ordinary day: each is a row."""
    keep_days: int = 90
    """How long rows are kept (``log.keep_days``)."""

    @property
    def simulated(self) -> int:
        """Connections of all phones, after one power cut."""
        return self.phones * self.connections

    def check(self) -> None:
        """Refuse what cannot be. Raises InputError."""
        for what, value, most in (
            ("phones", self.phones, MOST_PHONES),
            ("connections", self.connections, MOST_CONNECTIONS),
            ("cores", self.cores, 256),
            ("connections of all phones", self.simulated, MOST_SIMULATED),
        ):
            if not 1 <= value <= most:
                raise InputError(
                    f"{what}: {value:,} is not between 1 and {most:,}",
                    hint="plan for one site at a time, if there are more",
                )
        if not 0 <= self.asks_a_day <= MOST_ASKS_A_DAY:
            raise InputError(
                f"requests a day: {self.asks_a_day:g} is not between 0 and "
                f"{MOST_ASKS_A_DAY:,.0f}",
                hint="give the mean of a phone: 2, or 24 for once an hour",
            )
        if not 1 <= self.keep_days <= MOST_KEPT_DAYS:
            raise InputError(
                f"days that decisions are kept: not between 1 and {MOST_KEPT_DAYS:,}",
                hint="give log.keep_days as the servers will have it, such as 90",
            )
        if self.within_s <= 0 or self.wait_s <= 0:
            raise InputError(
                "a time of 0 is too short to plan for", hint="write 10m, or 30s"
            )


@dataclass(frozen=True, slots=True)
class Plan:
    """What to buy, and how it was found."""

    servers: int
    """In all, those included that may be down."""
    cores: int
    """In all."""
    memory_mib: float
    """Of each server, linekey's own; the system and a database are not in it."""
    open_connections: int
    """Of one server at the worst moment."""
    share: int
    """Phones of one server, where the spare ones are down and it has most."""
    outcome: Outcome
    """Of that server."""
    rows_a_second: float
    """That the database takes at that moment: each decision is on the disk before its
    answer leaves, many in one commit."""
    rows_a_day: float
    """On an ordinary day."""
    database_mib: float
    """All phones, and the rows that are kept."""


def make_plan(costs: Costs, fleet: Fleet) -> Plan:
    """Find the least number of servers. Raises InputError where there is none."""
    fleet.check()
    whole, resumed = costs.whole_ms / 1000, costs.resumed_ms / 1000
    each = costs.first_ms / 1000 + (fleet.connections - 1) * (
        fleet.resumed * resumed + (1 - fleet.resumed) * whole
    )
    most = fleet.phones * (1 + fleet.uneven)
    up = max(1, ceil(most * each / (fleet.cores * (fleet.within_s + fleet.wait_s))))
    while True:
        if up > MOST_SERVERS:
            raise InputError(
                f"more than {MOST_SERVERS:,} servers would be needed",
                hint="give the phones more time (--within), or servers more cores",
            )
        share = fleet.phones if up == 1 else min(fleet.phones, ceil(most / up))
        outcome = _one_server(costs, fleet, share)
        if outcome.wait_of(SHARE) <= fleet.wait_s:
            break
        up += 1
    # Any worker may have met any phone of its server.
    worker_mib = costs.worker_mib + kept_mib(share)
    rate = share * fleet.connections / max(fleet.within_s, outcome.last_s)
    stays = fleet.keep_alive_s + outcome.mean_wait_s + whole
    open_ = min(share, ceil(rate * stays)) + outcome.most_waiting
    servers = up + fleet.spare
    rows = fleet.phones * fleet.asks_a_day
    return Plan(
        servers=servers,
        cores=servers * fleet.cores,
        memory_mib=(
            costs.worker_mib + fleet.cores * worker_mib + open_ * costs.idle_kib / _MIB
        ),
        open_connections=open_,
        share=share,
        outcome=outcome,
        rows_a_second=fleet.phones * fleet.connections / fleet.within_s,
        rows_a_day=rows,
        database_mib=(
            fleet.phones * costs.phone_bytes
            + rows * fleet.keep_days * costs.decision_bytes
        )
        / _MIB**2,
    )


def kept_mib(phones: int) -> float:
    """MiB that a worker keeps of so many phones that it has met."""
    whole, known = min(phones, _KEPT_WHOLE), min(phones, _KNOWN)
    return (whole * _KEPT_KIB + (known - whole) * _KNOWN_KIB) / _MIB


def _one_server(costs: Costs, fleet: Fleet, phones: int) -> Outcome:
    chance = Random(_SEED)  # noqa: S311 - no secret
    arrivals = sorted(chance.uniform(0, fleet.within_s) for _ in range(phones))
    whole, resumed = costs.whole_ms / 1000, costs.resumed_ms / 1000

    first = costs.first_ms / 1000  # servers have had their power cut, too

    def demands() -> Sequence[float]:
        later = [
            resumed if chance.random() < fleet.resumed else whole
            for _ in range(fleet.connections - 1)
        ]
        return (first, *later)

    return simulate(
        arrivals,
        (demands() for _ in range(phones)),
        fleet.cores,
        think_s=fleet.think_s,
    )
