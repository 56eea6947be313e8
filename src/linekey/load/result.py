"""What a load came to, as one value: for people (``lines``) and for JSON.

Rules: times are of what went well; what failed is counted by its code, with its cure;
a rate is of the time in which such things went on, worker by worker, since clocks of
several machines differ; where the load itself set the pace, that is said first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from linekey.load.order import LoadOrder
from linekey.load.outcome import REASONS, Outcome
from linekey.load.own_time import BUSY, HALF, OwnTime
from linekey.words import counted

REGISTRATIONS: Final = "register"
TITLES: Final = {
    "boot": "booted, with its configuration",
    "register": "registered",
    "reregister": "renewed its registration",
    "refresh": "fetched its configuration again",
    "keys": "opened a page by a key",
    "lookup": "looked a name up",
    "actions": "fetched an action URL",
    "tls": "TLS connections",
}
"""Kinds of requests, in the order of the report."""
_SLOW: Final = 0.9
"""Below this share of the rate that was asked for, that is said."""


@dataclass(slots=True)
class Spans:
    """Of one worker: from when to when things of a kind went well, and what failed."""

    spans: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    """Kind → first begin, last end (seconds since the epoch), how many."""
    texts: dict[str, str] = field(default_factory=dict)
    """Code → what the first phone that failed so said."""

    def add(self, done: Outcome) -> None:
        """Count an outcome."""
        if done.code:
            self.texts.setdefault(done.code, done.text)
            return
        end = done.begun_at + done.took_s
        first, last, count = self.spans.get(done.kind, (done.begun_at, end, 0))
        span = (min(first, done.begun_at), max(last, end), count + 1)
        self.spans[done.kind] = span

    def as_dict(self) -> dict[str, Any]:
        """For the wire."""
        return {"spans": {k: list(v) for k, v in self.spans.items()},
                "texts": self.texts}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkerEnd:
    """What a worker said at its end."""

    name: str
    phones: int
    """That it was to run."""
    started: int
    own: OwnTime
    spans: Mapping[str, tuple[float, float, int]]
    texts: Mapping[str, str]

    def rate(self, kind: str) -> float:
        """How often a second such a thing went well, while it went on."""
        first, last, count = self.spans.get(kind, (0.0, 0.0, 0))
        return count / (last - first) if last > first else 0.0

    @classmethod
    def parse(cls, name: str, phones: int, said: Mapping[str, Any]) -> Self:
        """Read it. Raises ValueError, KeyError or TypeError."""
        spans = {
            str(kind): (float(first), float(last), int(count))
            for kind, (first, last, count) in said["spans"].items()
        }
        texts = {str(code): str(text)[:300] for code, text in said["texts"].items()}
        own = OwnTime.parse(said["own"])
        return cls(name, phones, int(said["started"]), own, spans, texts)


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker that did not come to the end."""

    name: str
    phones: int
    after_s: float
    why: str


