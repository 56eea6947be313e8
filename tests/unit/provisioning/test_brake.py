"""The arithmetic of the pauses, and what it adds up to over a day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.provisioning.brake import (
    DEVICE,
    OWN,
    PAIR,
    SOURCE,
    Attempts,
    Rule,
    Tally,
    judge,
)

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
DAY_S = 86_400
RULES = {"pair": PAIR, "device": DEVICE, "source": SOURCE, "own": OWN}


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@pytest.mark.parametrize(
    ("rule", "pauses"),
    [
        (PAIR, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]),
        (DEVICE, [*[0] * 19, 1, 2, 4, 8, 10, 10]),
        (SOURCE, [*[0] * 59, 1, 2, 2]),
        (OWN, [*[0] * 59, 1, 2, 4, 5, 5]),
    ],
)
def test_pauses_grow_to_their_longest(rule: Rule, pauses: list[int]) -> None:
    tally, found = Tally(), []
    for _ in pauses:
        tally = tally.one_more(rule, NOW)
        found.append(tally.wait_s(rule, NOW))
    assert found == pauses
    assert tally.wrong == rule.most


def test_wrong_answers_are_forgotten_one_after_the_other() -> None:
    tally = Tally(5, NOW)
    left = [tally.left(PAIR, NOW + seconds(600 * n - 1)) for n in range(1, 7)]
    assert left == [5, 4, 3, 2, 1, 0]
    assert tally.forgotten_at(PAIR) == NOW + seconds(3000)


def all_at_once(
    attempts: Attempts, count: int
) -> tuple[list[tuple[bool, bool]], Attempts]:
    verdicts = []
    for _ in range(count):
        verdict, attempts = judge(attempts, right=False, now=NOW)
        verdicts.append((verdict.read, verdict.paused))
    return verdicts, attempts


def test_sixty_at_one_moment_are_three_guesses() -> None:
    verdicts, after = all_at_once(Attempts(), 60)
    assert verdicts == [(True, False)] * 3 + [(False, True)] * 57
    assert after.pair == Tally(3, NOW)


def test_asking_on_in_a_pause_neither_prolongs_it_nor_opens_anything() -> None:
    _, after = all_at_once(Attempts(), 3)
    verdict, still = judge(after, right=True, now=NOW + seconds(0.5))
    assert (verdict.read, verdict.paused, verdict.wait_s) == (False, True, 1)
    assert still is after
    verdict, _ = judge(after, right=True, now=NOW + seconds(1))
    assert (verdict.read, verdict.paused) == (True, False)


def test_a_right_answer_changes_no_count() -> None:
    _, after = all_at_once(Attempts(), 2)
    _, still = judge(after, right=True, now=NOW)
    assert still is after
    assert judge(still, right=False, now=NOW)[1].pair.wrong == 3


def test_strangers_do_not_touch_the_phone_at_its_own_place() -> None:
    hot = Attempts(
        device=Tally(DEVICE.most, NOW), source=Tally(SOURCE.most, NOW), at_home=True
    )
    verdict, after = judge(hot, right=False, now=NOW)
    assert (verdict.read, verdict.paused) == (True, False)
    assert (after.device, after.source) == (hot.device, hot.source)
    elsewhere = replace(hot, at_home=False)
    assert not judge(elsewhere, right=True, now=NOW)[0].read


def test_a_neighbour_behind_the_phones_address_does_not_keep_it_out() -> None:
    """One wrong answer a second for a minute; the phone is let in at every moment."""
    attempts = Attempts(at_home=True)
    for second in range(60):
        at = NOW + seconds(second)
        _, attempts = judge(attempts, right=False, now=at)
        verdict, attempts = judge(attempts, right=True, now=at)
        assert verdict.read, second
    verdict, _ = judge(attempts, right=False, now=NOW + seconds(60))
    assert verdict.paused


def guesses(start: Attempts, step_s: float, *, sources: bool = False) -> int:
    """How many wrong answers are read in a day, one being sent each ``step_s``."""
    attempts, read = start, 0
    for n in range(int(DAY_S / step_s)):
        at = NOW + seconds(n * step_s)
        if sources:  # each from somewhere else
            attempts = replace(attempts, pair=Tally(), source=Tally())
        verdict, attempts = judge(attempts, right=False, now=at)
        read += verdict.read
    return read


def test_what_a_day_of_guessing_adds_up_to() -> None:
    """The numbers of the decision record."""
    assert guesses(Attempts(), 1) <= 1_450
    assert guesses(Attempts(), 1, sources=True) <= 8_670
    assert guesses(Attempts(at_home=True), 1) <= 18_800


@given(
    st.lists(
        st.tuples(
            st.floats(0, 200),
            st.sampled_from(["home", "here", "there"]),
            st.booleans(),
        ),
        max_size=120,
    )
)
def test_no_pause_is_longer_than_a_minute_and_no_window_has_too_many_guesses(
    steps: list[tuple[float, str, bool]],
) -> None:
    at, device, own = NOW, Tally(), Tally()
    pairs: dict[str, Tally] = {}
    read: list[datetime] = []
    for pause_s, place, right in steps:
        at += seconds(pause_s)
        before = Attempts(
            pairs.get(place, Tally()), device, Tally(), own, place == "home"
        )
        verdict, after = judge(before, right=right, now=at)
        pairs[place], device, own = after.pair, after.device, after.own
        assert verdict.wait_s <= 60
        if right or not verdict.read:
            assert (after.pair, after.device, after.own) == (
                before.pair, before.device, before.own
            )  # fmt: skip
        if not verdict.read:
            assert verdict.paused
            assert verdict.wait_s > 0
            later, _ = judge(before, right=True, now=at + seconds(verdict.wait_s))
            assert later.read, "after Retry-After it is read"
        elif place != "home" and not right:
            read.append(at)
    for start in read:
        window = [t for t in read if start <= t < start + seconds(60)]
        assert len(window) <= DEVICE.free + 4 + 6


@given(
    st.sampled_from(sorted(RULES)), st.integers(0, 10**9), st.integers(-(10**6), 10**6)
)
def test_a_clock_that_was_set_back_makes_no_pause_longer(
    name: str, wrong: int, moved_s: int
) -> None:
    rule = RULES[name]
    wait = Tally(wrong, NOW).wait_s(rule, NOW + seconds(moved_s))
    assert 0 <= wait <= rule.longest_s
