"""A server that is started anew while phones ask all the time: none of them fails.

Once with the listening socket handed on, as systemd does it (``test_systemd`` has the
real one), and once with two servers behind HAProxy, which is told before one leaves.
"""

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.live.asking import GUARD_S, Asking, ended, kill_if_left
from tests.live.conftest import PASSWORD, Place
from tests.live.peers import Peer, free_port, open_folder, running
from tests.live.test_serve_command import (
    PROGRAM,
    Serving,
    clean_environment,
    put_server_files,
)

from linekey.cli.exporting import write_files
from linekey.export.account import Account
from linekey.export.pass_through import Member, pass_through
from linekey.export.request import Endpoint

KEPT = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
handed = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "phones"}
os.execve(sys.argv[2], sys.argv[2:], os.environ | handed)
"""
"""What systemd does before it starts a service: sd_listen_fds(3)."""


def asking(place: Place, port: int, **given: Any) -> Asking:
    return Asking(
        ("127.0.0.1", port), place.lab.server_root_path, place.identity(place.phone),
        f"/snomD785-{place.phone}.htm", PASSWORD, **given,
    )  # fmt: skip


async def start(
    place: Place,
    *options: str,
    kept: socket.socket | None = None,
    **environment: str,
) -> Serving:
    """Start a server and wait until phones can be served."""
    words = [*PROGRAM, "serve", "--state", str(place.state.root), *options]
    if kept is not None:
        words = [sys.executable, "-c", KEPT, str(kept.fileno()), *words]
    process = await asyncio.create_subprocess_exec(
        *words,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env=clean_environment() | environment,
        pass_fds=() if kept is None else (kept.fileno(),),
    )  # fmt: skip
    serving = Serving(process)
    try:
        await serving.until("Ctrl-C")
    except BaseException:
        await kill_if_left(process)
        raise
    return serving


async def stop(serving: Serving) -> str:
    """Stop it in order; what it said since."""
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.stderr is not None
    async with asyncio.timeout(GUARD_S):
        said = (await serving.process.stderr.read()).decode()
    assert await ended(serving.process) == 0, said
    return said


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_with_the_socket_handed_on_no_phone_notices(
    place: Place, workers: str
) -> None:
    put_server_files(place)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as kept:
        port = kept.getsockname()[1]
        serving = await start(place, "--workers", workers, kept=kept)
        try:
            async with asking(place, port) as phones:
                for _ in range(3):
                    await phones.more()
                    said = await stop(serving)
                    assert "draining" in said
                    serving = await start(place, "--workers", workers, kept=kept)
                await phones.until_served()
            assert phones.failed == []
            assert phones.served > 50
            assert any(f":{port}" in line for line in serving.lines)
            await stop(serving)
        finally:
            await kill_if_left(serving.process)


async def test_who_waits_when_the_last_server_ends_is_served(place: Place) -> None:
    """Nobody hands the socket on: what has connected before the end gets its answer."""
    put_server_files(place)
    serving = await start(place, "--workers", "2")
    (line,) = [line for line in serving.lines if "phones: " in line]
    port = int(line.rstrip().rpartition(":")[2].strip("/"))
    async with asking(place, port, pause_s=0.2) as phones:
        await phones.more()
        await stop(serving)
    for asked in phones.failed:  # afterwards nobody listens, and that is said at once
        assert "ConnectionRefusedError" in asked.why, phones.failed


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_who_connects_before_the_workers_are_there_is_served(
    place: Place, workers: str
) -> None:
    """It is stopped at once after it has begun to listen."""
    put_server_files(place)
    serving = await start(place, "--workers", workers)
    (line,) = [line for line in serving.lines if "phones: " in line]
    port = int(line.rstrip().rpartition(":")[2].strip("/"))
    # No worker takes these so soon.
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    stopped = asyncio.create_task(stop(serving))
    try:
        got = await asyncio.gather(*(fetch(place, each) for each in waiting))
        said = await stopped
    finally:
        await kill_if_left(serving.process)
    assert [status.split()[1:2] for status in got] == [[b"200"]] * len(waiting), said


async def fetch(place: Place, connected: socket.socket) -> bytes:
    """Ask for the phone's file on a connection that there is; the status line."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(place.lab.server_root_path)
    context.load_cert_chain(*place.identity(place.phone))
    async with asyncio.timeout(GUARD_S):
        reader, writer = await asyncio.open_connection(
            sock=connected, ssl=context, server_hostname="localhost"
        )
        path = f"/snomD785-{place.phone}.htm"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        try:
            return await reader.readline()
        finally:
            writer.transport.abort()


