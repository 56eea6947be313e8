"""A key rotation under traffic: two servers on one PostgreSQL, and workers on SQLite.

The servers are processes with state folders of their own, as on two machines; the
phones are curl. Each phone with a user name and password takes its challenge from one
server and its file from the other.
"""

import asyncio
import json
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.live.conftest import PASSWORD, Place, Ran, fill_place
from tests.live.test_serve_command import (
    PROGRAM,
    clean_environment,
    fetch,
    put_server_files,
    serve,
    workers_of,
)

from linekey.catalog.vendors import LAB_VENDOR
from linekey.digest import answer, best_challenge
from linekey.mac import Mac
from linekey.provisioning.device import REALM, Device, DigestCredential
from linekey.provisioning.document import Layer, Setting
from linekey.server.server import utc_now
from linekey.store.database import open_database
from linekey.store.devices import Devices
from linekey.store.paths import StateDir
from linekey.store.schema import servers
from linekey.store.servers import LIVE

pytestmark = [pytest.mark.peer("curl"), pytest.mark.peer("postgres")]

USER, RIGHT = "desk", "geheim: 4711"
KNOCKER = Mac("000413AABB02")
"""Has no certificate, but a user name and a password."""


def put_devices(place: Place) -> None:
    secret = Layer().with_settings(Setting("user_pass", PASSWORD, 1))
    credential = DigestCredential.create(USER, REALM, RIGHT)
    Devices(place.database).add(
        Device(KNOCKER, LAB_VENDOR, "D785", digest=credential, layer=secret), utc_now()
    )


def put_settings(place: Place, **more: str) -> None:
    put_server_files(place)
    path = place.state.root / "linekey.toml"
    top = "".join(f'{name} = "{value}"\n' for name, value in more.items())
    rules = "[rules]\nsecond_factor_without_certificate = true\n"
    path.write_text(top + path.read_text() + rules)


def another(place: Place, folder: Path, name: str, url: str) -> Place:
    """A second machine: its own state folder, with a copy of the key file."""
    state = StateDir.open(folder)
    copy_key(place.state, state)
    made = replace(place, state=state, events=[], news=asyncio.Event())
    put_settings(made, instance=name, database_url=url)
    return made


def copy_key(one: StateDir, other: StateDir) -> None:
    shutil.copy2(one.keys / "database.key", other.keys / "database.key")


async def rotate(place: Place, *words: str) -> Ran:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "layer", "rotate-key", "--state", str(place.state.root), *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=clean_environment(),
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    said = Ran(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in said.said
    return said


@dataclass
class Traffic:
    """Phones that ask on and on; ``answers`` has every status they got."""

    place: Place
    urls: list[str]
    answers: list[str] = field(default_factory=list)
    rounds: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def with_certificate(self, url: str) -> None:
        certificate, key = self.place.identity(self.place.phone)
        got = await self.place.curl(
            "-i", "--cert", certificate, "--key", key,
            f"{url}/snomD785-{self.place.phone}.htm",
        )  # fmt: skip
        self.count("certificate", url, got)

    async def with_password(self, one: str, other: str) -> None:
        """Ask one server for the challenge, and another for the file."""
        path = f"/snomD785-{KNOCKER}.htm"
        asked = await self.place.curl("-i", f"{one}{path}")
        offered = re.findall(r"(?im)^www-authenticate: (.*?)\r?$", asked.out)
        challenge = best_challenge(offered)
        assert challenge is not None, asked.said
        header = answer(
            challenge, username=USER, password=RIGHT, method="GET", uri=path, nc=1,
            cnonce="abc",
        )  # fmt: skip
        got = await self.place.curl("-i", "-H", f"Authorization: {header}", f"{other}{path}")  # fmt: skip
        self.count("password", other, got)

    def count(self, what: str, url: str, got: Ran) -> None:
        status = got.out.partition("\n")[0].strip() or got.err.strip()
        good = "200" in status and PASSWORD in got.out
        self.answers.append("good" if good else f"{what} at {url}: {status}")

    async def run(self) -> None:
        while True:
            for one, other in zip(self.urls, self.urls[::-1], strict=True):
                await self.with_certificate(one)
                await self.with_password(one, other)
            self.rounds += 1
            self.news.set()

    async def whole_rounds(self, count: int = 2) -> None:
        """Wait until every phone has asked again, everywhere."""
        wanted = self.rounds + count
        async with asyncio.timeout(60):
            while self.rounds < wanted:
                self.news.clear()
                await self.news.wait()

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.run())
        try:
            yield
            assert not task.done(), task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def first(url: str, tmp_path: Path, shared_lab: Any) -> Any:
    """The first machine, with everything in PostgreSQL."""
    state = StateDir.open(tmp_path / "one")
    with open_database(state, url) as database:
        place = fill_place(state, database, tmp_path, shared_lab)
        put_devices(place)
        put_settings(place, instance="one", database_url=url)
        yield place


