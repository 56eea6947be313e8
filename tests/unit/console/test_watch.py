"""The forecast of lately: at once, and made anew each hour."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.certificates import DAY, ca, leaf

from linekey.check.forecast import Served
from linekey.console.watch import RENEWED_AFTER, Outlook, Watch
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import CertificateEntry, Layer
from linekey.provisioning.group import Group
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.paths import StateDir

NAME = "prov.example.com"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
OURS = ca("ours")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(StateDir.open(tmp_path / "state")) as database:
        yield database


async def made(watch: Watch) -> Outlook | None:
    watch.latest()
    async with asyncio.timeout(60):
        while (task := watch._of(None).task) is not None:
            await asyncio.wait([task])
    return watch.latest()


async def test_it_is_made_beside_and_made_anew_when_it_is_old(
    database: Database,
) -> None:
    trusts = Layer(certificates=(CertificateEntry(OURS.certificate.der),))
    phones = Devices(database)
    phones.add_all(
        [
            Device(Mac(f"0004130{n:05X}"), "snom", "D785", "10.1.185.0", layer=trusts)
            for n in range(3)
        ],
        NOW,
    )
    served = [Served(NAME, NAME, (leaf(OURS, NAME, not_after=NOW + 90 * DAY),))]
    now = NOW
    watch = Watch(database, lambda: served, lambda: now)
    try:
        assert watch.latest() is None
        outlook = await made(watch)
        assert outlook is not None
        assert (outlook.made_at, outlook.failing, outlook.failed) == (NOW, 3, 0)
        assert outlook.next_end == {"accepts": (NOW + 90 * DAY, 3)}
        (end,) = outlook.ends
        assert (end.at, end.phones) == (NOW + 90 * DAY, 3)
        assert end.sentence == f"3 phones stop accepting {NAME}"
        served[0] = Served(NAME, NAME, (leaf(OURS, NAME, not_after=NOW - DAY),))
        now += RENEWED_AFTER - timedelta(seconds=1)
        assert await made(watch) == outlook
        now += timedelta(seconds=1)
        assert await made(watch) == Outlook(now, 0, 3, {})
    finally:
        watch.close()


async def test_trouble_with_the_database_leaves_the_older_one(
    database: Database, caplog
) -> None:
    now = NOW
    watch = Watch(database, lambda: (), lambda: now)
    try:
        outlook = await made(watch)
        assert outlook == Outlook(NOW, 0, 0, {})
        with database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE devices RENAME TO elsewhere")
        now += RENEWED_AFTER
        assert await made(watch) == outlook
        assert "no forecast could be made" in caplog.text
    finally:
        watch.close()


async def test_a_kept_one_is_good_enough_for_who_says_so(database: Database) -> None:
    now = NOW
    acme, day = frozenset({"acme"}), timedelta(days=1)
    Groups(database).add(Group("acme"), NOW)
    phones = Devices(database)
    phones.add(Device(Mac("000413000001"), "snom", "D785"), NOW)
    phones.add(Device(Mac("000413000002"), "snom", "D785", group="acme"), NOW)
    watch = Watch(database, lambda: (), lambda: now)
    try:
        both = await asyncio.gather(*(watch.kept(None, day) for _ in range(3)))
        assert both[0] is both[1] is both[2]
        mine = await watch.kept(acme, day)
        assert mine is not None
        assert (both[0].phones, mine.phones) == (2, 1)
        phones.add(Device(Mac("000413000003"), "snom", "D785"), NOW)
        assert await watch.kept(None, day) is both[0]
        now += timedelta(minutes=10)
        assert await watch.kept(None, day) is both[0], "a newer one is made beside"
        newer = await watch.kept(None, timedelta(minutes=5))
        assert newer is not None
        assert (newer.phones, newer.made_at) == (3, now)
        for number in range(40):
            await watch.kept(frozenset({f"g{number}"}), day)
        assert len(watch._kept) <= 16
        assert await watch.kept(None, day) is newer
    finally:
        watch.close()


async def test_one_that_cannot_be_made_is_none(database: Database, caplog) -> None:
    watch = Watch(database, lambda: (), lambda: datetime(1970, 1, 1, tzinfo=UTC))
    try:
        assert await watch.kept(None, timedelta(days=1)) is None
        assert "it was not set" in caplog.text
    finally:
        watch.close()
