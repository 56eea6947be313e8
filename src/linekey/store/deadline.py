"""How long a question to the database may take altogether, by whoever asks.

A phone waits some seconds; a command that reads a table of 100,000 phones may take
longer. ``within`` says it for what one thread asks inside; ``postgres`` keeps it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what this thread asks inside so many seconds altogether; inf: no limit."""
    until = monotonic() + seconds
    outer = _until.get()
    token = _until.set(until if outer is None else min(outer, until))
    try:
        yield
    finally:
        _until.reset(token)


def seconds_left() -> float | None:
    """Return how long there is still; None: nobody said."""
    until = _until.get()
    return None if until is None else max(0.0, until - monotonic())
