"""``/readyz`` of a real server, and a real balancer that goes by it."""

import asyncio
import csv
import json
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import peer_path
from tests.live.conftest import make_place
from tests.live.peers import free_port
from tests.live.test_serve_command import put_server_files, serve, workers_of

pytestmark = pytest.mark.peer("curl")

GUARD_S = 30
"""Only so that a failure does not hang."""


@asynccontextmanager
async def ready_server(place: Any, *options: str) -> AsyncIterator[tuple[Any, str]]:
    """A server, and the URL of its ``/readyz``."""
    put_server_files(place)
    health = f"127.0.0.1:{free_port()}"
    async with serve(place, "--health-listen", health, *options) as serving:
        assert f"health: http://{health}/readyz" in "".join(serving.lines)
        yield serving, f"http://{health}"


async def ask(place: Any, url: str, path: str = "/readyz") -> tuple[int, Any]:
    got = await place.curl("-w", "\n%{http_code}", f"{url}{path}")
    body, _, status = got.out.rpartition("\n")
    return int(status), json.loads(body)


async def until(place: Any, url: str, **wanted: Any) -> Any:
    async with asyncio.timeout(GUARD_S):
        while True:
            _, document = await ask(place, url)
            if wanted.items() <= document.items():
                return document
            await asyncio.sleep(0.1)


@contextmanager
def locked(place: Any) -> Iterator[None]:
    """Another process, as it were, that holds the database."""
    blocker = sqlite3.connect(
        place.state.database_file, isolation_level=None, timeout=10
    )
    blocker.execute("BEGIN EXCLUSIVE")
    yield
    blocker.execute("ROLLBACK")
    blocker.close()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_it_is_ready_while_workers_can_look_up_and_record(
    place: Any, workers: str
) -> None:
    async with ready_server(place, "--workers", workers) as (serving, url):
        await until(place, url, status="ready", workers=int(workers))
        with locked(place):
            found = await until(place, url, cause="busy")
            assert found["status"] == "not ready"
            assert found["reason"] == "another process holds the database's lock"
            status, _ = await ask(place, url)
            assert status == 503
            assert (await ask(place, url, "/healthz"))[0] == 200
            page = await ask(place, serving.status_url.rstrip("/"))
            assert page[0] == 503, "the status page says the same"
        await until(place, url, status="ready")
        path = place.state.database_file
        path.rename(path.with_name("away.db"))
        await until(place, url, cause="gone")
        path.with_name("away.db").rename(path)
        await until(place, url, status="ready")
        assert (await ask(place, url, "/metrics"))[0] == 404
        assert await serving.end() == 0
    said = "".join(serving.lines)
    assert "cannot serve" in said
    assert "can serve again" in said
    assert "Traceback" not in said


async def test_a_parent_whose_workers_hang_is_not_ready(place: Any) -> None:
    async with ready_server(place, "--workers", "2") as (serving, url):
        await until(place, url, status="ready", workers=2)
        first, second = workers_of(serving.process.pid)
        try:
            os.kill(first, signal.SIGSTOP)
            await until(place, url, status="ready", workers=1)
            os.kill(second, signal.SIGSTOP)
            await until(place, url, cause="silent")
            assert (await ask(place, url, "/healthz"))[0] == 200
        finally:
            for pid in (first, second):
                os.kill(pid, signal.SIGCONT)
        await until(place, url, status="ready", workers=2)
        assert await serving.end() == 0


HAPROXY = """
global
    stats socket {folder}/stats level user
defaults
    mode tcp
    timeout connect 2s
    timeout client 20s
    timeout server 20s
frontend phones
    bind 127.0.0.1:{port}
    default_backend linekey
backend linekey
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter 1s fall 1 rise 1
    server a 127.0.0.1:{a} port {a_health}
    server b 127.0.0.1:{b} port {b_health}
"""


@asynccontextmanager
async def haproxy(folder: Path, **ports: int) -> AsyncIterator[None]:
    path = peer_path("haproxy")
    assert path is not None
    configuration = folder / "haproxy.cfg"
    configuration.write_text(HAPROXY.format(folder=folder, **ports))
    process = await asyncio.create_subprocess_exec(
        path, "-db", "-q", "-f", str(configuration), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def servers_are(folder: Path, wanted: dict[str, str]) -> None:
    """Wait until HAProxy has these servers UP and DOWN."""
    async with asyncio.timeout(GUARD_S):
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(folder / "stats")
            except OSError:  # it is starting
                await asyncio.sleep(0.1)
                continue
            writer.write(b"show stat\n")
            lines = (await reader.read()).decode().removeprefix("# ").splitlines()
            writer.close()
            rows = csv.DictReader(line for line in lines if line)
            states = {row["svname"]: row["status"] for row in rows}
            if wanted.items() <= states.items():
                return
            await asyncio.sleep(0.1)


@pytest.mark.peer("haproxy")
async def test_haproxy_takes_a_server_out_and_in(
    place: Any, tmp_path: Path, shared_lab: Any
) -> None:
    other = make_place(tmp_path / "other", shared_lab)
    port = free_port()
    certificate, key = place.identity(place.phone)

    async def phone() -> str:
        got = await place.curl(
            "-o", "/dev/null", "-w", "%{http_code}", "--cert", certificate,
            "--key", key, f"https://localhost:{port}/snomD785-{place.phone}.htm",
        )  # fmt: skip
        return str(got.out)

    def number(url: str) -> int:
        return int(url.rpartition(":")[2])

    async with (
        ready_server(place) as (a, a_health),
        ready_server(other) as (b, b_health),
        haproxy(
            tmp_path, port=port, a=number(a.url), b=number(b.url),
            a_health=number(a_health), b_health=number(b_health),
        ),
    ):  # fmt: skip
        await servers_are(tmp_path, {"a": "UP", "b": "UP"})
        assert {await phone() for _ in range(4)} == {"200"}
        with locked(place):
            await servers_are(tmp_path, {"a": "DOWN", "b": "UP"})
            assert {await phone() for _ in range(4)} == {"200"}, "b serves them all"
        await servers_are(tmp_path, {"a": "UP", "b": "UP"})
        with locked(other):
            await servers_are(tmp_path, {"a": "UP", "b": "DOWN"})
            assert {await phone() for _ in range(4)} == {"200"}
        await servers_are(tmp_path, {"a": "UP", "b": "UP"})
    other.database.close()


async def test_a_worker_waits_for_a_database_that_is_away(place: Any) -> None:
    async with ready_server(place, "--workers", "2") as (serving, url):
        await until(place, url, status="ready", workers=2)
        path = place.state.database_file
        path.rename(path.with_name("away.db"))
        os.kill(workers_of(serving.process.pid)[0], signal.SIGKILL)
        for pause in ("at once", "in 1 s", "in 2 s"):
            await serving.until(f"started again {pause}")
        path.with_name("away.db").rename(path)
        await until(place, url, status="ready", workers=2)
        assert await serving.end() == 0
    said = "".join(serving.lines)
    assert "is gone, but its key" in said
    assert "cannot stay alive" not in said
    assert "Traceback" not in said
