"""Numbers of all workers together, for ``/metrics``.

Each worker writes its own row of one shared array, and ``server.metrics`` adds the rows
up; no lock, since each cell has one writer and 64 bits are written at once.
"""

import multiprocessing
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping
from math import inf
from time import monotonic_ns
from typing import Any, TypeVar

from linekey.errors import Cause
from linekey.provisioning.decision import Reason
from linekey.tls.policy import POLICIES
from linekey.tls.versions import Version
from linekey.wire.asgi_edge import FAULT
from linekey.wire.door.refusal import REFUSALS
from linekey.wire.readiness import Report

T = TypeVar("T", bound=Hashable)
_width = 0


def _cells(names: Iterable[T]) -> dict[T, int]:
    """Give each name the next cell of a row."""
    global _width
    found = {name: _width + n for n, name in enumerate(names)}
    _width += len(found)
    return found


def _cell() -> int:
    return _cells([""])[""]


OTHER = "other"
_REASONS = (*map(str, Reason), *REFUSALS, OTHER)
DECIDED = _cells(_REASONS)
"""Reason → requests decided, by the application or by the door."""
TURNED_AWAY = _cells(_REASONS)
"""Reason → handshakes and broken requests that the door refused."""
NO_TLS = ("", "")
SERVED = _cells(
    [
        *(
            (version.label, policy.name)
            for policy in POLICIES.values()
            for version in Version
            if policy.min_version <= version <= policy.max_version
        ),
        *((version.label, "") for version in Version),
        NO_TLS,
    ]
)
"""(TLS version, policy) → requests decided on such connections; behind a proxy the
policy is its own, ``""``, and the version is what it says."""
LINES_LOST = _cells(("debug", "info", "warning", "error"))
"""Level → lines of the log on stderr that could not be written."""
UNAVAILABLE = _cells((*map(str, Cause), FAULT))
"""Cause → answers 503 because of it."""
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, inf)
"""Of the histogram of durations: how long a request took at most, in seconds."""
TOOK = tuple(_cells(BOUNDS_S).values())
"""For each bound: how many took so long, and longer than the bound before."""
TOOK_US = _cell()
"""Microseconds of all requests together."""
HANDSHAKES, ACCEPTED, SHED, DROPPED = (_cell() for _ in range(4))
CONNECTIONS, HALF_OPEN, SHORT_OF_ROOM = (_cell() for _ in range(3))
_STATE, _STATE_AT, _ASKED_AT = (_cell() for _ in range(3))
_ALIVE_AT, _RENEWALS, _LEAVING = (_cell() for _ in range(3))
_WIDTH = _width


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

    def leave(self) -> None:
        """Note that this server is about to end, and is not ready for new phones."""
        self.row(self._rows - 1).set(_LEAVING, 1)

    @property
    def is_leaving(self) -> bool:
        """Whether that was noted."""
        return bool(self._cells[(self._rows - 1) * _WIDTH + _LEAVING])

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

    def beat(self, worker: int, *, within_s: float = 0.0) -> None:
        """Note that a worker lives; ``within_s``: that it is to say so by then.

        The latter is for who starts it, while there is no such process.
        """
        self.row(worker).set(_ALIVE_AT, _now_ms() + round(within_s * 1000))

    def silences(self) -> list[float]:
        """Return for how many seconds each worker has been silent.

        Below zero: it is being started, and has so long yet.
        """
        now = _now_ms()
        starts = range(0, (self._rows - 1) * _WIDTH, _WIDTH)
        return [(now - self._cells[start + _ALIVE_AT]) / 1000 for start in starts]

    def renewed(self, worker: int) -> None:
        """Note that a worker has read certificate and key anew, used or not."""
        self.row(worker).add(_RENEWALS)

    def renewals(self, worker: int) -> int:
        """Return how often it has."""
        return int(self._cells[worker * _WIDTH + _RENEWALS])

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

    def took(self, seconds: float) -> None:
        """Count how long a request took."""
        self.add(TOOK[bisect_left(BOUNDS_S, seconds)])
        self.add(TOOK_US, round(seconds * 1e6))


def count_lost_lines(row: Row, lost: Mapping[str, int]) -> None:
    """Write down what ``wire.standard_streams`` says of this process."""
    for level, count in lost.items():
        row.set(LINES_LOST.get(level, LINES_LOST["error"]), count)
