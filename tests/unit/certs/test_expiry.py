"""What "expires soon" means, for a server and for an authority."""

from datetime import timedelta

import pytest
from tests.certificates import NOW, leaf

from linekey.certs.expiry import expires_soon, left_words

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("left", "server", "authority"),
    [
        (-DAY, False, False),
        (0 * DAY, True, True),
        (29 * DAY, True, True),
        (30 * DAY, False, True),
        (364 * DAY, False, True),
        (365 * DAY, False, False),
    ],
)
def test_a_server_has_thirty_days_and_an_authority_a_year(
    left: timedelta, server: bool, authority: bool
) -> None:
    old = NOW - 1200 * DAY
    certificate = leaf(None, "a.test", not_before=old, not_after=NOW + left)
    assert expires_soon(certificate, NOW) is server
    assert expires_soon(certificate, NOW, authority=True) is authority


@pytest.mark.parametrize(
    ("life", "left", "soon"),
    [
        (DAY, DAY, False),
        (DAY, DAY * 9 / 24, False),
        (DAY, DAY * 7 / 24, True),
        (6 * DAY, 3 * DAY, False),
        (6 * DAY, 1.9 * DAY, True),
        (90 * DAY, 31 * DAY, False),
        (90 * DAY, 29 * DAY, True),
    ],
)
def test_a_short_life_is_not_soon_over_from_its_beginning(
    life: timedelta, left: timedelta, soon: bool
) -> None:
    ends = NOW + left
    certificate = leaf(None, "a.test", not_before=ends - life, not_after=ends)
    assert expires_soon(certificate, NOW) is soon


@pytest.mark.parametrize(
    ("left", "words"),
    [(29.5 * DAY, "29 days"), (DAY, "24 hours"), (DAY / 9, "2 hours")],
)
def test_what_is_left_is_said_in_days_or_hours(left: timedelta, words: str) -> None:
    assert left_words(leaf(None, "a.test", not_after=NOW + left), NOW) == words
