"""One timer that is set again and again, as every connection does, for next to nothing.

A connection has a limit for its hello, then for its handshake, then for its request;
hardly ever is one reached. So the loop's timer is left to run when a later time is set,
and looks when it rings whether it is time. Rule: it never rings before its time, nor
after ``clear``; who ends calls ``end``, since the loop holds on to a running timer.
"""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls what it was set to last, at its time; times are the loop's."""

    __slots__ = ("_due", "_loop", "_rings", "_then", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due = self._rings = 0.0
        self._then: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        """Whether something is to be called."""
        return self._then is not None

    def set(self, seconds: float, then: Callable[[], None]) -> None:
        """Call ``then`` in so many seconds, and nothing that was set before."""
        self._then = then
        self._due = self._loop.time() + seconds
        if self._timer is None or self._rings > self._due:
            self._wind()

    def clear(self) -> None:
        """Call nothing."""
        self._then = None

    def end(self) -> None:
        """Call nothing, and let the loop forget it."""
        self._then = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings = self._due
        self._timer = self._loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._then is None:
            return
        if self._loop.time() < self._due:
            self._wind()
            return
        then, self._then = self._then, None
        then()
