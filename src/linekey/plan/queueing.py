"""Phones that wait for a worker: simulated, and where there is one, by the formula.

The simulation is SimPy's: each phone comes, waits for one of the workers, keeps it for
as long as its request costs, and comes again for the next file. Workers take phones in
the order in which they come; the door's own order (one source after the other) changes
who waits, and neither how many nor how long they do on average.

The formulas are those of the textbooks for the two cases that have one: M/M/c (Erlang's
C) and M/D/1 (Pollaczek and Khinchine). Tests hold the simulation against them.

Rules: times are seconds; nothing here reads a clock or draws a number that was not
handed in, so a plan is the same at every run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

from linekey.errors import InputError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a simulation."""

    waits_s: tuple[float, ...]
    """How long each request waited for a worker, in rising order."""
    last_s: float
    """When the last answer was given."""
    busy: float
    """Share of the workers' time, until then, in which they worked."""
    most_waiting: int
    """How many waited at the worst moment."""

    @property
    def mean_wait_s(self) -> float:
        """The mean of the waits."""
        return sum(self.waits_s) / len(self.waits_s) if self.waits_s else 0.0

    def wait_of(self, share: float) -> float:
        """Return how long so many of all requests waited at most: 0.99 of 100, 99."""
        if not self.waits_s:
            return 0.0
        return self.waits_s[min(len(self.waits_s) - 1, int(share * len(self.waits_s)))]


def simulate(
    arrivals_s: Iterable[float],
    demands_s: Iterable[Sequence[float]],
    workers: int,
    *,
    think_s: float = 0.0,
) -> Outcome:
    """Let phones come at ``arrivals_s``, in rising order, each with its requests.

    ``demands_s`` says for each phone what each of its requests costs a worker;
    ``think_s`` lies between an answer and the phone's next request. Raises InputError,
    with the cure, where SimPy is not installed.
    """
    simpy = _simpy()
    world = simpy.Environment()
    door = simpy.Resource(world, capacity=workers)
    waits: list[float] = []
    seen = [0.0, 0.0, 0]  # work done, the last answer, most that waited

    def phone(demands: Sequence[float]) -> Any:
        for number, demand in enumerate(demands):
            if number and think_s:
                yield world.timeout(think_s)
            came = world.now
            with door.request() as turn:
                seen[2] = max(seen[2], len(door.queue))
                yield turn
                waits.append(world.now - came)
                yield world.timeout(demand)
            seen[0] += demand
            seen[1] = world.now

    def street() -> Any:
        for at, demands in zip(arrivals_s, demands_s, strict=True):
            if at > world.now:
                yield world.timeout(at - world.now)
            world.process(phone(demands))

    world.process(street())
    world.run()
    waits.sort()
    work, last, most = seen
    busy = work / (workers * last) if last else 0.0
    return Outcome(tuple(waits), last, busy, int(most))


def _simpy() -> Any:
    try:
        import simpy
    except ImportError:
        raise InputError(
            "a plan needs SimPy, which is not installed",
            hint="pip install 'linekey[plan]', into the environment that linekey is in",
        ) from None
    return simpy


def mean_wait_mmc(rate: float, service_s: float, workers: int) -> float:
    """Return the mean wait where phones come by chance and cost by chance (M/M/c).

    ``rate`` is phones a second, ``service_s`` the mean cost. Raises ValueError where
    they are too many for the workers.
    """
    load = rate * service_s
    if load >= workers:
        raise ValueError("the queue grows without end")
    last = load**workers / factorial(workers) * workers / (workers - load)
    before = sum(load**n / factorial(n) for n in range(workers))
    waits = last / (before + last)  # Erlang's C: that there is a wait at all
    return waits * service_s / (workers - load)


def mean_wait_md1(rate: float, service_s: float) -> float:
    """Return the mean wait where all cost the same and there is one worker (M/D/1).

    Raises ValueError where they are too many for it.
    """
    load = rate * service_s
    if load >= 1:
        raise ValueError("the queue grows without end")
    return load * service_s / (2 * (1 - load))
