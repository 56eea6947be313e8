"""The plain listeners take so many connections, and who asks nothing gives way."""

import asyncio
import socket
from typing import Any

import pytest

from linekey.server.plain_door import PlainDoor
from linekey.settings import LimitSettings
from linekey.wire import http_server


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def test_the_eldest_that_asks_nothing_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_server, "_GRACE_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            asyncio.timeout(20),
            PlainDoor(app, listener, limits=LimitSettings(connections=3)) as door,
        ):
            port = door.address[1]
            silent = [await connect(port) for _ in range(8)]
            reader, writer = await connect(port)
            writer.write(ASK)
            assert b" 204 " in await reader.readline()
            assert await silent[0][0].read() == b""  # closed for it
            while door.connections > 3 or not door.accepting:  # noqa: ASYNC110
                await asyncio.sleep(0)
            for _, each in (*silent, (reader, writer)):
                each.transport.abort()


@pytest.mark.parametrize("first", [b"", b"GET / HTT", ASK], ids=repr)
async def test_a_flood_from_one_source_keeps_no_other_out(
    monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    monkeypatch.setattr(http_server, "_GRACE_S", 1000.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            asyncio.timeout(20),
            PlainDoor(app, listener, limits=LimitSettings(connections=20)) as door,
        ):
            port = door.address[1]
            silent = []
            for _ in range(100):
                silent.append(await connect(port))
                silent[-1][1].write(first)
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=("127.0.0.2", 0)
            )
            writer.write(ASK)
            assert b" 204 " in await reader.readline()
            for _, each in (*silent, (reader, writer)):
                each.transport.abort()


async def test_when_all_have_asked_the_next_waits_and_is_not_turned_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            asyncio.timeout(20),
            PlainDoor(app, listener, limits=LimitSettings(connections=2)) as door,
        ):
            port = door.address[1]
            busy = [await connect(port) for _ in range(2)]
            for reader, writer in busy:
                writer.write(ASK)
                assert b" 204 " in await reader.readline()
            late = [await connect(port) for _ in range(3)]
            for _, writer in late:
                writer.write(ASK)
            while door.accepting:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0)
            for _, writer in busy:
                writer.transport.abort()
            for reader, writer in late:
                assert b" 204 " in await reader.readline()
                writer.transport.abort()


async def test_who_asks_nothing_is_closed_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_server, "FIRST_REQUEST_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            asyncio.timeout(20),
            PlainDoor(app, listener, limits=LimitSettings()) as door,
        ):
            reader, writer = await connect(door.address[1])
            assert await reader.read() == b""
            writer.close()
