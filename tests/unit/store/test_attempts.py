"""The brake's counts in the database: seen by all, kept over a restart, bounded."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from linekey.errors import Cause, StorageError
from linekey.mac import Mac
from linekey.provisioning.brake import Verdict
from linekey.provisioning.device import Device, DigestCredential
from linekey.store import attempts as module
from linekey.store.attempts import AttemptStore
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.schema import digest_attempts, digest_places

MAC, OTHER = Mac("000413AABBCC"), Mac("000413AABBCD")
HERE, THERE = "192.0.2.7", "198.51.100.9"


@pytest.fixture
def store(database: Database) -> Iterator[AttemptStore]:
    with AttemptStore(database) as store:
        yield store


async def ask(
    store: AttemptStore, now: datetime, *, right: bool = False, source: str = HERE,
    leaf: str | None = None, mac: Mac = MAC,
) -> Verdict:  # fmt: skip
    return await store.judge(mac, source, leaf, right=right, now=now)


def rows(database: Database) -> dict[str, int]:
    with database.read() as connection:
        query = sa.select(digest_attempts.c.scope, digest_attempts.c.wrong)
        return {row.scope: row.wrong for row in connection.execute(query)}


async def test_a_thousand_at_one_moment_are_three_guesses_for_all_workers(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A thousand at once may take their time on a busy machine.
    monkeypatch.setattr(module, "ANSWER_WITHIN_S", 60.0)
    with open_database(database.state) as again:
        with AttemptStore(database) as one, AttemptStore(again) as other:
            verdicts = await asyncio.gather(
                *(ask(store, now) for store in (one, other) * 500)
            )
        assert sum(verdict.read for verdict in verdicts) == 3
    assert rows(database) == {
        f"{MAC} from {HERE}": 3,
        f"{MAC} from anywhere": 3,
        f"from {HERE}": 3,
    }


async def test_a_pause_outlives_a_restart(
    database: Database, store: AttemptStore, now: datetime
) -> None:
    for _ in range(3):
        await ask(store, now)
    with open_database(database.state) as again, AttemptStore(again) as fresh:
        assert not (await ask(fresh, now)).read
        assert (await ask(fresh, now + timedelta(seconds=1))).read


async def test_other_devices_and_sources_are_not_paused(
    store: AttemptStore, now: datetime
) -> None:
    for _ in range(4):
        await ask(store, now)
    assert (await ask(store, now, mac=OTHER)).read
    assert (await ask(store, now, source=THERE)).read
    assert not (await ask(store, now)).read


async def test_the_own_place_is_where_and_with_which_certificate_it_was_right(
    database: Database, store: AttemptStore, now: datetime
) -> None:
    assert (await ask(store, now, right=True, leaf="ab")).read
    assert rows(database) == {}, "a right answer is no attempt"
    for n in range(30):  # strangers everywhere
        await ask(store, now, source=f"203.0.113.{n}")
    assert not (await ask(store, now, right=True, source=THERE)).read
    assert not (await ask(store, now, right=True, leaf="cd")).read
    for _ in range(10):  # and a neighbour with the same certificate
        await ask(store, now, leaf="ab")
    verdict = await ask(store, now, right=True, leaf="ab")
    assert (verdict.read, verdict.paused) == (True, True)


async def test_a_phone_that_moves_is_at_home_where_it_was_right_last(
    database: Database, store: AttemptStore, now: datetime
) -> None:
    for source in (HERE, THERE):
        assert (await ask(store, now, right=True, source=source)).read
    with database.read() as connection:
        places = connection.execute(sa.select(digest_places)).all()
    assert [tuple(place) for place in places] == [(MAC.digits, THERE, None)]


async def test_in_a_pause_nothing_is_written(
    store: AttemptStore, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await ask(store, now)
    written = store._written
    for _ in range(20):
        await ask(store, now)
    assert store._written == written


async def test_rows_are_bounded_and_the_hottest_stay(
    database: Database, store: AttemptStore, now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "MAX_ROWS", 20)
    monkeypatch.setattr(module, "PRUNE_EVERY", 10)
    for n in range(6):
        await ask(store, now + timedelta(minutes=n))
    later = now + timedelta(minutes=6)
    for n in range(100):
        mac = Mac(f"0004130000{n:02X}")
        await ask(store, later, mac=mac, source=f"203.0.113.{n}")
        assert len(rows(database)) <= 20 + 3 * 10
    assert rows(database)[f"{MAC} from {HERE}"] == 6
    await_later = later + timedelta(days=1)
    for _ in range(10):
        await ask(store, await_later, mac=OTHER, source=THERE)
        await_later += timedelta(minutes=2)
    assert len(rows(database)) <= 3, "the rest is forgotten"


@pytest.mark.parametrize(
    "act",
    [
        lambda devices, now: devices.change(
            MAC,
            lambda d: replace(d, digest=DigestCredential.create("u", "r", "new")),
            now,
        ),
        lambda devices, now: devices.remove(MAC, now),
    ],
)
async def test_a_new_password_begins_anew(
    database: Database, store: AttemptStore, now: datetime,
    act: Callable[[Devices, datetime], object],
) -> None:  # fmt: skip
    devices = Devices(database)
    devices.add(Device(MAC, "snom"), now)
    await ask(store, now, right=True)
    for _ in range(5):
        await ask(store, now, source=THERE)
        await ask(store, now, source=THERE, mac=OTHER)
    act(devices, now)
    assert set(rows(database)) == {
        f"from {THERE}", f"{OTHER} from anywhere", f"{OTHER} from {THERE}"
    }  # fmt: skip
    with database.read() as connection:
        assert connection.execute(sa.select(digest_places)).all() == []


async def test_a_device_that_is_added_begins_anew(
    database: Database, store: AttemptStore, now: datetime
) -> None:
    for _ in range(5):
        await ask(store, now)
    Devices(database).add(Device(MAC, "snom"), now)
    assert set(rows(database)) == {f"from {HERE}"}


async def test_a_database_that_does_not_answer_is_told_in_time(
    database: Database, store: AttemptStore, now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "ANSWER_WITHIN_S", 0.05)
    with (
        database.write(),  # somebody holds SQLite's one lock
        pytest.raises(StorageError, match="not answered within") as raised,
    ):
        await ask(store, now)
    assert raised.value.cause is Cause.SLOW
    monkeypatch.setattr(module, "ANSWER_WITHIN_S", 60)
    assert (await ask(store, now)).read


async def test_a_source_of_any_length_is_kept(
    database: Database, store: AttemptStore, now: datetime
) -> None:
    assert (await ask(store, now, source="x" * 1000, right=True)).read
    assert (await ask(store, now, source="x" * 1000)).read
    assert max(map(len, rows(database))) <= 96
