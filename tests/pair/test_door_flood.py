"""Strangers who hold the door over real sockets, and a phone from another address."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from tests.pair.test_door import lab, phone  # noqa: F401

from linekey.lab.authority import LabAuthority
from linekey.settings import LimitSettings
from linekey.tls.context import Identity
from linekey.tls.engine import ServerContexts
from linekey.tls.events import Accept, HandshakeCompleted
from linekey.tls.hello import build_client_hello, new_client_hello
from linekey.tls.versions import Version
from linekey.wire.door.listener import BEGUN_AT_ONCE, Door
from linekey.wire.door.refusal import Refusal

HANG_S = 30.0
GOOD = build_client_hello(
    new_client_hello(
        random=bytes(32),
        max_version=Version.TLS1_2,
        suites=[0xC02F, 0xC02B],
        groups=(23, 29),
        signature_algorithms=(0x0401, 0x0403, 0x0804),
    )
)
"""A hello that is served: its sender waits for a signature."""
LIMITS = LimitSettings(
    connections=60, half_open=8, half_open_per_source=4,
    # Long: nothing in this test is to end because its time is over.
    handshake_s=3600.0, shed_after_s=3600.0,
)  # fmt: skip


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("no request is sent here")


class Counting(ServerContexts):
    """Counts the engines: each signs once, as soon as it has the hello."""

    made = 0

    def engine_for(self, choice: Any, hello: Any) -> Any:
        self.made += 1
        return super().engine_for(choice, hello)


@asynccontextmanager
async def served(
    lab: LabAuthority,  # noqa: F811
    limits: LimitSettings = LIMITS,
) -> AsyncIterator[tuple[Door, list[Refusal]]]:
    chain, key = lab.server_identity()
    contexts = Counting(
        Identity(chain, key), verify=lambda _: Accept(), roots=lab.vendor_roots()
    )
    refusals: list[Refusal] = []

    async def refused(some: list[Refusal], dropped: int) -> None:
        refusals.extend(some)

    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        door = Door(
            nobody,
            contexts,
            listener,
            limits=limits,
            on_refused=refused,
        )
        async with door:
            yield door, refusals


class Stranger(asyncio.Protocol):
    """Says ``first`` and then nothing; comes again when it is sent away."""

    def __init__(self, flood: "Flood") -> None:
        self._flood = flood

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._flood.open.add(transport)
        transport.write(self._flood.first)

    def connection_lost(self, exc: Exception | None) -> None:
        self._flood.open.discard(self._transport)
        self._flood.come()


class Flood:
    """So many strangers of 127.0.0.1, at most ``most`` connections in all."""

    def __init__(self, port: int, first: bytes, most: int) -> None:
        self.first = first
        self.open: set[asyncio.Transport] = set()
        self._port = port
        self._left = most
        self._tasks: set[asyncio.Task[Any]] = set()

    def come(self) -> None:
        if self._left > 0:
            self._left -= 1
            task = asyncio.get_running_loop().create_task(self._connect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        await asyncio.get_running_loop().create_connection(
            lambda: Stranger(self), "127.0.0.1", self._port
        )

    async def end(self) -> None:
        self._left = 0
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in list(self.open):
            transport.abort()


async def handshake_of_a_phone(
    lab: LabAuthority,  # noqa: F811
    port: int,
    source: str = "127.0.0.2",
) -> bool:
    engine = phone(lab)
    async with asyncio.timeout(HANG_S):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, local_addr=(source, 0)
        )
        done = False
        while not done:
            writer.write(engine.take_output())
            data = await reader.read(65536)
            if not data:
                break
            done = any(isinstance(e, HandshakeCompleted) for e in engine.receive(data))
        writer.close()
        return done


@pytest.mark.parametrize(
    "first",
    [GOOD, GOOD[:40], b"", b"\x16\x03\x01"],
    ids=["whole hello", "half a hello", "silence", "a record's beginning"],
)
async def test_a_phone_of_another_source_comes_in_whatever_strangers_hold(
    lab: LabAuthority,  # noqa: F811
    first: bytes,
) -> None:
    async with served(lab) as (door, refusals):
        flood = Flood(door.address[1], first, most=5_000)
        try:
            for _ in range(150):
                flood.come()
            # Let it take what it can get: all, if nobody gives way.
            for _ in range(100):
                await asyncio.sleep(0.01)
            assert door.connections >= LIMITS.connections - 10
            for _ in range(3):
                assert await handshake_of_a_phone(lab, door.address[1])
            assert door.shed_count
        finally:
            await flood.end()
    # Who gave way is on record: counted, a line for all of its source.
    assert {r.code for r in refusals} & {"hello.shed", "handshake.shed"}


ONE_AT_A_TIME = LIMITS.model_copy(update={"half_open": 1})


async def connect(port: int, source: str) -> tuple[asyncio.StreamReader, Any]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, local_addr=(source, 0)
    )
    writer.write(GOOD)
    return reader, writer


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG_S):
        while not is_so():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.005)


async def test_for_who_gave_up_while_it_waited_no_key_is_used(
    lab: LabAuthority,  # noqa: F811
) -> None:
    async with served(lab, ONE_AT_A_TIME) as (door, refusals):
        assert isinstance(door.tls, Counting)
        _, first = await connect(door.address[1], "127.0.0.2")
        await until(lambda: door.half_open == 1)
        waiting = [await connect(door.address[1], "127.0.0.3") for _ in range(30)]
        await until(lambda: len(door.places.turns) == 30)
        for _, writer in waiting[:29]:
            writer.transport.abort() if writer is waiting[0][1] else writer.close()
        for _, writer in waiting[1:29]:
            await writer.wait_closed()
        assert door.tls.made == 1
        first.transport.abort()
        await until(lambda: door.connections == 1)
        assert door.half_open == 1  # the last one's: it is there still
        assert door.tls.made == 2
        await until(lambda: len(refusals) == 30)
        waiting[29][1].transport.abort()
    gone = [r for r in refusals if r.code == "handshake.unserved"]
    assert len(gone) == 29
    assert all("left before its turn" in r.reason for r in gone)
    assert all("linekey plan" in r.cure for r in gone)


async def test_who_gave_up_before_its_hello_was_read_costs_no_key_either(
    lab: LabAuthority,  # noqa: F811
) -> None:
    """As in the backlog of a busy server: hellos and ends are read at once. The first
    keeps nobody waiting, and may have closed its own side alone."""
    async with served(lab) as (door, refusals):
        assert isinstance(door.tls, Counting)
        for _ in range(9):
            raw = socket.create_connection(door.address)
            raw.sendall(GOOD)
            raw.close()  # the loop has not run since
        await until(lambda: len(refusals) == 9)
        assert door.tls.made == 1
    codes = Counter(r.code for r in refusals)
    assert codes == {"handshake.unserved": 8, "handshake.gone": 1}


async def test_a_turn_that_does_not_come_ends_without_a_key(
    lab: LabAuthority,  # noqa: F811
) -> None:
    limits = ONE_AT_A_TIME.model_copy(update={"turn_s": 0.05})
    async with served(lab, limits) as (door, refusals):
        assert isinstance(door.tls, Counting)
        _, first = await connect(door.address[1], "127.0.0.2")
        await until(lambda: door.half_open == 1)
        reader, writer = await connect(door.address[1], "127.0.0.3")
        assert await reader.read() == b""  # closed without an alert
        assert door.tls.made == 1
        writer.close()
        first.transport.abort()
    [unserved] = [r for r in refusals if r.code == "handshake.unserved"]
    assert unserved.reason == "its turn did not come in 0.05 seconds"
    assert unserved.alert_sent is None


async def test_a_handshake_that_goes_on_is_not_closed_for_a_phone_elsewhere(
    lab: LabAuthority,  # noqa: F811
) -> None:
    """An office has all places, and answers; a phone from elsewhere has the next."""
    limits = LIMITS.model_copy(update={"half_open": 4, "half_open_per_source": 1})
    async with served(lab, limits) as (door, _):
        office = [await connect(door.address[1], "127.0.0.2") for _ in range(8)]
        await until(lambda: len(door.places.turns) == 4)
        elsewhere = asyncio.create_task(handshake_of_a_phone(lab, door.address[1], "127.0.0.9"))  # fmt: skip
        await until(lambda: len(door.places.turns) == 5)
        assert door.shed_count == 0
        office[0][1].transport.abort()
        assert await elsewhere  # before the office's four
        assert len(door.places.turns) >= 3
        assert door.shed_count == 0
        for _, writer in office:
            writer.transport.abort()


async def test_of_many_hellos_at_once_all_are_read_before_most_handshakes_begin(
    lab: LabAuthority,  # noqa: F811
) -> None:
    """So it is the row that decides, and not the order in which sockets are looked at."""
    limits = LimitSettings(handshake_s=3600.0, shed_after_s=3600.0)
    async with served(lab, limits) as (door, _):
        assert isinstance(door.tls, Counting)
        some = [socket.create_connection(door.address) for _ in range(100)]
        for each in some:
            each.sendall(GOOD)
        began: list[int] = []
        async with asyncio.timeout(HANG_S):
            while door.tls.made < 100:
                await asyncio.sleep(0)
                began.append(door.tls.made)
        assert max(b - a for a, b in pairwise(began)) <= BEGUN_AT_ONCE
        assert door.half_open == 100
        assert not door.places.turns
        for each in some:
            each.close()
