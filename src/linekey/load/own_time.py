"""How much of what was measured was the load's own: computing, and making others wait.

*Theory of operation.* The phones of a process share one event loop, in one thread. Each
``Tick`` says of a short time how long it was, for how much of it the process computed
or waited for a core, and how many requests were under way. A request's time is the
server's, the network's and the load's; the load's part lies in times in which the
process was busy. So

- what was computed, over the sum of all request times, is the **least** that was the
  load's own: it computed that much for them, one after the other;
- busy times, each weighted with the requests that were under way, over the same sum,
  are the **most**: nothing else of a request can have been the load's own.

``lag`` is the time between a timer that was due and the event loop's turning to it,
which is what an answer waits, too, before the phone looks at it.

Rule: nothing here reads a clock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

BUSY: Final = 0.85
"""From here on a process has no time left: it, and not the server, sets the pace."""
HALF: Final = 0.5
"""From here on times may be more the load's own than the server's."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A short time of one process. Times are seconds."""

    wall_s: float
    cpu_s: float
    """CPU of the whole process."""
    waited_s: float
    """In which the phones' thread could have run, and had no core."""
    under_way: int
    lag_s: float


@dataclass(slots=True)
class OwnTime:
    """The sum of ticks, of one process or of several."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    busy_s: float = 0.0
    requests_s: float = 0.0
    """The sum of the times of all requests."""
    busy_requests_s: float = 0.0
    """Those of them in which the process was busy."""
    lags_ms: Counter[int] = field(default_factory=Counter)

    def add(self, tick: Tick) -> None:
        """Count a tick."""
        busy = min(tick.wall_s, tick.cpu_s + tick.waited_s)
        self.wall_s += tick.wall_s
        self.cpu_s += tick.cpu_s
        self.busy_s += busy
        self.requests_s += tick.under_way * tick.wall_s
        self.busy_requests_s += tick.under_way * busy
        self.lags_ms[round(tick.lag_s * 1000)] += 1

    @property
    def busy(self) -> float:
        """Share of the time in which a process was busy; of several, the mean."""
        return self.busy_s / self.wall_s if self.wall_s else 0.0

    @property
    def least(self) -> float:
        """The least share of the requests' time that was the load's own."""
        if not self.requests_s:
            return 0.0
        return min(self.most, self.cpu_s / self.requests_s)

    @property
    def most(self) -> float:
        """The most."""
        return self.busy_requests_s / self.requests_s if self.requests_s else 0.0

    def lag_ms(self, share: float) -> int:
        """How long so many of all timers waited at most: 0.99 of 100, 99."""
        left = share * self.lags_ms.total()
        for lag in sorted(self.lags_ms):
            left -= self.lags_ms[lag]
            if left <= 0:
                return lag
        return 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON; ``parse`` reads it."""
        return {
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "busy_s": self.busy_s,
            "requests_s": self.requests_s,
            "busy_requests_s": self.busy_requests_s,
            "lags_ms": [[lag, times] for lag, times in self.lags_ms.items()],
        }

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Read what ``as_dict`` wrote. Raises ValueError, KeyError or TypeError."""
        lags = Counter({int(lag): int(times) for lag, times in document["lags_ms"]})
        return cls(
            wall_s=float(document["wall_s"]),
            cpu_s=float(document["cpu_s"]),
            busy_s=float(document["busy_s"]),
            requests_s=float(document["requests_s"]),
            busy_requests_s=float(document["busy_requests_s"]),
            lags_ms=lags,
        )

    @classmethod
    def sum(cls, parts: Iterable[Self]) -> Self:
        """Add the times of several processes."""
        whole = cls()
        for part in parts:
            whole.wall_s += part.wall_s
            whole.cpu_s += part.cpu_s
            whole.busy_s += part.busy_s
            whole.requests_s += part.requests_s
            whole.busy_requests_s += part.busy_requests_s
            whole.lags_ms.update(part.lags_ms)
        return whole
