"""When a worker is started again: at once, then ever later, or not at all."""

from linekey.server.restarts import EARLY_DEATHS, NO_DATABASE, Restarts


def test_the_first_death_within_a_minute_is_answered_at_once() -> None:
    worker = Restarts()
    assert worker.died(started=0, now=1000, exit_code=-9) == 0
    assert worker.died(started=1000, now=1060, exit_code=-9) == 0
    assert worker.died(started=1060, now=1119.9, exit_code=-9) == 1


def test_from_the_second_on_the_pause_doubles_up_to_thirty_seconds() -> None:
    worker = Restarts()
    now, pauses = 100.0, []
    for _ in range(12):
        pause = worker.died(started=now - 5, now=now, exit_code=1)
        pauses.append(pause)
        now += 5
    assert pauses[:6] == [0, 1, 2, 4, 8, 16]
    assert set(pauses[6:]) == {30}


def test_a_worker_that_cannot_live_is_given_up() -> None:
    worker, now, starts = Restarts(), 0.0, 0
    while (pause := worker.died(started=now, now=now, exit_code=1)) is not None:
        starts += 1
        now += pause
    assert starts == EARLY_DEATHS - 1
    assert now == 0 + 1 + 2 + 4


def test_early_deaths_count_in_a_row_only() -> None:
    worker = Restarts()
    for at in range(0, 6000, 100):
        for moment in range(EARLY_DEATHS - 1):
            now = at + moment
            assert worker.died(started=now - 1, now=now, exit_code=1) is not None
        assert worker.died(started=at, now=at + 50, exit_code=1) is not None


def test_a_database_that_is_away_gives_no_worker_up_and_eats_no_processor() -> None:
    worker, now, starts = Restarts(), 0.0, 0
    while now < 600:
        pause = worker.died(started=now, now=now + 0.1, exit_code=NO_DATABASE)
        assert pause is not None
        now += 0.1 + pause
        starts += 1
    assert starts <= 60
