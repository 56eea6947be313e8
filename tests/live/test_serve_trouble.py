"""A server whose database is in trouble: 503 in time, counted, and mended by itself."""

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import fill_place
from tests.postgres import Cluster

from linekey.lab.authority import LabAuthority
from linekey.store.database import open_database
from linekey.store.paths import StateDir

pytestmark = pytest.mark.peer("curl")


@pytest.fixture
def place_on_postgres(
    tmp_path: Path, shared_lab: LabAuthority, url: str
) -> Iterator[Any]:
    state = StateDir.open(tmp_path / "state")
    with open_database(state, url) as database:
        yield fill_place(state, database, tmp_path, shared_lab)


async def fetch(place: Any, server: Any) -> Any:
    """What a phone gets: the head and the body. curl itself gives up after 15 s."""
    certificate, key = place.identity(place.phone)
    return await place.curl(
        "-i", "--cert", certificate, "--key", key,
        f"{server.url}/snomD785-{place.phone}.htm",
    )  # fmt: skip


async def is_unavailable(place: Any, server: Any, cause: str) -> None:
    """Phones get 503, it is counted, and the process is alive all the same."""
    before = await counted(place, server, cause)
    got = await fetch(place, server)
    assert got.out.startswith("HTTP/1.1 503"), got.said
    assert "retry-after: 30" in got.out
    assert place.password not in got.out
    assert await counted(place, server, cause) == before + 1
    health = await place.curl(f"{server.status_url}healthz")
    assert health.out == '{"status":"ok"}'


async def counted(place: Any, server: Any, cause: str) -> int:
    metrics = await place.curl(f"{server.status_url}metrics")
    line = rf'linekey_unavailable_total{{cause="{cause}"}} (\d+)'
    found = re.search(line, metrics.out)
    assert found is not None, metrics.said
    return int(found[1])


async def status_is_unavailable(place: Any, server: Any) -> None:
    for path in ("", "overview.json", "phones", "decisions.json", "authorities"):
        page = await place.curl("-i", f"{server.status_url}{path}")
        assert page.out.startswith("HTTP/1.1 503"), page.said
        assert "retry-after" in page.out
        assert "Traceback" not in page.out
        assert ("<html" in page.out) == (".json" not in path)


async def serves(place: Any, server: Any) -> None:
    got = await fetch(place, server)
    assert got.out.startswith("HTTP/1.1 200"), got.said
    assert place.password in got.out


@pytest.mark.peer("postgres")
async def test_phones_have_their_answer_while_postgresql_hangs(
    cluster: Cluster, place_on_postgres: Any
) -> None:
    place = place_on_postgres
    async with place.serving() as server:
        await serves(place, server)
        with cluster.hanging():
            await is_unavailable(place, server, "slow")
            many = await asyncio.gather(*(fetch(place, server) for _ in range(8)))
            assert {got.out[:12] for got in many} == {"HTTP/1.1 503"}
            await status_is_unavailable(place, server)
        await serves(place, server)
        for path in ("", "overview.json", "phones", "decisions", "authorities"):
            page = await place.curl("-i", f"{server.status_url}{path}")
            assert page.out.startswith("HTTP/1.1 200"), page.said
    assert [entry.outcome for entry in place.log()] == ["granted"] * 2


@pytest.mark.peer("postgres")
async def test_no_phone_notices_that_postgresql_was_restarted(
    cluster: Cluster, place_on_postgres: Any
) -> None:
    place = place_on_postgres
    async with place.serving() as server:
        await serves(place, server)
        await place.curl(server.status_url)
        cluster.stop()
        try:
            await is_unavailable(place, server, "unreachable")
            await status_is_unavailable(place, server)
        finally:
            cluster.start()
        await serves(place, server)
        cluster.stop()
        cluster.start()
        await serves(place, server)
    assert [entry.outcome for entry in place.log()] == ["granted"] * 3


async def test_phones_have_their_answer_while_sqlite_is_locked(place: Any) -> None:
    async with place.serving() as server:
        await serves(place, server)
        blocker = sqlite3.connect(place.state.database_file, isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")
        await is_unavailable(place, server, "busy")
        # What is only read goes on.
        page = await place.curl("-i", server.status_url)
        assert page.out.startswith("HTTP/1.1 200")
        blocker.execute("ROLLBACK")
        blocker.close()
        await serves(place, server)
    assert [entry.outcome for entry in place.log()] == ["granted"] * 2


async def test_a_database_that_is_deleted_under_the_server_is_noticed(
    place: Any,
) -> None:
    async with place.serving() as server:
        await serves(place, server)
        path = place.state.database_file
        path.rename(path.with_name("away.db"))
        await is_unavailable(place, server, "gone")
        await status_is_unavailable(place, server)
        assert not path.exists()
        path.with_name("away.db").rename(path)
        await serves(place, server)


@pytest.mark.peer("postgres")
async def test_a_server_ends_although_its_database_hangs(
    cluster: Cluster, place_on_postgres: Any
) -> None:
    place = place_on_postgres
    async with asyncio.timeout(30):  # not the minute that a command may wait
        async with place.serving() as server:
            await serves(place, server)
            hanging = cluster.hanging()
            hanging.__enter__()
            try:
                await is_unavailable(place, server, "slow")
                await server.__aexit__(None, None, None)
            finally:
                hanging.__exit__(None, None, None)