@asynccontextmanager
async def balanced(members: list[Member]) -> AsyncIterator[Peer]:
    """HAProxy with the very configuration that linekey exports."""
    with open_folder() as folder:
        port = free_port()
        user = None if os.geteuid() == 0 else Account("nobody", "nogroup")
        made = pass_through(
            members,
            listen=Endpoint("127.0.0.1", port),
            folder=str(folder),
            account=user,
        )
        write_files(made, folder)
        async with running(Peer("haproxy", port, folder, made)) as peer:
            yield peer


async def told(peer: Peer, words: str, times: int = 1) -> None:
    """Wait until HAProxy has said something so often."""
    async with asyncio.timeout(GUARD_S):
        while sum(words in line for line in peer.said) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # a pause between two looks


class Two:
    """Two servers with one database."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.members = [
            Member(name, Endpoint("127.0.0.1", free_port()), free_port())
            for name in ("one", "two")
        ]
        self.running: dict[str, Serving] = {}

    async def start(self, member: Member) -> None:
        self.running[member.name] = await start(
            self.place,
            "--port", str(member.address.port),
            "--health-listen", f"127.0.0.1:{member.health_port}",
            LINEKEY_INSTANCE=member.name,
            LINEKEY_PROXY__PROTOCOL_FROM="127.0.0.1",
            LINEKEY_STOP__ANNOUNCE_S="7",
        )  # fmt: skip

    async def kill_all(self) -> None:
        for serving in self.running.values():
            await kill_if_left(serving.process)


@pytest.fixture
async def two(place: Place) -> AsyncIterator[Two]:
    put_server_files(place)
    made = Two(place)
    try:
        for member in made.members:
            await made.start(member)
        yield made
    finally:
        await made.kill_all()


@pytest.mark.peer("haproxy")
async def test_two_servers_are_restarted_one_after_the_other_and_no_phone_fails(
    place: Place, two: Two
) -> None:
    async with balanced(two.members) as peer, asking(place, peer.port) as phones:
        for member in two.members:
            await phones.more()
            said = await stop(two.running[member.name])
            assert "load balancers are told for 7 s" in said
            assert any(f"linekey/{member.name} is DOWN" in line for line in peer.said)
            await two.start(member)
            await told(peer, f"linekey/{member.name} is UP")
        await phones.until_served()
    assert phones.failed == []
    assert phones.served > 100
    sources = {e.peer for e in place.log() if e.outcome == "granted"}
    assert sources == set(phones.sources), "each phone by its own address"
    # One is this test's own look at HAProxy's port; none of HAProxy's is on record.
    others = [e for e in place.log() if e.outcome != "granted"]
    assert sum(e.times for e in others) <= 1, others


@pytest.mark.peer("haproxy")
async def test_one_server_that_is_killed_is_gone_for_a_moment_and_the_other_goes_on(
    place: Place, two: Two
) -> None:
    async with balanced(two.members) as peer, asking(place, peer.port) as phones:
        await phones.more()
        assert phones.failed == []
        victim = two.running["one"].process
        for pid in [*children_of(victim.pid), victim.pid]:
            os.kill(pid, signal.SIGKILL)
        killed = asyncio.get_running_loop().time()
        await ended(victim)
        await told(peer, "linekey/one is DOWN")
        await phones.until_served()
        await phones.more()
    # What was under way at that moment is lost, and nothing later: a refused connection
    # is tried at the other server within the same second.
    late = [a for a in phones.failed if a.at - a.seconds > killed + 1.0]
    assert late == []
    assert len(phones.failed) <= len(phones.sources)
    assert max(a.seconds for a in phones.asked) < 15


def children_of(pid: int) -> list[int]:
    return [
        int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ]
