"""Numbers of all workers together, for ``/metrics``.

Each worker writes its own row of one shared array, and the status page adds the rows
up; no lock, since each cell has one writer and 64 bits are written at once.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from math import inf
from time import monotonic_ns
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from linekey.certs.certificate import Certificate
from linekey.errors import Cause
from linekey.wire.asgi_edge import FAULT
from linekey.wire.readiness import Report

GRANTED, BLANKED, REFUSED = 0, 1, 2
HANDSHAKES, HANDSHAKES_REFUSED, ACCEPTED, SHED, DROPPED = 3, 4, 5, 6, 7
CONNECTIONS, HALF_OPEN = 8, 9
LINES_LOST = {"debug": 10, "info": 11, "warning": 12, "error": 13}
"""Level → lines of the log on stderr that could not be written."""
SHORT_OF_ROOM = 14
UNAVAILABLE = {cause: 15 + n for n, cause in enumerate((*map(str, Cause), FAULT))}
"""Cause → answers 503 because of it."""
_STATE, _STATE_AT, _ASKED_AT = range(15 + len(UNAVAILABLE), 18 + len(UNAVAILABLE))
_WIDTH = 18 + len(UNAVAILABLE)


class Counters:
    """The shared array; can be handed to a process that is being started.

    It has a row for each worker, and one more for the process that watches them.
    """

    def __init__(self, workers: int = 1) -> None:
        context = multiprocessing.get_context("spawn")
        self._cells: Any = context.Array("q", _WIDTH * (workers + 1), lock=False)
        self._rows = workers + 1

    def row(self, worker: int) -> "Row":
        """Return the row that one worker writes; of all of them: who watches."""
        return Row(self._cells, worker * _WIDTH)

    def say(self, worker: int, state: int) -> None:
        """Note whether a worker can serve: its ``readiness`` state."""
        row = self.row(worker)
        row.set(_STATE, state)
        row.set(_STATE_AT, _now_ms())

    def ask(self) -> None:
        """Note that somebody wants to know that."""
        self.row(self._rows - 1).set(_ASKED_AT, _now_ms())

    def asked_s(self) -> float:
        """Return how many seconds ago somebody did; inf: nobody ever."""
        at = self._cells[(self._rows - 1) * _WIDTH + _ASKED_AT]
        return (_now_ms() - at) / 1000 if at else inf

    def reports(self) -> list[Report]:
        """Return what each worker said last."""
        now = _now_ms()
        starts = range(0, (self._rows - 1) * _WIDTH, _WIDTH)
        return [
            Report(
                self._cells[start + _STATE],
                (now - self._cells[start + _STATE_AT]) / 1000,
            )
            for start in starts
        ]

    def total(self, number: int) -> int:
        """Add one number of all workers up."""
        return sum(self._cells[w * _WIDTH + number] for w in range(self._rows))


def _now_ms() -> int:
    # Of the machine, not of the process: rows are read by others.
    return monotonic_ns() // 1_000_000


class Row:
    """One worker's numbers."""

    __slots__ = ("_cells", "_start")

    def __init__(self, cells: Any, start: int) -> None:
        self._cells = cells
        self._start = start

    def add(self, number: int, amount: int = 1) -> None:
        """Count."""
        self._cells[self._start + number] += amount

    def set(self, number: int, value: int) -> None:
        """Set what goes up and down."""
        self._cells[self._start + number] = value


def count_lost_lines(row: Row, lost: Mapping[str, int]) -> None:
    """Write down what ``wire.standard_streams`` says of this process."""
    for level, count in lost.items():
        row.set(LINES_LOST.get(level, LINES_LOST["error"]), count)


class _ServerCollector(Collector):
    def __init__(
        self,
        counters: Counters,
        certificate: Callable[[], Certificate],
        clock: Callable[[], datetime],
        refresh: Callable[[], None],
    ) -> None:
        self._refresh = refresh
        self._counters = counters
        self._certificate = certificate
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        self._refresh()
        total = self._counters.total
        decisions = CounterMetricFamily(
            "linekey_decisions", "Requests decided, by outcome.", labels=["outcome"]
        )
        for outcome, number in (
            ("granted", GRANTED),
            ("blanked", BLANKED),
            ("refused", REFUSED),
        ):
            decisions.add_metric([outcome], total(number))
        yield decisions
        unavailable = CounterMetricFamily(
            "linekey_unavailable",
            "Requests answered 503, by cause: nobody decided on them.",
            labels=["cause"],
        )
        for cause, number in UNAVAILABLE.items():
            unavailable.add_metric([cause], total(number))
        yield unavailable
        lost = CounterMetricFamily(
            "linekey_log_lines_lost",
            "Lines of the log on stderr that were not written: nobody read it.",
            labels=["level"],
        )
        for level, number in LINES_LOST.items():
            lost.add_metric([level], total(number))
        yield lost
        for name, text, number in (
            ("handshakes", "TLS handshakes that ended well.", HANDSHAKES),
            (
                "door_refusals",
                "Handshakes and broken requests that the door refused.",
                HANDSHAKES_REFUSED,
            ),
            ("connections", "TCP connections accepted.", ACCEPTED),
            ("connections_shed", "Half-open connections closed for others.", SHED),
            ("refusals_unrecorded", "Refusals that no record was kept of.", DROPPED),
        ):
            yield CounterMetricFamily(f"linekey_{name}", text, value=total(number))
        yield GaugeMetricFamily(
            "linekey_open_connections", "Connections now.", value=total(CONNECTIONS)
        )
        yield GaugeMetricFamily(
            "linekey_half_open_connections",
            "Handshakes under way now, from a whole ClientHello.",
            value=total(HALF_OPEN),
        )
        yield GaugeMetricFamily(
            "linekey_disk_full_workers",
            "Workers that record decisions about phones only: the disk is full.",
            value=total(SHORT_OF_ROOM),
        )
        left = self._certificate().not_after - self._clock()
        yield GaugeMetricFamily(
            "linekey_certificate_expiry_seconds",
            "Seconds until the server's certificate expires.",
            value=left.total_seconds(),
        )


def metrics_registry(
    counters: Counters,
    certificate: Callable[[], Certificate],
    clock: Callable[[], datetime],
    refresh: Callable[[], None] = lambda: None,
) -> CollectorRegistry:
    """Return what ``/metrics`` shows; ``refresh`` is called each time before."""
    registry = CollectorRegistry()
    registry.register(_ServerCollector(counters, certificate, clock, refresh))
    return registry
