"""A listening socket that is stopped and opened again, and says its trouble once."""

import asyncio
import errno
import socket
from pathlib import Path
from typing import Any

import pytest
import uvloop

from linekey.wire.accepting import AT_ONCE, DEEP, Accepting, waiting_at


class Stubborn:
    """A listening socket that cannot be duplicated so many times."""

    def __init__(self, real: socket.socket, refusals: int) -> None:
        self.real = real
        self.refusals = refusals

    def dup(self) -> socket.socket:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self.real.dup()


async def test_trouble_is_said_once_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    later = loop.call_later

    def at_once(_: float, callback: Any, *given: Any) -> asyncio.TimerHandle:
        return later(0, callback, *given)

    with socket.create_server(("127.0.0.1", 0)) as real:
        listener = Stubborn(real, 3)
        accepting = Accepting(listener, asyncio.Protocol, backlog=5)  # type: ignore[arg-type]
        monkeypatch.setattr(loop, "call_later", at_once)
        accepting.again()
        while not accepting.is_on:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        monkeypatch.undo()
        await accepting.close()
    assert [r.message.partition(",")[0] for r in caplog.records] == [
        "cannot accept again",
        "accepting again",
    ]


async def test_what_is_not_accepted_waits_and_is_there_afterwards() -> None:
    made: asyncio.Queue[asyncio.BaseTransport] = asyncio.Queue()

    class Seen(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.put_nowait(transport)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = Accepting(listener, Seen, backlog=5)
        await accepting.open()
        accepting.stop()
        await asyncio.sleep(0)
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert made.empty()
        accepting.again()
        async with asyncio.timeout(10):
            (await made.get()).abort()  # type: ignore[attr-defined]
        writer.close()
        await accepting.close()
        assert not accepting.is_on
        accepting.again()
        assert not accepting.is_on


async def test_who_has_connected_is_still_accepted_at_the_last_and_nobody_after() -> (
    None
):
    made: asyncio.Queue[asyncio.BaseTransport] = asyncio.Queue()

    class Seen(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.put_nowait(transport)

    with socket.create_server(("127.0.0.1", 0), backlog=20) as listener:
        listener.setblocking(False)
        address = listener.getsockname()
        accepting = Accepting(listener, Seen, backlog=20)
        waiting = [socket.create_connection(address) for _ in range(9)]
        await accepting.close_last()
        async with asyncio.timeout(10):
            taken = [await made.get() for _ in waiting]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        await accepting.close_last()  # and once more does no harm
    for one in waiting:
        one.close()
    for transport in taken:
        transport.close()


@pytest.mark.parametrize("waiting", [3, 2 * DEEP, AT_ONCE + DEEP + 20])
def test_where_many_wait_many_are_accepted_in_a_turn(waiting: int) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        turns = runner.run(_turns_to_accept(waiting))
    few = waiting <= DEEP
    assert (turns >= waiting) if few else (turns < waiting // 2)


async def _turns_to_accept(waiting: int) -> int:
    made: list[asyncio.BaseTransport] = []

    class Seen(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)

    with socket.create_server(("127.0.0.1", 0), backlog=400) as listener:
        listener.setblocking(False)
        address = listener.getsockname()
        clients = [socket.create_connection(address) for _ in range(waiting)]
        assert waiting_at(listener) == waiting
        accepting = Accepting(listener, Seen, backlog=400)
        await accepting.open()
        turns = 0
        while len(made) < waiting:
            await asyncio.sleep(0)
            turns += 1
            assert turns < 10 + 2 * waiting
        assert waiting_at(listener) == 0
        await accepting.close()
        for one in (*clients, *made):
            one.close()
    return turns


async def test_what_is_taken_at_once_is_there_before_the_end() -> None:
    made: list[asyncio.BaseTransport] = []

    class Seen(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        listener.setblocking(False)
        accepting = Accepting(listener, Seen, backlog=100)
        clients = [socket.create_connection(listener.getsockname()) for _ in range(50)]
        accepting._accept_more()
        await accepting.close()
        assert len(made) == 50
        for one in (*clients, *made):
            one.close()


async def test_nobody_waits_at_a_unix_socket_that_cannot_tell(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(5)
        assert waiting_at(listener) == 0
