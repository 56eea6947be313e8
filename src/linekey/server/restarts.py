"""When a worker that died is started again, and when it is given up.

Rules: the first death within a minute is answered at once, since a phone may be
waiting; from the second on the pause doubles from one second up to 30, so that a
worker that cannot live eats no processor. Five deaths in a row, each within five
seconds of its start, end the server, since nothing about them will change by itself;
those for want of the database are not counted, since it comes back. Nothing here reads
a clock.
"""

from collections import deque

WINDOW_S = 60.0
"""Deaths longer ago are forgotten."""
LONGEST_PAUSE_S = 30.0
EARLY_S = 5.0
"""A death this soon after the start is an early one."""
EARLY_DEATHS = 5
"""Early deaths in a row after which there is no use in another start."""
NO_DATABASE = 75
"""Exit code of a worker that could not open the database (sysexits.h: EX_TEMPFAIL)."""


class Restarts:
    """One worker's deaths. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()
        self._early = 0

    def died(
        self, *, started: float, now: float, exit_code: int | None
    ) -> float | None:
        """Return the seconds to wait before the next start; None: give it up."""
        while self._deaths and now - self._deaths[0] >= WINDOW_S:
            self._deaths.popleft()
        self._deaths.append(now)
        if now - started >= EARLY_S:
            self._early = 0
        elif exit_code != NO_DATABASE:
            self._early += 1
        if self._early >= EARLY_DEATHS:
            return None
        before = len(self._deaths) - 1
        if not before:
            return 0.0
        return min(LONGEST_PAUSE_S, float(2 ** min(before - 1, 16)))
