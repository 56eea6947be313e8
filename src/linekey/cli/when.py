"""Times on the command line: an age, a time ahead, or a moment."""

import re
from datetime import UTC, datetime, timedelta

from linekey.errors import InputError

_SPAN = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_when(text: str, now: datetime) -> datetime:
    """Read ``90d`` (ago; s, m, h, d, w) or an ISO 8601 time; raises InputError.

    A time without an offset is local.
    """
    if (span := _span(text)) is not None:
        try:
            return now - span
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)
    return _moment(
        text, "write 30m, 2h or 7d (ago), or a time such as 2026-01-31T12:00"
    )


def parse_ahead(text: str, now: datetime) -> datetime:
    """Read ``90d`` (from now) or an ISO 8601 time; raises InputError.

    A time without an offset is local; one that is not ahead is refused.
    """
    hint = "write 90d (from now), or a date ahead such as 2027-01-31"
    try:
        span = _span(text)
        at = _moment(text, hint) if span is None else now + span
    except OverflowError:
        at = now
    if at <= now:
        raise InputError(f"not a time in the future: {text!r}", hint=hint)
    return at


def parse_date(text: str, option: str) -> datetime:
    """Read ``2027-01-31``, or with a time and zone; without a zone it is UTC.

    Raises InputError, which names the option.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{option}: not a date: {text!r}",
            hint="write 2027-01-31, or 2027-01-31T12:00:00+02:00",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_span(text: str, what: str) -> timedelta:
    """Read ``10m``: how long ``what`` takes (s, m, h, d, w). Raises InputError."""
    if not (span := _span(text)):
        raise InputError(
            f"not a length of time for {what}: {text!r}", hint="write 30s, 10m or 2h"
        )
    return span


def _span(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text.strip())
    return found and timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def _moment(text: str, hint: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(f"not a time: {text!r}", hint=hint) from None
