"""The listener behind a proxy puts on record what is no HTTP, with its name."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from linekey.server.plain_door import PlainDoor
from linekey.settings import LimitSettings
from linekey.wire.door.listener import WORDLESS_S
from linekey.wire.door.refusal import Refusal


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def ask(data: bytes) -> tuple[bytes, list[Refusal]]:
    refusals: list[Refusal] = []

    async def on_refused(refusal: Refusal) -> None:
        await asyncio.sleep(0)
        refusals.append(refusal)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with PlainDoor(
            app, listener, limits=LimitSettings(), on_refused=on_refused
        ) as door:
            reader, writer = await asyncio.open_connection("127.0.0.1", door.address[1])
            writer.write(data)
            async with asyncio.timeout(10):
                answer = await reader.readline()
            writer.transport.abort()
    return answer, refusals


@pytest.mark.parametrize(
    ("data", "reason", "cure"),
    [
        (bytes.fromhex("16030100050100000100"), "sent TLS to", "proxy_pass http://"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n", "a PROXY", "send-proxy"),
        (b"\0\1\2\r\n\r\n", "something that is not an HTTP/1.1 request", "scanner"),
    ],
)  # fmt: skip
async def test_what_is_no_http_is_named_on_record(
    data: bytes, reason: str, cure: str
) -> None:
    answer, refusals = await ask(data)
    assert answer.startswith(b"HTTP/1.1 400 ")
    (refusal,) = refusals
    assert (refusal.code, refusal.status) == ("request.not_http", 400)
    assert refusal.peer[0] == "127.0.0.1"
    assert reason in refusal.reason
    assert cure in refusal.cure


async def test_a_request_is_no_refusal() -> None:
    answer, refusals = await ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert refusals == []


async def ask_and_read(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> bytes:
    reader, writer = connection
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
async def test_who_waits_in_the_backlog_at_the_end_is_served(
    unix: bool, tmp_path: Path
) -> None:
    """Some have connected when the door closes, and asked before, or ask only then."""
    family = socket.AF_UNIX if unix else socket.AF_INET
    where: Any = str(tmp_path / "door") if unix else ("127.0.0.1", 0)
    with socket.socket(family) as listener:
        listener.bind(where)
        listener.listen(50)
        listener.setblocking(False)
        door = PlainDoor(app, listener, limits=LimitSettings(), last=True)
        asked = []

        def ask(some: list[Any]) -> None:
            asked.extend(asyncio.create_task(ask_and_read(each)) for each in some)

        async with asyncio.timeout(20):
            async with door:
                # Nothing is accepted from here on: all of them are in the backlog.
                door._accepting.stop()
                waiting = []
                for _ in range(10):
                    raw = socket.socket(family)
                    raw.connect(listener.getsockname())
                    waiting.append(await asyncio.open_connection(sock=raw))
                ask(waiting[:7])
                asyncio.get_running_loop().call_later(0.3, ask, waiting[7:9])
            answers = await asyncio.gather(*asked)
            # The last one says nothing, and is not waited for for ever.
            reader, writer = waiting[9]
            assert await reader.read() == b""
            writer.close()
        assert len(answers) == 9
        assert all(each.startswith(b"HTTP/1.1 204 ") for each in answers), answers
        assert listener.fileno() == -1


async def test_who_is_in_the_middle_of_a_request_at_the_end_is_heard_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.timeout(20):
            door = PlainDoor(app, listener, limits=LimitSettings(), drain_s=15.0)
            async with door:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", door.address[1]
                )
                writer.write(b"GET / HTTP/1.1\r\nHo")
                while not door._known:  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(0)
                [one] = door._known
                while not one.has_begun:  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(0)
                # Later than the door waits for a first byte.
                asyncio.get_running_loop().call_later(
                    WORDLESS_S + 0.3, writer.write, b"st: x\r\n\r\n"
                )
            assert (await reader.read()).startswith(b"HTTP/1.1 204 ")
            writer.close()
