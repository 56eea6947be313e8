"""When each phone starts, so that so many start a second, and not a bunch each second.

Rule: nothing here reads a clock; ``now`` is the event loop's.
"""

from typing import Final

NO_RATE: Final = 0.0
"""Stands for: as fast as they come."""


class Pace:
    """Spreads starts evenly. ``rate`` is phones a second; ``NO_RATE`` spreads nothing.

    A start that comes late is not made up for by a burst.
    """

    def __init__(self, rate: float) -> None:
        self._between_s = 1 / rate if rate > 0 else 0.0
        self._next: float | None = None

    def wait_s(self, now: float) -> float:
        """How long the next phone is to wait before it starts."""
        due = now if self._next is None else max(now, self._next)
        self._next = due + self._between_s
        return due - now
