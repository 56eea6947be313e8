"""Starts are spread evenly, and none is made up for."""

import pytest

from linekey.load.pace import NO_RATE, Pace


def test_phones_that_come_together_start_one_after_the_other() -> None:
    pace = Pace(10)
    assert [round(pace.wait_s(100.0), 6) for _ in range(4)] == [0, 0.1, 0.2, 0.3]


def test_a_phone_that_comes_late_starts_at_once_and_brings_no_burst() -> None:
    pace = Pace(10)
    assert pace.wait_s(100.0) == 0
    assert pace.wait_s(105.0) == 0
    assert pace.wait_s(105.0) == pytest.approx(0.1)


def test_without_a_rate_nobody_waits() -> None:
    pace = Pace(NO_RATE)
    assert {pace.wait_s(1.0) for _ in range(100)} == {0.0}
