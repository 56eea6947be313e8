"""What a balancer is answered: life, readiness, nothing else; and what it may cost."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from linekey.server import health
from linekey.server.health import HealthServer, health_url
from linekey.wire.door.listener import bind
from linekey.wire.readiness import Readiness

READY = Readiness(True, "", "", 2)
BUSY = Readiness(False, "busy", "another process holds the database's lock", 2)


@asynccontextmanager
async def answering(found: Readiness | Exception) -> AsyncIterator[socket.socket]:
    async def ready() -> Readiness:
        if isinstance(found, Exception):
            raise found
        return found

    with bind("127.0.0.1", 0) as listener:
        async with HealthServer(listener, ready):
            yield listener


async def send(listener: socket.socket, data: bytes) -> str:
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(data)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer.decode()


def get(path: str, method: str = "GET", version: str = "1.1") -> bytes:
    host = "Host: balancer\r\n" if version == "1.1" else ""
    return f"{method} {path} HTTP/{version}\r\n{host}\r\n".encode()


@pytest.mark.parametrize(
    ("request_", "status", "holds"),
    [
        (get("/healthz"), 200, '"ok"'),
        (get("/readyz"), 200, '"ready"'),
        (get("/readyz", version="1.0"), 200, '"ready"'),
        (get("/readyz?x=1"), 200, '"ready"'),
        (get("/"), 404, "/readyz"),
        (get("/metrics"), 404, ""),
        (get("/overview.json"), 404, ""),
        (get("/readyz", "POST"), 405, ""),
        (get("/readyz", "OPTIONS"), 405, ""),
        (b"nonsense\r\n\r\n", 400, "not HTTP"),
        (b"\x16\x03\x01\x00\x05hello\r\n\r\n", 400, "not HTTP"),
        (b"GET /readyz HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431, "not HTTP"),
    ],
)
async def test_there_is_life_and_readiness_and_nothing_else(
    request_: bytes, status: int, holds: str
) -> None:
    async with answering(READY) as listener:
        got = await send(listener, request_)
    assert got.startswith(f"HTTP/1.1 {status} "), got
    assert holds in got
    assert "connection: close" in got.lower()


async def test_who_cannot_serve_says_why_and_lives() -> None:
    async with answering(BUSY) as listener:
        got = await send(listener, get("/readyz"))
        alive = await send(listener, get("/healthz"))
        head = await send(listener, get("/readyz", "HEAD"))
    assert got.startswith("HTTP/1.1 503 ")
    assert '"cause": "busy"' in got
    assert "another process holds" in got
    assert alive.startswith("HTTP/1.1 200 ")
    assert head.startswith("HTTP/1.1 503 ")
    assert head.endswith("\r\n\r\n")


async def test_a_fault_of_our_own_is_not_ready() -> None:
    async with answering(ValueError("s3cr3t")) as listener:
        got = await send(listener, get("/readyz"))
    assert got.startswith("HTTP/1.1 503 ")
    assert "s3cr3t" not in got


async def test_silent_ones_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MAX_CONNECTIONS", 3)
    async with answering(READY) as listener:
        silent = [
            await asyncio.open_connection(*listener.getsockname()) for _ in range(3)
        ]
        for _ in range(5):
            got = await send(listener, get("/readyz"))
            assert got.startswith("HTTP/1.1 200 ")
        for _, writer in silent:
            writer.close()


async def test_whoever_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REQUEST_S", 0.05)
    async with answering(READY) as listener:
        assert await send(listener, b"GET /readyz") == ""


async def test_its_url_is_one_to_open() -> None:
    async with answering(READY) as listener:
        port = listener.getsockname()[1]
        assert health_url(listener) == f"http://127.0.0.1:{port}/"
