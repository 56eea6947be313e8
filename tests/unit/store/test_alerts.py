"""Each alert once until it is over; many of one cause in one message."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection
from tests.sightings import NOW

from linekey.alerts.kinds import Kind, Noticed
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.store.alerts import QUIET, Told, holding, see, tell
from linekey.store.database import Database
from linekey.store.devices import Devices

WAIT, EVERY = timedelta(seconds=30), timedelta(minutes=5)
SECOND = timedelta(seconds=1)


def one(number: int = 1, cause: str = "expired", **more: Any) -> Noticed:
    mac = f"0004130{number:05X}"
    usual = {
        "kind": Kind.REFUSED, "key": mac, "cause": cause, "sentence": f"it {cause}",
        "cure": "renew it", "since": NOW, "mac": mac,
    }  # fmt: skip
    return Noticed(**(usual | more))


def told(database: Database, at: datetime) -> list[Told]:
    found: list[Told] = []

    def put(_: Connection, what: Told) -> None:
        found.append(what)

    assert tell(database, at, wait=WAIT, every=EVERY, put=put) == len(found)
    return found


def test_it_is_told_once_until_it_is_over(database: Database) -> None:
    see(database, Kind.REFUSED, [one()], NOW)
    assert told(database, NOW + WAIT - SECOND) == []
    (message,) = told(database, NOW + WAIT)
    assert (message.kind, message.cause, message.count) == (Kind.REFUSED, "expired", 1)
    assert message.sentence == "it expired"
    for minutes in range(1, 600, 7):
        at = NOW + WAIT + timedelta(minutes=minutes)
        see(database, Kind.REFUSED, [one()], at)
        assert told(database, at) == []
    over = NOW + timedelta(days=1)
    see(database, Kind.REFUSED, [], over)
    assert holding(database) == ([], 0)
    again = over + QUIET
    see(database, Kind.REFUSED, [], again)
    see(database, Kind.REFUSED, [one(since=again)], again)
    assert len(told(database, again + WAIT)) == 1


def test_what_comes_again_soon_is_the_same_alert(database: Database) -> None:
    see(database, Kind.REFUSED, [one()], NOW)
    assert len(told(database, NOW + WAIT)) == 1
    at = NOW + WAIT
    for _ in range(4):
        at += QUIET - SECOND
        see(database, Kind.REFUSED, [], at)
        at += QUIET - SECOND
        see(database, Kind.REFUSED, [one()], at)
        assert told(database, at + EVERY) == []


def test_what_is_over_before_it_was_told_is_not_told(database: Database) -> None:
    see(database, Kind.REFUSED, [one()], NOW)
    see(database, Kind.REFUSED, [], NOW + SECOND)
    assert told(database, NOW + WAIT) == []


def test_three_thousand_refused_phones_are_one_message(database: Database) -> None:
    fleet = [one(n) for n in range(3000)]
    Devices(database).add(
        Device(Mac("000413000000"), "snom", "D785", label="Hall"), NOW
    )
    see(database, Kind.REFUSED, [*fleet, one(5000, "no_mac")], NOW)
    first, second = sorted(told(database, NOW + WAIT), key=lambda m: -m.count)
    assert (first.count, second.count) == (3000, 1)
    assert len(first.items) == 100
    assert (first.items[0].label, first.items[0].model) == ("Hall", "D785")
    assert told(database, NOW + WAIT + EVERY) == []


def test_those_that_follow_wait_for_the_next_message(database: Database) -> None:
    see(database, Kind.REFUSED, [one(1)], NOW)
    assert len(told(database, NOW + WAIT)) == 1
    count = 0
    for minute in range(1, 21):
        at = NOW + WAIT + timedelta(minutes=minute)
        fleet = [one(n, since=at) for n in range(1, 10 * minute)]
        see(database, Kind.REFUSED, fleet, at)
        count += len(told(database, at))
    assert count == 4, "one in five minutes"
    see(database, Kind.REFUSED, [*fleet, one(9000, "no_mac", since=at)], at)
    assert [m.cause for m in told(database, at + WAIT)] == ["no_mac"], "another cause"


def test_a_message_that_cannot_be_written_is_told_the_next_time(
    database: Database,
) -> None:
    see(database, Kind.REFUSED, [one()], NOW)

    def fail(connection: Connection, what: Told) -> None:
        raise ZeroDivisionError

    try:
        tell(database, NOW + WAIT, wait=WAIT, every=EVERY, put=fail)
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError
    assert len(told(database, NOW + WAIT)) == 1


def test_what_was_so_before_is_not_told(database: Database) -> None:
    see(database, Kind.REVOKED, [one(1, kind=Kind.REVOKED)], NOW, silently=True)
    later = NOW + EVERY + WAIT
    both = [one(n, kind=Kind.REVOKED, since=later) for n in (1, 2)]
    see(database, Kind.REVOKED, both, later)
    (message,) = told(database, later + WAIT)
    assert [item.mac for item in message.items] == ["000413000002"]


def test_twice_as_many_phones_are_told_again(database: Database) -> None:
    def end(size: int, at: datetime) -> None:
        found = one(key="x", kind=Kind.FORECAST, size=size, since=at)
        see(database, Kind.FORECAST, [found], at)

    at = NOW
    for size, news in ((10, 1), (11, 0), (19, 0), (20, 1), (39, 0), (5, 0), (40, 1)):
        at += EVERY + WAIT
        end(size, at)
        assert len(told(database, at + WAIT)) == news, size


def test_keys_that_begin_otherwise_are_left_alone(database: Database) -> None:
    kind = Kind.ENDS
    here, there = one(key="server:a_b:1", kind=kind), one(key="server:axb:1", kind=kind)
    see(database, kind, [here], NOW, beginning="server:a_b:")
    see(database, kind, [there], NOW, beginning="server:axb:")
    see(database, kind, [], NOW, beginning="server:a_b:")
    held, total = holding(database)
    assert (total, len(held)) == (1, 1)


def test_a_clock_that_was_set_back_keeps_nothing_waiting(database: Database) -> None:
    see(database, Kind.REFUSED, [one(since=NOW + timedelta(days=99))], NOW)
    assert len(told(database, NOW)) == 1
