"""When a message that was not delivered is tried again, and when it is given up."""

from datetime import datetime, timedelta
from typing import Final

PAUSES_S: Final = (
    5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400,
)  # fmt: skip
"""After each attempt; Standard Webhooks, *Deliverability and reliability*: some three
days in all. After the last attempt it is undelivered."""
ATTEMPTS: Final = len(PAUSES_S) + 1
JITTER: Final = 0.2
"""A pause is longer by up to this share, so that a target that comes back is not asked
by everybody in the same second."""
MAX_ASKED_S: Final = 86_400.0
"""The longest pause that a target may ask for (Retry-After)."""


def next_attempt(
    attempts: int, now: datetime, chance: float, asked_s: float | None = None
) -> datetime | None:
    """Return when to try again after so many attempts, or None: not any more.

    ``chance`` is between 0 and 1; ``asked_s`` is what the target asked for.
    """
    if attempts >= ATTEMPTS:
        return None
    pause = PAUSES_S[attempts - 1] * (1 + JITTER * chance)
    if asked_s is not None:
        pause = max(pause, min(asked_s, MAX_ASKED_S))
    return now + timedelta(seconds=pause)
