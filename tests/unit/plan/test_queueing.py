"""The simulation agrees with the formulas where there are any, and with reason."""

import sys
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.plan.queueing import mean_wait_md1, mean_wait_mmc, simulate

MANY = 40_000


def by_chance(rate: float, chance: Random, count: int = MANY) -> list[float]:
    """Arrivals that know nothing of each other, so many a second."""
    return list(accumulate(chance.expovariate(rate) for _ in range(count)))


@pytest.mark.parametrize("load", [0.3, 0.8])
def test_one_worker_and_equal_costs_wait_as_pollaczek_and_khinchine_say(
    load: float,
) -> None:
    service = 0.0015
    rate = load / service
    found = simulate(by_chance(rate, Random(1)), [(service,)] * MANY, 1)
    assert found.mean_wait_s == pytest.approx(mean_wait_md1(rate, service), rel=0.06)
    assert found.busy == pytest.approx(load, rel=0.03)


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("load", [0.5, 0.8])
def test_several_workers_and_costs_by_chance_wait_as_erlang_says(
    workers: int, load: float
) -> None:
    service = 0.002
    rate = load * workers / service
    chance = Random(100 + workers)  # not that of the arrivals
    costs = [(chance.expovariate(1 / service),) for _ in range(MANY)]
    found = simulate(by_chance(rate, Random(2)), costs, workers)
    expected = mean_wait_mmc(rate, service, workers)
    assert found.mean_wait_s == pytest.approx(expected, rel=0.1)


def test_one_worker_by_both_formulas_of_the_textbooks() -> None:
    """M/M/1: load × service ÷ (1 − load); costs by chance wait twice as long as equal
    ones."""
    assert mean_wait_mmc(50, 0.01, 1) == pytest.approx(0.5 * 0.01 / 0.5)
    assert mean_wait_mmc(50, 0.01, 1) == pytest.approx(2 * mean_wait_md1(50, 0.01))
    # Erlang's C for two workers with a load of one: a third waits.
    assert mean_wait_mmc(100, 0.01, 2) == pytest.approx(0.01 / 3)


@pytest.mark.parametrize("load", [1.0, 1.5])
def test_too_many_have_no_mean(load: float) -> None:
    with pytest.raises(ValueError, match="without end"):
        mean_wait_md1(load / 0.01, 0.01)
    with pytest.raises(ValueError, match="without end"):
        mean_wait_mmc(2 * load / 0.01, 0.01, 2)


def test_all_at_once_are_served_one_after_the_other() -> None:
    found = simulate([0.0] * 6, [(2.0,)] * 6, 2)
    assert found.waits_s == (0.0, 0.0, 2.0, 2.0, 4.0, 4.0)
    assert (found.last_s, found.busy, found.most_waiting) == (6.0, 1.0, 4)


def test_a_phone_comes_again_after_its_answer() -> None:
    found = simulate([1.0], [(2.0, 3.0)], 1, think_s=0.5)
    assert found.waits_s == (0.0, 0.0)
    assert found.last_s == 1.0 + 2.0 + 0.5 + 3.0
    assert found.wait_of(0.99) == 0.0


def test_nobody_waits_where_nobody_comes() -> None:
    found = simulate([], [], 3)
    assert (found.waits_s, found.last_s, found.busy) == ((), 0.0, 0.0)
    assert (found.mean_wait_s, found.wait_of(0.99)) == (0.0, 0.0)


@given(
    st.lists(st.floats(0, 100), max_size=40).map(sorted),
    st.integers(1, 5),
    st.floats(0.001, 5),
)
def test_work_is_neither_lost_nor_made(
    arrivals: list[float], workers: int, cost: float
) -> None:
    found = simulate(arrivals, [(cost,)] * len(arrivals), workers)
    assert len(found.waits_s) == len(arrivals)
    assert all(wait >= 0 for wait in found.waits_s)
    assert list(found.waits_s) == sorted(found.waits_s)
    if arrivals:
        assert found.last_s >= arrivals[-1] + cost - 1e-6
        assert found.busy <= 1 + 1e-9
        done = found.busy * workers * found.last_s
        assert done == pytest.approx(len(arrivals) * cost, rel=1e-6)


@given(st.lists(st.floats(0, 20), min_size=1, max_size=30).map(sorted))
def test_one_more_worker_never_makes_anybody_wait_longer(arrivals: list[float]) -> None:
    costs = [(1.0,)] * len(arrivals)
    few, more = (simulate(arrivals, costs, workers) for workers in (1, 2))
    assert all(a >= b - 1e-9 for a, b in zip(few.waits_s, more.waits_s, strict=True))


@pytest.fixture
def no_simpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simpy", None)


def test_without_simpy_it_says_how_to_get_it(no_simpy: None) -> None:
    with pytest.raises(InputError, match="not installed") as raised:
        simulate([0.0], [(1.0,)], 1)
    assert "linekey[plan]" in raised.value.hint
