"""Times on the command line."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from linekey.cli.when import parse_ahead, parse_when
from linekey.errors import InputError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CET = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        (" 2h ", timedelta(hours=2)),
        ("90d", timedelta(days=90)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_a_span_is_ago_or_ahead(text: str, span: timedelta) -> None:
    assert parse_when(text, NOW) == NOW - span
    assert parse_ahead(text, NOW) == NOW + span


def test_a_moment_is_the_same_to_both() -> None:
    assert parse_when("2026-01-31T12:00Z", NOW) == NOW
    assert parse_when("2026-01-31T12:00+01:00", NOW) == NOW.replace(tzinfo=CET)
    assert parse_ahead("2026-02-01T12:00Z", NOW) == NOW + timedelta(days=1)


def test_an_age_before_all_time_is_all_time() -> None:
    assert parse_when("999999w", NOW) == datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-01-31T12:00Z", "2020-01-01", "999999w", "0d"])
def test_what_is_not_ahead_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a time in the future"):
        parse_ahead(text, NOW)


@pytest.mark.parametrize("text", ["", "yesterday", "90", "-1d", "2026-13-01"])
def test_what_is_no_time_is_told(text: str) -> None:
    for parse in (parse_when, parse_ahead):
        with pytest.raises(InputError, match="not a time"):
            parse(text, NOW)