@dataclass(frozen=True, slots=True)
class Requests:
    """All requests of a kind. Times are milliseconds, to two digits, as Locust keeps
    them."""

    kind: str
    count: int
    failed: int
    median_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float

    @property
    def times_ms(self) -> tuple[float | None, float | None, float | None]:
        """Median, 95 and 99 of 100; None where nothing went well, so nothing took."""
        if self.failed >= self.count:
            return None, None, None
        return self.median_ms, self.p95_ms, self.p99_ms


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured."""

    by: str
    lasted_s: float
    stopped: bool
    """Whether somebody stopped it before its time."""
    requests: Sequence[Requests]
    failures: Mapping[tuple[str, str], int]
    """Kind and code → how often."""
    ended: Sequence[WorkerEnd]
    lost: Sequence[Lost]

    @property
    def own(self) -> OwnTime:
        """Of all workers."""
        return OwnTime.sum(worker.own for worker in self.ended)

    def rate(self, kind: str) -> float:
        """How often a second such a thing went well, all workers together."""
        return sum(worker.rate(kind) for worker in self.ended)

    @property
    def failed(self) -> int:
        """How much failed."""
        return sum(self.failures.values())

    def text_of(self, code: str) -> str:
        """What the first phone that failed so said."""
        return next((w.texts[code] for w in self.ended if w.texts.get(code)), "")

    def warnings(self, order: LoadOrder) -> list[str]:
        """What keeps the numbers from being the server's."""
        said = [
            f"the worker {w.name} was lost after {w.after_s:.0f} s: {w.why}; what its "
            f"{counted(w.phones, 'phone')} did is not all counted"
            for w in self.lost
        ]
        said += [
            f"the worker {w.name} was busy for {w.own.busy:.0%} of the time: the load, "
            "and not the server, set the pace; take more --workers, more machines "
            "(--join), or fewer phones"
            for w in self.ended
            if w.own.busy >= BUSY
        ]
        own = self.own
        if not said and own.most >= HALF:
            said.append(
                f"up to {own.most:.0%} of the requests' time was the load's own: take "
                "times as upper bounds"
            )
        started = sum(worker.started for worker in self.ended)
        wanted = sum(worker.phones for worker in self.ended)
        if started < wanted:
            said.append(
                f"only {started:,} of {wanted:,} phones were started: --for is too "
                "short for --phones at this --rate"
            )
        first = next((k for k in ("boot", "register") if k in order.mix), "")
        reached = self.rate(first) if first else 0.0
        if order.rate and started > 10 and 0 < reached < order.rate * _SLOW:
            said.append(
                f"{order.rate:g} phones a second were asked for, and {reached:.1f} "
                "came to their end"
            )
        return said

    def as_dict(self, order: LoadOrder) -> dict[str, Any]:
        """For JSON; units are in the names."""
        asked = order.as_dict()
        del asked["trust_pem"]
        return {
            "by": self.by,
            "asked": asked,
            "lasted_s": round(self.lasted_s, 2),
            "stopped": self.stopped,
            "requests": [
                {
                    "kind": r.kind,
                    "count": r.count,
                    "failed": r.failed,
                    "a_second": round(self.rate(r.kind), 2),
                    **dict(
                        zip(("median_ms", "p95_ms", "p99_ms"), r.times_ms, strict=True)
                    ),
                    "max_ms": None if r.failed >= r.count else round(r.max_ms, 1),
                }
                for r in self.requests
            ],
            "registrations_a_second": round(self.rate(REGISTRATIONS), 1),
            "failures": [
                {
                    "kind": kind,
                    "code": code,
                    "count": count,
                    "sentence": REASONS[code].sentence,
                    "cure": REASONS[code].cure,
                    "said": self.text_of(code),
                }
                for (kind, code), count in self.failures.items()
            ],
            "own": _own(self.own),
            "workers": [
                {"name": w.name, "phones": w.phones, "started": w.started,
                 "lost": None, **_own(w.own)}
                for w in self.ended
            ]
            + [
                {"name": w.name, "phones": w.phones, "started": None, "lost": w.why,
                 "after_s": round(w.after_s, 1)}
                for w in self.lost
            ],
            "warnings": self.warnings(order),
        }  # fmt: skip

    def lines(self, order: LoadOrder) -> Iterable[str]:
        """For people."""
        head = (
            f"{'':34}{'number':>8}{'failed':>8}{'a second':>10}{'median':>9}"
            f"{'95 %':>8}{'99 %':>8}"
        )
        yield (
            f"{counted(order.phones, 'phone')} for {self.lasted_s:.0f} s, from "
            f"{counted(len(self.ended) + len(self.lost), 'worker')}, by {self.by}:"
        )
        yield head
        for r in self.requests:
            yield (
                f"  {TITLES.get(r.kind, r.kind):32}{r.count:8,}{r.failed:8,}"
                f"{self.rate(r.kind):10.1f}"
                + "".join(
                    f"{'–' if ms is None else f'{ms:.0f} ms':>{width}}"
                    for width, ms in zip((9, 8, 8), r.times_ms, strict=True)
                )
            )
        for (kind, code), count in self.failures.items():
            yield f"failed: {count:,} × {kind}, {code}: {REASONS[code].sentence}"
            if said := self.text_of(code):
                yield f"  the first one said: {said}"
            if cure := REASONS[code].cure:
                yield f"  cure: {cure}"
        own = self.own
        yield (
            f"the load's own: {own.least:.0%} to {own.most:.0%} of the requests' time; "
            f"{own.cpu_s:.1f} s of CPU, its processes busy for {own.busy:.0%} of the "
            f"time; an answer waited {own.lag_ms(0.5)} ms for the phone in half of the "
            f"cases, at most {own.lag_ms(0.99)} ms in 99 of 100"
        )
        for text in self.warnings(order):
            yield f"warning: {text}"


def _own(own: OwnTime) -> dict[str, Any]:
    return {
        "least": round(own.least, 4),
        "most": round(own.most, 4),
        "busy": round(own.busy, 4),
        "cpu_s": round(own.cpu_s, 2),
        "lag_median_ms": own.lag_ms(0.5),
        "lag_p99_ms": own.lag_ms(0.99),
    }
