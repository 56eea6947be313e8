"""Connections to PostgreSQL on which every wait ends.

A server that is stopped carries out no ``statement_timeout``, and one that is cut off
sends nothing more; so each wait for it ends on this side, in the thread that waits, by
the time that ``deadline.within`` gives; without it after ``LONGEST_S``.

Rule: a connection that was waited for in vain is closed, since nobody knows what will
come on it; what it was doing is cancelled at the server, if that can still be told.
"""

from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any

import psycopg

from linekey.store.deadline import seconds_left

LONGEST_S = 60.0
"""Seconds that a command waits for one answer."""
CONNECT_S = 10
"""Seconds that a command waits for a connection."""
_CONNECT_NOW_S = 2  # the least that libpq takes
_CANCEL_S = 0.3
_NO_JIT = """SELECT set_config('jit', 'off', false)
WHERE EXISTS (SELECT FROM pg_settings WHERE name = 'jit')"""
"""No question of ours takes so long that to compile it first (20 ms) is worth it."""


class TooSlow(psycopg.OperationalError):
    """The server did not answer in time."""


def connect(*arguments: Any, **parameters: Any) -> "BoundedConnection":
    """Connect as psycopg does, and wait shortly where somebody waits."""
    if seconds_left() in (None, inf):
        parameters.setdefault("connect_timeout", CONNECT_S)
    else:
        parameters["connect_timeout"] = _CONNECT_NOW_S
    connection = BoundedConnection.connect(*arguments, **parameters)
    connection.autocommit = True
    connection.execute(_NO_JIT)
    connection.autocommit = False
    return connection


class BoundedConnection(psycopg.Connection[Any]):
    """A connection on which every wait ends."""

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Wait as psycopg does. Raises TooSlow, and closes, when the time is up."""
        left = seconds_left()
        seconds = LONGEST_S if left is None else left
        given = options.pop("timeout", None)
        if seconds < inf:
            options["timeout"] = seconds if given is None else min(given, seconds)
        end = monotonic() + seconds
        try:
            return super().wait(gen, *arguments, **options)
        except psycopg.OperationalError:
            if monotonic() < end or self.closed:
                raise
            self._give_up()
            raise TooSlow(
                f"no answer within the time given ({seconds:.1f} s)"
            ) from None

    def _give_up(self) -> None:
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=_CANCEL_S)
        self.close()
