"""Numbers of all workers together, for ``/metrics``.

Each worker writes its own row of one shared array, and the status page adds the rows
up; no lock, since each cell has one writer and 64 bits are written at once.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from linekey.certs.certificate import Certificate
from linekey.errors import Cause
from linekey.net.asgi_edge import FAULT

GRANTED, BLANKED, REFUSED = 0, 1, 2
HANDSHAKES, HANDSHAKES_REFUSED, ACCEPTED, SHED, DROPPED = 3, 4, 5, 6, 7
CONNECTIONS, HALF_OPEN = 8, 9
LINES_LOST = {"debug": 10, "info": 11, "warning": 12, "error": 13}
"""Level → lines of the log on stderr that could not be written."""
SHORT_OF_ROOM = 14
UNAVAILABLE = {cause: 15 + n for n, cause in enumerate((*map(str, Cause), FAULT))}
"""Cause → answers 503 because of it."""
_WIDTH = 15 + len(UNAVAILABLE)


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

    def total(self, number: int) -> int:
        """Add one number of all workers up."""
        return sum(self._cells[w * _WIDTH + number] for w in range(self._rows))


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
    """Write down what ``net.standard_streams`` says of this process."""
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
