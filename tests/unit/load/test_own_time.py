"""The load's own share of the requests' time: between what bounds, and how it adds up."""

import json
import random

import pytest

from linekey.load.own_time import OwnTime, Tick


def of(*ticks: Tick) -> OwnTime:
    own = OwnTime()
    for tick in ticks:
        own.add(tick)
    return own


def test_a_load_that_only_waits_has_no_share() -> None:
    own = of(*[Tick(1.0, 0.0, 0.0, 10, 0.0)] * 3)
    assert (own.least, own.most, own.busy) == (0, 0, 0)


def test_one_request_at_a_time_has_one_share_and_not_two_bounds() -> None:
    own = of(*[Tick(1.0, 0.2, 0.0, 1, 0.0)] * 5)
    assert own.least == pytest.approx(0.2)
    assert own.most == pytest.approx(0.2)


def test_many_at_a_time_may_each_have_waited_for_what_was_computed() -> None:
    own = of(Tick(1.0, 0.5, 0.0, 10, 0.0))
    assert own.least == pytest.approx(0.05)
    assert own.most == pytest.approx(0.5)


def test_waiting_for_a_core_is_the_loads_own_at_most_and_not_at_least() -> None:
    own = of(Tick(1.0, 0.1, 0.6, 1, 0.0))
    assert own.least == pytest.approx(0.1)
    assert own.most == pytest.approx(0.7)


def test_times_without_requests_do_not_count_to_the_share() -> None:
    own = of(Tick(1.0, 0.9, 0.0, 0, 0.0), Tick(1.0, 0.1, 0.0, 2, 0.0))
    assert own.most == pytest.approx(0.1)
    assert own.busy == pytest.approx(0.5)


def test_no_share_is_above_all_and_least_is_never_above_most() -> None:
    chance = random.Random(4)
    for _ in range(300):
        own = of(
            *(
                Tick(
                    chance.random(),
                    chance.random() * 2,
                    chance.random(),
                    chance.randrange(5),
                    chance.random(),
                )
                for _ in range(chance.randrange(6))
            )
        )
        assert 0 <= own.least <= own.most <= 1
        assert 0 <= own.busy <= 1


def test_lags_are_told_by_their_share() -> None:
    own = of(*[Tick(1, 0, 0, 0, 0.001)] * 98, *[Tick(1, 0, 0, 0, 0.2)] * 2)
    assert own.lag_ms(0.5) == 1
    assert own.lag_ms(0.98) == 1
    assert own.lag_ms(0.99) == 200
    assert OwnTime().lag_ms(0.99) == 0


def test_what_is_written_is_read_and_several_add_up() -> None:
    one = of(Tick(1.0, 0.5, 0.1, 3, 0.004))
    two = of(Tick(2.0, 0.25, 0.0, 1, 0.008))
    again = OwnTime.parse(json.loads(json.dumps(one.as_dict())))
    assert again == one
    both = OwnTime.sum([again, two])
    assert both.cpu_s == 0.75
    assert both.requests_s == 5.0
    assert both.lags_ms == {4: 1, 8: 1}
