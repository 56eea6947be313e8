"""The listener behind a proxy puts on record what is no HTTP, with its name."""

import asyncio
import socket
from typing import Any

import pytest

from linekey.server.plain_door import PlainDoor
from linekey.settings import LimitSettings
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
