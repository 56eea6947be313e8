"""Which log lines of one kind are written: some a minute, then their number.

Whoever is refused, or breaks off, a thousand times a second costs a few lines a minute
on stderr, not a thousand a second. Precedent: syslog's "last message repeated n times",
the kernel's printk_ratelimit.

A kind is the logger, the message before its values are put in, the reason of a refusal,
and whether a phone had proved itself: strangers do not crowd phones out.

Rule: what is left out is counted, and told when its minute is over. Nothing here reads
a clock.
"""

import logging
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

WINDOW_S = 60.0
MAX_KINDS = 1_000
"""Kinds that are told apart; there are some hundred in linekey."""


@dataclass(slots=True)
class _Kind:
    since: float
    told: int = 0
    left_out: int = 0
    example: logging.LogRecord | None = None


@dataclass(slots=True)
class Repeats:
    """The limiter; ``each`` is how many lines of one kind a minute may have."""

    each: int
    _kinds: dict[Hashable, _Kind] = field(default_factory=dict)
    _next: float = 0.0

    def is_told(self, record: logging.LogRecord, now: float) -> bool:
        """Whether this one is written; it is counted if not. ``now`` in seconds."""
        key: Hashable = (
            record.name,
            record.msg if isinstance(record.msg, str) else "",
            getattr(record, "reason", None),
            getattr(record, "mac", None) is not None,
        )
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= MAX_KINDS:
                key = ("",)
            kind = self._kinds.setdefault(key, _Kind(now))
        if kind.told < self.each:
            kind.told += 1
            return True
        kind.left_out += 1
        kind.example = record
        return False

    def sums(self, now: float) -> Iterator[logging.LogRecord]:
        """Yield a line for each kind whose minute is over and that left some out."""
        if now < self._next:
            return
        self._next = now + 1.0
        over = [k for k, kind in self._kinds.items() if now - kind.since >= WINDOW_S]
        for key in over:
            kind = self._kinds.pop(key)
            last = kind.example
            if last is None:
                continue
            line = logging.LogRecord(
                last.name,
                last.levelno,
                last.pathname,
                last.lineno,
                "and %d more of this kind in the last minute, the last: %s",
                (kind.left_out, last.getMessage()),
                None,
            )
            line.reason = getattr(last, "reason", None)
            yield line
