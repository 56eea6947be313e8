"""Wrong passwords make pauses that grow, and that nobody else has to bear."""

from datetime import datetime, timedelta

from linekey.store import log_ins
from linekey.store.database import Database, open_database
from linekey.store.log_ins import PAIR, LogIns

S = timedelta(seconds=1)


def of(database: Database, user: str, source: str, home: bool = False) -> LogIns:
    return LogIns(database, user, source, at_home=home)


def test_pauses_double_and_survive_a_restart(database: Database, now: datetime) -> None:
    counts, waits = of(database, "anna", "192.0.2.7"), []
    for _ in range(PAIR.free + 3):
        wait = counts.wrong(now)
        waits.append(wait)
        now += wait * S
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8]
    now -= 5 * S
    with open_database(database.state) as again:
        assert of(again, "ANNA", "192.0.2.7").wait_s(now) == 5
        assert of(again, "anna", "192.0.2.8").wait_s(now) == 0
        assert of(again, "ben", "192.0.2.7").wait_s(now) == 0


def test_in_a_pause_nothing_counts_and_the_right_one_does_not_get_in(
    database: Database, now: datetime
) -> None:
    counts = of(database, "anna", "192.0.2.7")
    for _ in range(PAIR.free):
        counts.wrong(now)
    assert [counts.wrong(now) for _ in range(3)] == [1, 1, 1]
    assert not counts.right(now)
    assert counts.right(now + S)
    assert counts.wrong(now + S) == 0


def test_a_user_is_not_kept_out_at_home_by_guesses_elsewhere(
    database: Database, now: datetime
) -> None:
    for number in range(40):
        of(database, "anna", f"198.51.100.{number}").wrong(now)
    assert of(database, "anna", "192.0.2.7").wait_s(now) > 0
    assert of(database, "anna", "192.0.2.7", home=True).wait_s(now) == 0


def test_one_source_cannot_go_through_all_names(
    database: Database, now: datetime
) -> None:
    waits = [of(database, f"u{n}", "192.0.2.7").wrong(now) for n in range(70)]
    assert waits[58] == 0
    assert waits[-1] > 0


def test_rows_are_bounded(database: Database, now: datetime) -> None:
    import sqlalchemy as sa

    from linekey.store.schema import log_in_attempts

    before, log_ins.MAX_ROWS = log_ins.MAX_ROWS, 10
    try:
        for number in range(20):
            of(database, f"u{number}", f"198.51.100.{number}").wrong(now)
    finally:
        log_ins.MAX_ROWS = before
    with database.read() as connection:
        count = sa.select(sa.func.count()).select_from(log_in_attempts)
        assert connection.execute(count).scalar_one() <= 10
