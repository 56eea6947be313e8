"""The processes of ``linekey serve --workers``: killed, orphaned, told too early."""

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from tests.live.test_serve_command import fetch, put_server_files, serve, workers_of

GUARD_S = 30
"""Only so that a failure does not hang."""


class Watched:
    """A process that is no child of ours, and its end."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    async def ended(self) -> None:
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._descriptor, gone.set)
        try:
            async with asyncio.timeout(GUARD_S):
                await gone.wait()
        finally:
            loop.remove_reader(self._descriptor)

    def kill_if_left(self) -> None:
        try:
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(self._descriptor)


@pytest.fixture
def watch() -> Iterator[Any]:
    watched: list[Watched] = []

    def begin(pid: int) -> Watched:
        watched.append(Watched(pid))
        return watched[-1]

    yield begin
    for process in watched:
        process.kill_if_left()


async def serve_both(place: Any, serving: Any) -> None:
    """Wait until both workers have said that they can serve."""
    async with asyncio.timeout(GUARD_S):
        while True:
            told = await place.curl(f"{serving.status_url}readyz")
            if '"workers":2' in told.out:
                return
            await asyncio.sleep(0.1)


async def next_worker(parent: int, *known: int) -> int:
    """The process id of a worker as soon as there is a new one."""
    async with asyncio.timeout(GUARD_S):
        while True:
            for pid in workers_of(parent):
                if pid not in known:
                    return pid
            await asyncio.sleep(0)


@pytest.mark.peer("curl")
async def test_workers_end_when_their_parent_is_killed(place: Any, watch: Any) -> None:
    put_server_files(place)
    async with serve(place, "--workers", "2") as serving:
        await serve_both(place, serving)
        workers = [watch(pid) for pid in workers_of(serving.process.pid)]
        assert len(workers) == 2
        serving.process.kill()
        for worker in workers:
            await worker.ended()
        assert serving.process.stderr is not None
        said = (await serving.process.stderr.read()).decode()
    assert said.count("the process that started this worker is gone") == 2
    assert said.count("draining") == 2
    assert "Traceback" not in said


@pytest.mark.peer("curl")
async def test_the_port_is_free_for_the_next_parent_while_workers_drain(
    place: Any, watch: Any
) -> None:
    put_server_files(place)
    async with serve(place, "--workers", "2") as serving:
        await serve_both(place, serving)
        workers = [watch(pid) for pid in workers_of(serving.process.pid)]
        port = serving.url.rpartition(":")[2]
        # A silent connection: the workers have something to drain.
        _, writer = await asyncio.open_connection("127.0.0.1", int(port))
        serving.process.kill()
        for _ in range(2):  # each says so once it has left the port
            await serving.until("the process that started this worker is gone")
        async with serve(place, "--port", port) as again:
            assert place.password in (await fetch(place, again)).out
            assert await again.end() == 0
        for worker in workers:
            await worker.ended()
        writer.close()


@pytest.mark.peer("curl")
async def test_a_killed_worker_is_started_again_at_once_the_first_time(
    place: Any,
) -> None:
    put_server_files(place)
    async with serve(place, "--workers", "2") as serving:
        parent = serving.process.pid
        assert place.password in (await fetch(place, serving)).out
        first, other = workers_of(parent)
        os.kill(first, signal.SIGKILL)
        await serving.until(r"worker \d died \(exit -9\); started again at once")
        second = await next_worker(parent, first, other)
        os.kill(second, signal.SIGKILL)
        await serving.until(r"worker \d died \(exit -9\); started again in 1 s")
        await next_worker(parent, first, second, other)
        # Another worker's first death is its own.
        os.kill(other, signal.SIGKILL)
        await serving.until(r"worker \d died \(exit -9\); started again at once")
        assert place.password in (await fetch(place, serving)).out
        assert await serving.end() == 0
    assert "Traceback" not in "".join(serving.lines)


@pytest.mark.peer("curl")
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
async def test_a_signal_waits_for_a_worker_that_is_starting(
    place: Any, number: signal.Signals
) -> None:
    put_server_files(place)
    async with serve(place, "--workers", "2") as serving:
        parent = serving.process.pid
        assert place.password in (await fetch(place, serving)).out
        known = workers_of(parent)
        os.kill(known[0], signal.SIGKILL)
        started = await next_worker(parent, *known)
        os.kill(started, number)
        if number == signal.SIGHUP:
            await serving.until("using the certificate")
            assert started in workers_of(parent)
        else:
            await serving.until(r"died \(exit 0\)")  # drained, as it is told to
        assert place.password in (await fetch(place, serving)).out
        assert await serving.end() == 0
    said = "".join(serving.lines)
    assert f"exit -{number.value}" not in said
    assert "Traceback" not in said


@pytest.mark.peer("curl")
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_reload_right_after_the_start_ends_nothing(
    place: Any, workers: str
) -> None:
    put_server_files(place)
    async with serve(place, "--workers", workers) as serving:
        parent = serving.process.pid
        for _ in range(20):
            os.kill(parent, signal.SIGHUP)
        await serving.until("using the certificate")
        assert place.password in (await fetch(place, serving)).out
        assert await serving.end() == 0
    said = "".join(serving.lines)
    assert "died" not in said
