"""What nobody reads, or cannot be written, keeps no phone waiting, and no stop."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.live.test_serve_command import (
    PROGRAM,
    clean_environment,
    put_server_files,
)

pytestmark = pytest.mark.peer("curl")

REFUSALS = 1_000
GUARD_S = 30.0
"""Against hanging for ever, not a measure of speed; that is in ``bench``."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def fill(descriptor: int) -> None:
    """Write to a pipe until it takes no more."""
    os.set_blocking(descriptor, False)
    try:
        for size in (65_536, 1):
            while True:
                try:
                    os.write(descriptor, b"." * size)
                except BlockingIOError:
                    break
    finally:
        os.set_blocking(descriptor, True)  # as the server has it, too


async def refused_once(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    with_tls_missing = await reader.read(4_096)
    assert b"400 Bad Request" in with_tls_missing
    writer.close()


class Running:
    """A server whose notes nobody reads; its ports were chosen before."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, status: int):
        self.process, self.port, self.status = process, port, status

    async def phone_is_served(self, place: Any) -> None:
        certificate, key = place.identity(place.phone)
        got = await place.curl(
            "--cert", certificate, "--key", key, "--max-time", "10",
            "--retry", "60", "--retry-delay", "1", "--retry-connrefused",
            f"https://localhost:{self.port}/snomD785-{place.phone}.htm",
        )  # fmt: skip
        assert place.password in got.out, got.err

    async def refuse(self, count: int) -> None:
        for _ in range(count // 50):
            await asyncio.gather(*(refused_once(self.port) for _ in range(50)))

    async def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@asynccontextmanager
async def serving(
    place: Any, stderr: int, *options: str, before: tuple[str, ...] = ()
) -> AsyncIterator[Running]:
    put_server_files(place)
    port, status = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        *before, *PROGRAM, "serve", "--state", str(place.state.root),
        "--port", str(port), "--status-port", str(status), *options,
        stdout=asyncio.subprocess.DEVNULL, stderr=stderr, env=clean_environment(),
    )  # fmt: skip
    try:
        yield Running(process, port, status)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_stderr_that_nobody_reads_keeps_no_phone_waiting(
    place: Any, workers: str
) -> None:
    read_end, write_end = os.pipe()
    try:
        async with (
            asyncio.timeout(4 * GUARD_S),
            serving(place, write_end, "--workers", workers) as server,
        ):
            await server.phone_is_served(place)
            fill(write_end)
            async with asyncio.timeout(GUARD_S):
                await server.refuse(REFUSALS)
                await server.phone_is_served(place)
            async with asyncio.timeout(GUARD_S):
                assert await server.end() == 0
    finally:
        os.close(read_end)
        os.close(write_end)


async def test_it_starts_with_a_stderr_that_is_full_already(place: Any) -> None:
    read_end, write_end = os.pipe()
    try:
        fill(write_end)
        async with (
            asyncio.timeout(2 * GUARD_S),
            serving(place, write_end) as server,
        ):
            await server.phone_is_served(place)
            assert await server.end() == 0
    finally:
        os.close(read_end)
        os.close(write_end)


async def test_a_reader_that_comes_late_gets_what_waited(place: Any) -> None:
    read_end, write_end = os.pipe()
    async with (
        asyncio.timeout(4 * GUARD_S),
        serving(place, write_end) as server,
    ):
        await server.phone_is_served(place)
        fill(write_end)
        await server.refuse(50)
        os.close(write_end)
        late = asyncio.create_task(asyncio.to_thread(read_all, read_end))
        assert await server.end() == 0
        said = await late
    assert b"hello.plain_http" in said
    assert b"shut down cleanly" in said


def read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb") as file:
        return file.read()


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_stderr_on_a_full_disk_is_counted_and_serves_on(
    place: Any, workers: str
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        async with (
            asyncio.timeout(4 * GUARD_S),
            serving(place, full, "--workers", workers) as server,
        ):
            await server.phone_is_served(place)
            await server.refuse(50)
            await server.phone_is_served(place)
            while True:  # the workers write their numbers down once a second
                got = await place.curl(f"http://127.0.0.1:{server.status}/metrics")
                lines = dict(
                    line.rsplit(" ", 1)
                    for line in got.out.splitlines()
                    if line.startswith("linekey_log_lines_lost_total")
                )
                if float(lines['linekey_log_lines_lost_total{level="info"}']) > 0:
                    break
            assert await server.end() == 0
    finally:
        os.close(full)


@pytest.mark.parametrize("how", ["reader gone", "closed"])
async def test_without_any_stderr_it_serves_and_keeps_its_database_whole(
    place: Any, how: str
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    before = ("sh", "-c", 'exec "$@" 2>&-', "sh") if how == "closed" else ()
    async with (
        asyncio.timeout(4 * GUARD_S),
        serving(place, write_end, before=before) as server,
    ):
        os.close(write_end)
        await server.phone_is_served(place)
        await server.refuse(50)
        await server.phone_is_served(place)
        status = await place.curl(f"http://127.0.0.1:{server.status}/overview.json")
        assert json.loads(status.out)["outcomes"]["granted"] == 2
        assert await server.end() == 0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_up_tells_its_story_without_waiting_for_a_reader(
    tmp_path: Path, stream: str
) -> None:
    read_end, write_end = os.pipe()
    fill(write_end)
    try:
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "up", "--once", "--state", str(tmp_path),
            env=clean_environment(),
            **{"stdout": asyncio.subprocess.DEVNULL,
               "stderr": asyncio.subprocess.DEVNULL, stream: write_end},
        )  # fmt: skip
        async with asyncio.timeout(2 * GUARD_S):
            assert await process.wait() == 0
    finally:
        os.close(read_end)
        os.close(write_end)


async def test_up_ends_when_its_reader_has_enough(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "up", "--state", str(tmp_path), *("--port", "0"),
        *("--status-port", "0", "--web-port", "0", "--sip-port", "0"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=clean_environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(2 * GUARD_S):
        assert await process.stdout.readline()
        process.stdout._transport.close()  # type: ignore[attr-defined]
        said = await process.stderr.read()
        assert await process.wait() == 0
    assert b"Traceback" not in said


async def test_a_phone_boots_without_waiting_for_a_reader(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    fill(write_end)
    try:
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "phone", "run", "--mac", "000413AABBCC", "--model", "D785",
            "--setting-server", f"https://127.0.0.1:{free_port()}/", "--once",
            "--state", str(tmp_path),
            stdout=asyncio.subprocess.PIPE, stderr=write_end, env=clean_environment(),
        )  # fmt: skip
        async with asyncio.timeout(2 * GUARD_S):
            out, _ = await process.communicate()
        assert b"000413AABBCC" in out
    finally:
        os.close(read_end)
        os.close(write_end)
