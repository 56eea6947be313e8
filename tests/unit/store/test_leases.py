"""One of several does it; another when he is gone."""

from datetime import datetime, timedelta

from linekey.store.database import Database
from linekey.store.leases import LEASE, Lease

SECOND = timedelta(seconds=1)


def test_one_has_it_until_he_is_gone(database: Database, now: datetime) -> None:
    first, second = Lease(database, "x"), Lease(database, "x")
    assert first.take(now)
    assert not second.take(now)
    assert Lease(database, "y").take(now), "another name"
    assert first.take(now + LEASE / 2), "and keeps it"
    assert not second.take(now + LEASE)
    assert second.take(now + LEASE / 2 + LEASE)
    assert not first.take(now + LEASE / 2 + LEASE)


def test_who_leaves_gives_it_back_at_once(database: Database, now: datetime) -> None:
    first, second = Lease(database, "x"), Lease(database, "x")
    assert first.take(now)
    assert not second.take(now)
    second.give_back()  # which it has not
    assert not Lease(database, "x").take(now)
    first.give_back()
    assert second.take(now)


def test_a_clock_that_was_ahead_does_not_keep_it(
    database: Database, now: datetime
) -> None:
    years = timedelta(days=3650)
    ahead, right = Lease(database, "x"), Lease(database, "x")
    assert ahead.take(now + years)
    assert right.take(now)
    assert right.take(now + LEASE / 2)


def test_a_clock_that_is_set_back_takes_it_anew(
    database: Database, now: datetime
) -> None:
    lease = Lease(database, "x")
    assert lease.take(now + timedelta(days=1))
    assert lease.take(now)
    assert not Lease(database, "x").take(now + SECOND)


def test_since_when_it_is_done_is_kept(database: Database, now: datetime) -> None:
    first = Lease(database, "x")
    assert first.take(now)
    assert first.since is None
    with database.change_uncounted() as connection:
        first.begin(connection, now)
    later = now + 2 * LEASE
    second = Lease(database, "x")
    assert second.take(later)
    assert second.since == now
    with database.change_uncounted() as connection:
        second.begin(connection, later)
    third = Lease(database, "x")
    assert third.take(later + 2 * LEASE)
    assert third.since == now
