"""A deadline for each of many connections, for next to nothing.

A connection has a limit for its hello, then for its handshake, then for its request;
hardly ever is one reached. So a ``Bell`` has one timer of the event loop for all of a
door's alarms. An alarm stands in the row of the twentieth of a second in which it is
due; where a later time is set it is left where it is, and looked at when its row is.
Rules: none rings before its time, and none after ``clear``; it rings a twentieth of a
second late at most, which is little beside limits of seconds. Who ends calls ``end``,
since the bell holds on to what stands in its rows.
"""

import asyncio
from collections.abc import Callable
from math import ceil

_ROWS = 20  # in a second


class Bell:
    """The alarms of one door."""

    __slots__ = ("_loop", "_next", "_rows", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rows: dict[int, dict[Alarm, None]] = {}
        self._next = 0  # the first row that is not empty, while there is a timer
        self._timer: asyncio.TimerHandle | None = None

    def time(self) -> float:
        """Read the clock of all times here: the loop's."""
        return self._loop.time()

    def put(self, alarm: "Alarm", due: float) -> int:
        """Put an alarm that stands nowhere into the row of its time; return that."""
        number = ceil(due * _ROWS)
        row = self._rows.get(number)
        if row is None:
            row = self._rows[number] = {}
            if self._timer is None or number < self._next:
                self._wind(number)
        row[alarm] = None
        return number

    def take(self, alarm: "Alarm", number: int) -> None:
        """Take an alarm out of its row."""
        row = self._rows.get(number)
        if row is not None:  # else it is being looked at
            row.pop(alarm, None)
            if not row:
                del self._rows[number]
                if not self._rows:
                    self.end()

    def end(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self, number: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = number
        self._timer = self._loop.call_at(number / _ROWS, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        for number in sorted(n for n in self._rows if n <= now * _ROWS):
            for alarm in self._rows.pop(number):
                try:
                    alarm.look(now)
                except Exception as error:  # noqa: BLE001 - the others ring all the same
                    said = {"message": "a deadline's call failed", "exception": error}
                    self._loop.call_exception_handler(said)
        if self._rows:
            self._wind(min(self._rows))


class Alarm:
    """Calls what it was set to last, at its time; times are the loop's."""

    __slots__ = ("_bell", "_due", "_row", "_then")

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._due = 0.0
        self._row = 0  # 0: in none
        self._then: Callable[[], None] | None = None

    @property
    def is_set(self) -> bool:
        """Whether something is to be called."""
        return self._then is not None

    def set(self, seconds: float, then: Callable[[], None]) -> None:
        """Call ``then`` in so many seconds, and nothing that was set before."""
        self._then = then
        self._due = due = self._bell.time() + seconds
        if self._row:
            if self._row <= ceil(due * _ROWS):
                return
            self._bell.take(self, self._row)
        self._row = self._bell.put(self, due)

    def clear(self) -> None:
        """Call nothing."""
        self._then = None

    def end(self) -> None:
        """Call nothing, and let the bell forget it."""
        self._then = None
        if self._row:
            self._bell.take(self, self._row)
            self._row = 0

    def look(self, now: float) -> None:
        """Take it that the bell has taken it out of its row: call, if it is time."""
        self._row = 0
        if self._then is None:
            return
        if now < self._due:
            self._row = self._bell.put(self, self._due)
            return
        then, self._then = self._then, None
        then()