async def test_two_servers_take_a_new_key_under_traffic_and_no_phone_notices(
    first: Place, url: str, tmp_path: Path
) -> None:
    second = another(first, tmp_path / "two", "two", url)
    third = another(first, tmp_path / "three", "three", url)
    async with serve(first) as one, serve(second) as two:
        async with serve(third) as three:
            assert PASSWORD in (await fetch(third, three)).out  # its worker is up
            workers = workers_of(three.process.pid)
            three.process.kill()
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            await three.process.wait()
        traffic = Traffic(first, [one.url, two.url])
        async with traffic.flowing():
            await traffic.whole_rounds()
            await check_wrong_orders(first, second)
            prepared = await rotate(first, "--prepare")
            assert prepared.code == 0, prepared.said
            assert {"two", "three"} <= set(prepared.out.split())
            await traffic.whole_rounds()
            early = await rotate(first, "--finish")
            assert early.code == 3
            assert "2 servers lack the new key" in early.err
            copy_key(first.state, second.state)
            await until_all_have_it_but(first, "three")
            for words in (["--finish"], ["--finish", "--without", "three"]):
                refused = await rotate(second, *words)
                assert refused.code in (2, 3)
                assert "three" in refused.err
            let_it_be_dead(first, "three")
            done = await rotate(second, "--finish", "--without", "three")
            assert done.code == 0, done.said
            await traffic.whole_rounds()
            Devices(first.database).change(
                KNOCKER, lambda d: replace(d, label="read anew"), utc_now()
            )
            await traffic.whole_rounds()
            status = await rotate(first, "--status")
            assert status.code == 0, status.said
            assert "LACKS" not in status.out
        assert set(traffic.answers) == {"good"}
        assert len(traffic.answers) >= 30
        for serving in (one, two):
            assert await serving.end() == 0
            assert "error" not in "".join(serving.lines)
    async with serve(first) as one, serve(second) as two:
        traffic = Traffic(first, [one.url, two.url])
        async with traffic.flowing():
            await traffic.whole_rounds(1)
        assert set(traffic.answers) == {"good"}
    await check_stays_out(third)


async def check_wrong_orders(first: Place, second: Place) -> None:
    plain = await rotate(first)
    assert plain.code == 2
    assert "other servers use this database" in plain.err
    assert "two (seen" in plain.err
    for place in (first, second):
        nothing = await rotate(place, "--finish")
        assert nothing.code == 2
        assert "no new key is prepared" in nothing.err


async def until_all_have_it_but(place: Place, name: str) -> None:
    async with asyncio.timeout(30):
        while True:
            status = json.loads((await rotate(place, "--status", "--json")).out)
            if {s["name"] for s in status["servers"] if s["lacks"]} == {name}:
                return


def let_it_be_dead(place: Place, name: str) -> None:
    """A minute passes for a server that was killed."""
    with place.database.write() as connection:
        connection.execute(
            sa.update(servers)
            .where(servers.c.name == name)
            .values(seen_at=servers.c.seen_at - 2 * LIVE // timedelta(microseconds=1))
        )


async def check_stays_out(place: Place) -> None:
    """The one that was left out comes back with its old key file."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "serve", "--state", str(place.state.root),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=clean_environment(),
    )  # fmt: skip
    async with asyncio.timeout(60):
        _, err = await process.communicate()
    assert process.returncode == 3
    assert b"is not the key of" in err
    assert b"copy keys/database.key here from a server" in err
    assert b"Traceback" not in err


async def test_workers_of_one_server_take_a_new_key_in_one_step(
    place: Place,
) -> None:
    put_devices(place)
    put_settings(place)
    async with serve(place, "--workers", "2") as serving:
        traffic = Traffic(place, [serving.url, serving.url])
        async with traffic.flowing():
            await traffic.whole_rounds(1)
            for _ in range(2):
                done = await rotate(place)
                assert done.code == 0, done.said
                await traffic.whole_rounds(1)
            Devices(place.database).change(
                KNOCKER, lambda d: replace(d, label="read anew"), utc_now()
            )
            await traffic.whole_rounds(1)
        assert set(traffic.answers) == {"good"}
        assert await serving.end() == 0
    assert "Traceback" not in "".join(serving.lines)
