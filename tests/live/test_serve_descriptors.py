"""Descriptors run out: the server says so once, and turns no phone away for it."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.live.test_serve_command import (
    PROGRAM,
    Serving,
    clean_environment,
    fetch,
    put_server_files,
    shown_certificate,
    workers_of,
)

from linekey.wire.descriptors import RESERVE

pytestmark = [pytest.mark.peer("curl")]


def lowered(hard: int, soft: int) -> Any:
    """What a child process does first: a plain shell's limits, or a container's."""

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    return lower


@asynccontextmanager
async def serve(
    place: Any, *options: str, hard: int, soft: int
) -> AsyncIterator[Serving]:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "serve", "--state", str(place.state.root), *options,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env=clean_environment(), preexec_fn=lowered(hard, soft),
    )  # fmt: skip
    serving = Serving(process)
    try:
        serving.url = (await serving.until(r"phones: (https://\S+)/")).group(1)
        serving.status_url = (await serving.until(r"status: (http://\S+)")).group(1)
        await serving.until("Ctrl-C")
        yield serving
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def limits_of(pid: int) -> tuple[int, int]:
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith("Max open files"):
            soft, hard = line.split()[3:5]
            return int(soft), int(hard)
    raise AssertionError("no such line in /proc")


async def test_the_soft_limit_is_raised_to_what_the_settings_need(place: Any) -> None:
    put_server_files(place)
    async with serve(place, hard=16_000, soft=256) as serving:
        assert place.password in (await fetch(place, serving)).out  # its worker is up
        (worker,) = workers_of(serving.process.pid)
        assert limits_of(worker) == (10_000 + RESERVE, 16_000)
        assert "descriptors" not in "".join(serving.lines)
        await serving.end()


async def test_with_too_few_it_warns_and_no_phone_is_reset(place: Any) -> None:
    put_server_files(place)
    async with serve(place, hard=1024, soft=1024) as serving:
        said = "".join(serving.lines)
        assert "instead of 10000" in said
        assert "LimitNOFILE" in said
        port = int(serving.url.rpartition(":")[2])
        held = []
        for _ in range(1200):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            held.append((reader, writer))
        certificate, key = place.identity(place.phone)
        for source in ("127.0.0.1", "127.0.0.2"):
            got = await place.curl(
                "--interface", source, "--cert", certificate, "--key", key,
                f"{serving.url}/snomD785-{place.phone}.htm",
            )  # fmt: skip
            assert place.password in got.out, got.said
        await shown_certificate(place, serving)  # the status page answers as well
        for _, writer in held:
            with contextlib.suppress(OSError):
                writer.transport.abort()
        await serving.end()
    said = "".join(serving.lines)
    assert "Traceback" not in said
    assert "Too many open files" not in said


async def test_a_limit_that_holds_next_to_nothing_is_refused(place: Any) -> None:
    put_server_files(place)
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "serve", "--state", str(place.state.root), "--check",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=clean_environment(), preexec_fn=lowered(256, 256),
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 2, (out + err).decode()
    assert b"descriptors" in err
    assert b"LimitNOFILE" in err


async def test_when_something_else_takes_them_it_is_said_once_and_new_ones_wait(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with place.serving() as server:
        door = server.door
        port = int(server.url.rpartition(":")[2])
        writers = []
        door._last_descriptor = 0  # as if all others were taken
        for _ in range(12):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
        async with asyncio.timeout(10):
            while "run out" not in caplog.text:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0)
        assert door.connections <= 2
        door._descriptors_again()
        assert "suffice" not in caplog.text
        door._last_descriptor = 1 << 30
        for writer in writers:
            writer.transport.abort()
        certificate, key = place.identity(place.phone)
        got = await place.curl(
            "--cert", certificate, "--key", key,
            f"{server.url}/snomD785-{place.phone}.htm",
        )  # fmt: skip
        assert place.password in got.out, got.said
        door._descriptors_again()
        assert door._most == door.limits.connections
    assert caplog.text.count("descriptors run out") == 1
    assert caplog.text.count("descriptors suffice again") == 1
