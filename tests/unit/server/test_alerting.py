"""The whole way of an alert: seen, told once, sent until it is delivered, by one."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook as Reference
from tests.certificates import ca, ec, leaf
from tests.receivers import SECRET, Receiver, receiving
from tests.sightings import line, refused, visit

from linekey.certs.certificate import Certificate
from linekey.console.watch import End, Outlook
from linekey.mac import Mac
from linekey.provisioning.device import Device, DigestCredential, hash_token
from linekey.provisioning.document import Layer, Setting
from linekey.server.alerting import Alerting
from linekey.settings import parse_settings
from linekey.store import outbox, schema, sightings
from linekey.store.alerts import holding
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.leases import LEASE
from linekey.store.paths import StateDir

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CANARY = "KANARIENVOGEL4711"
ISSUER = ca("any", own=ec("any"))
GOOD = leaf(ISSUER, "prov.example.com", leaf_key=ec("l"), not_after=NOW + 80 * DAY)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(StateDir.open(tmp_path / "state")) as database:
        yield database


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """A receiver, a clock, and a server that tells alerts; ``step`` is one look."""

    database: Database
    receiver: Receiver
    clock: Clock = field(default_factory=Clock)
    chain: list[Any] = field(default_factory=lambda: [GOOD])
    outlook: Outlook | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def server(self, database: Database | None = None) -> Alerting:
        settings = parse_settings(
            options={
                "alerts.webhooks": (f"http://127.0.0.1:{self.receiver.port}/{CANARY}",),
                "alerts.webhook_secret": SECRET,
                "alerts.allowed_networks": ("127.0.0.1",),
                "instance": "phones1",
                **self.more,
            }
        )
        return Alerting(
            settings, database or self.database, chain=lambda: self.chain,
            outlook=lambda: self.outlook, clock=self.clock,
        )  # fmt: skip

    async def after(self, server: Alerting, minutes: float) -> list[dict[str, Any]]:
        """What is told when so much time has passed."""
        before = len(self.receiver.got)
        end = self.clock.now + minutes * MINUTE
        step = max(0.5, minutes / 15) * MINUTE
        while True:
            await server.step()
            if self.clock.now >= end:
                break
            self.clock.now = min(end, self.clock.now + step)
        return [json.loads(body) for _, body in self.receiver.got[before:]]


@asynccontextmanager
async def world(database: Database, **more: Any) -> AsyncIterator[World]:
    async with receiving() as receiver:
        yield World(database, receiver, more=more)


def add(database: Database, *numbers: int) -> list[Mac]:
    macs = [Mac(f"0004130{n:05X}") for n in numbers]
    secret = Layer().with_settings(Setting("user_pass", CANARY, 1))
    digest = DigestCredential.create("u", "linekey", CANARY)
    phones = [
        Device(mac, "snom", "D785", layer=secret, digest=digest,
               token_sha256=hash_token(CANARY), label="Hall")
        for mac in macs
    ]  # fmt: skip
    Devices(database).add_all(phones, NOW)
    return macs


def kinds(told: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return sorted((one["type"], one["data"]["count"]) for one in told)


def ending(at: datetime) -> Certificate:
    return leaf(
        ISSUER, "p.example.com", leaf_key=ec("l"), not_after=at,
        not_before=at - 90 * DAY,
    )  # fmt: skip


async def test_each_event_is_told_once(database: Database) -> None:
    first, second, third, _ = add(database, 1, 2, 3, 4)
    async with world(database) as w:
        server = w.server()
        assert await w.after(server, 2) == []
        at = w.clock.now
        await visit(database, line(first, at), refused(second, at, reason="expired"))
        Devices(database).revoke(third, f"stolen {CANARY}", at)
        w.chain = [ending(at + 5 * DAY)]
        end = End("e1", at + 9 * DAY, 4, "4 phones stop accepting p", "x expires")
        w.outlook = Outlook(at, 4, 0, {}, (end,))
        told = await w.after(server, 75)
        assert kinds(told) == [
            ("certificate.ends", 1), ("forecast.changed", 1), ("phone.first_seen", 2),
            ("phone.refused", 1), ("phone.revoked", 1),
        ]  # fmt: skip
        (refusal,) = (one["data"] for one in told if one["type"] == "phone.refused")
        assert refusal["items"][0]["mac"] == second.digits
        assert refusal["items"][0]["label"] == "Hall"
        assert refusal["server"] == "phones1"
        assert refusal["cure"]
        (forecast,) = (o["data"] for o in told if o["type"] == "forecast.changed")
        assert "4 phones stop accepting p (x expires)" in forecast["items"][0]["text"]
        assert await w.after(server, 300) == []
        again = w.server()  # as after a restart
        assert await w.after(again, 61) == []


async def test_what_was_so_when_alerts_began_is_no_news_but_refusals_are(
    database: Database,
) -> None:
    first, second, third = add(database, 1, 2, 3)
    Devices(database).revoke(first, "stolen", NOW)
    long_ago = NOW - 10 * MINUTE
    await visit(database, line(second, long_ago), refused(third, long_ago))
    async with world(database) as w:
        assert kinds(await w.after(w.server(), 10)) == [("phone.refused", 1)]


async def test_three_thousand_phones_are_few_messages(database: Database) -> None:
    macs = [Mac(f"0004130{n:05X}") for n in range(3000)]
    Devices(database).add_all([Device(mac, "snom", "D785") for mac in macs], NOW)
    rows = sightings.rows_of(refused(mac, NOW, reason="expired") for mac in macs)
    with database.write() as connection:
        values = [dict(zip(sightings.COLUMNS, row, strict=True)) for row in rows]
        connection.execute(sa.insert(schema.sightings), values)
    async with world(database, **{"alerts.kinds": ("phone.refused",)}) as w:
        told = await w.after(w.server(), 6)
    assert kinds(told) == [("phone.refused", 3000)]


async def test_nothing_secret_is_in_a_body_or_in_the_database(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (mac,) = add(database, 1)
    async with world(database) as w:
        server = w.server()
        await w.after(server, 1)
        w.receiver.answer = b"HTTP/1.1 500 " + CANARY.encode() + b"\r\n\r\n"
        await visit(
            database,
            refused(mac, w.clock.now, reason="token_wrong", resource=f"/{CANARY}",
                    user_agent=CANARY, detail=CANARY),
        )  # fmt: skip
        Devices(database).revoke(mac, CANARY, w.clock.now)
        await w.after(server, 20)
        assert w.receiver.got, "it was told"
        assert all(CANARY.encode() not in body for _, body in w.receiver.got)
    assert "not delivered" in caplog.text
    assert CANARY not in caplog.text
    with sqlite3.connect(database.state.database_file) as raw:
        for table in ("alerts", "messages"):
            rows = raw.execute(f"SELECT * FROM {table}").fetchall()
            assert rows
            assert CANARY not in repr(rows)
    raw.close()


async def test_what_fails_is_sent_again_after_a_restart_with_the_same_id(
    database: Database,
) -> None:
    (mac,) = add(database, 1)
    async with world(database, **{"alerts.kinds": ("phone.refused",)}) as w:
        w.receiver.answer = b"HTTP/1.1 503 Busy\r\n\r\n"
        await visit(database, refused(mac, NOW))
        await w.after(w.server(), 3)
        (one,) = outbox.listed(database)
        assert (one.state, one.problem) == ("waiting", "it answers 503")
        tries = len(w.receiver.got)
        assert tries >= 2
        w.receiver.answer = b"HTTP/1.1 200 OK\r\n\r\n"
        with open_database(database.state) as after:
            w.clock.now += 2 * LEASE
            await w.after(w.server(after), 10)
        assert len(w.receiver.got) == tries + 1
        assert len({headers["webhook-id"] for headers, _ in w.receiver.got}) == 1
        assert outbox.listed(database) == []
        assert outbox.counts(database)["sent"] == 1


async def test_of_several_servers_one_tells(database: Database) -> None:
    macs = add(database, 1, 2)
    async with world(database, **{"alerts.kinds": ("phone.refused",)}) as w:
        with open_database(database.state) as there:
            here, other = w.server(), w.server(there)
            await here.step()
            await other.step()
            await visit(database, refused(macs[0], w.clock.now))
            told = 0
            for _ in range(8):
                w.clock.now += MINUTE / 4
                for server in (other, here):
                    told += len(await w.after(server, 0))
            assert told == 1
            async with here:  # and leaves
                pass
            await visit(database, refused(macs[1], w.clock.now))
            assert len(await w.after(other, 6)) == 1


async def test_a_clock_that_was_never_set_tells_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    (mac,) = add(database, 1)
    await visit(database, refused(mac, NOW - MINUTE))
    async with world(database) as w:
        server = w.server()
        w.clock.now = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
        assert await w.after(server, 10) == []
        assert holding(database) == ([], 0)
        assert caplog.text.count("shows 1970-01-01, so it was not set") == 1
        w.clock.now = NOW
        assert kinds(await w.after(server, 2)) == [("phone.refused", 1)]


async def test_kinds_that_are_off_are_not_kept(database: Database) -> None:
    (mac,) = add(database, 1)
    await visit(database, refused(mac, NOW))
    async with world(database, **{"alerts.kinds": ("phone.revoked",)}) as w:
        assert await w.after(w.server(), 3) == []
        assert holding(database) == ([], 0)


async def test_without_a_target_nothing_is_done(database: Database) -> None:
    settings = parse_settings()
    server = Alerting(
        settings, database, chain=lambda: [GOOD], outlook=lambda: None, clock=Clock()
    )
    async with server:
        assert server._task is None


async def test_it_goes_on_by_itself_and_outlives_trouble(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    (mac,) = add(database, 1)
    await visit(database, refused(mac, datetime.now(UTC) - MINUTE))
    async with world(database, **{"alerts.wait_s": 0.01}) as w:
        server = w.server()
        server._tick_s = 0.05
        server._clock = lambda: datetime.now(UTC)
        said = asyncio.Event()
        say = server._say
        server._say = lambda text: (say(text), said.set())  # type: ignore[method-assign,func-returns-value]
        moved = database.state.database_file.with_suffix(".away")
        database.state.database_file.rename(moved)
        async with server:
            async with asyncio.timeout(30):
                await said.wait()
            moved.rename(database.state.database_file)
            await w.receiver.until(1)
        ((headers, body),) = w.receiver.got
        assert Reference(SECRET).verify(body, headers)["type"] == "phone.refused"
        assert caplog.text.count("no alert is made or sent now") == 1
