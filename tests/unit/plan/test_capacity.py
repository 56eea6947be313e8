"""A plan grows with what is asked for, holds its promise, and refuses nonsense."""

from dataclasses import replace

import pytest

from linekey.errors import InputError
from linekey.plan.capacity import Fleet, kept_mib, make_plan
from linekey.plan.costs import Costs

COSTS = Costs(
    machine="a machine", measured_at="2026-11-29T20:00:00+00:00", linekey="0.1",
    by="a test", first_ms=1.5, whole_ms=1.5, resumed_ms=0.65, idle_kib=46.6, worker_mib=73,
    decision_bytes=500, phone_bytes=900,
)  # fmt: skip
SMALL = Fleet(2_000, 10.0, cores=1, spare=0, uneven=0.0, connections=1)


def test_one_core_serves_what_it_has_time_for() -> None:
    found = make_plan(COSTS, SMALL)  # 3 s of work in 10 s
    assert (found.servers, found.cores, found.share) == (1, 1, 2_000)
    assert found.outcome.busy == pytest.approx(0.3, rel=0.05)
    assert found.outcome.wait_of(0.99) < 0.1


def test_work_beyond_the_time_that_there_is_takes_more_servers() -> None:
    fleet = replace(SMALL, phones=20_000)  # 30 s of work in 10 s, and 5 s of patience
    found = make_plan(COSTS, fleet)
    assert found.servers in (2, 3)
    assert found.outcome.wait_of(0.99) <= fleet.wait_s
    impatient = make_plan(COSTS, replace(fleet, wait_s=0.05))
    assert impatient.servers > found.servers
    assert impatient.outcome.wait_of(0.99) <= 0.05


def test_each_wish_costs_what_it_costs() -> None:
    plain = make_plan(COSTS, SMALL)
    spared = make_plan(COSTS, replace(SMALL, spare=2))
    assert spared.servers == plain.servers + 2
    assert spared.share == plain.share, "the spare ones are down when it is worst"
    busy = replace(SMALL, phones=9_000)
    assert (
        make_plan(COSTS, replace(busy, uneven=1.0)).servers
        > make_plan(COSTS, busy).servers
    )
    twice = replace(SMALL, connections=2)
    assert make_plan(COSTS, twice).outcome.busy > make_plan(COSTS, SMALL).outcome.busy
    resumed = replace(twice, resumed=1.0)
    assert make_plan(COSTS, resumed).outcome.busy < make_plan(COSTS, twice).outcome.busy


def test_the_database_has_a_row_for_each_request_for_as_long_as_it_is_kept() -> None:
    found = make_plan(COSTS, replace(SMALL, asks_a_day=3, keep_days=10))
    assert found.rows_a_day == 6_000
    assert found.database_mib == pytest.approx((2_000 * 900 + 60_000 * 500) / 2**20)
    assert found.rows_a_second == pytest.approx(200)


def test_memory_is_workers_who_watches_them_and_open_connections() -> None:
    found = make_plan(COSTS, SMALL)
    assert found.open_connections >= 2_000, "all of them within keep-alive's 15 s"
    assert found.memory_mib == pytest.approx(
        2 * 73 + kept_mib(2_000) + found.open_connections * 46.6 / 1024
    )
    cores = make_plan(COSTS, replace(SMALL, cores=3))
    assert cores.memory_mib - found.memory_mib == pytest.approx(
        2 * (73 + kept_mib(2_000)), abs=1
    ), "each worker may have met each phone"
    slow = make_plan(COSTS, replace(SMALL, within_s=600))
    assert slow.open_connections < 100
    assert slow.memory_mib < found.memory_mib


def test_a_worker_keeps_what_its_limits_let_it_keep() -> None:
    assert kept_mib(0) == 0
    assert kept_mib(4_000) == pytest.approx(58, abs=2)
    assert kept_mib(10_000) == pytest.approx(88, abs=2)
    assert kept_mib(1_000_000) == kept_mib(65_536), "no more are kept"


def test_the_same_question_has_the_same_answer() -> None:
    assert make_plan(COSTS, SMALL) == make_plan(COSTS, SMALL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"phones": 0}, {"phones": -5}, {"phones": 10_000_000}, {"connections": 0},
        {"connections": 99}, {"cores": 0}, {"within_s": 0.0}, {"wait_s": 0.0},
        {"asks_a_day": float("inf")}, {"asks_a_day": float("nan")}, {"asks_a_day": -1},
        {"keep_days": 0}, {"keep_days": 10**20},
        {"phones": 1_000_000, "connections": 20},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError) as raised:
        make_plan(COSTS, replace(SMALL, **wrong))  # type: ignore[arg-type]
    assert raised.value.hint


def test_a_fleet_for_which_there_are_not_enough_servers_is_refused() -> None:
    slow = replace(COSTS, first_ms=60_000, whole_ms=60_000)
    with pytest.raises(InputError, match="more than 1,000 servers"):
        make_plan(slow, replace(SMALL, phones=1_000_000, within_s=1, wait_s=1))


def test_a_phone_that_the_server_has_not_seen_costs_more_and_only_at_first() -> None:
    fleet = Fleet(2_000, 10.0, connections=2, cores=1, spare=0, uneven=0.0)
    plain = make_plan(COSTS, fleet)
    dear = make_plan(replace(COSTS, first_ms=3.0), fleet)
    more_s = dear.outcome.busy * dear.outcome.last_s - (
        plain.outcome.busy * plain.outcome.last_s
    )
    assert dear.servers == plain.servers == 1
    assert more_s == pytest.approx(2_000 * 0.0015, rel=0.01)
