"""What a hello is answered with, byte for byte, by linekey and by nginx beside it."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.live.nginx_beside import beside

from linekey.tls import wire
from linekey.tls.hello import ClientHello, build_client_hello
from linekey.tls.messages import AlertMessage, FlightReader, ServerHello
from linekey.tls.suites import by_name

pytestmark = [pytest.mark.peer("nginx")]

GROUPS = (10, wire.numbers(2, (29, 23, 24)))
SCHEMES = (13, wire.numbers(2, (0x0401, 0x0403, 0x0804, 0x0201)))


def hello(
    legacy: int, *suites: str, extensions: Any = (GROUPS, SCHEMES)
) -> ClientHello:
    numbers = tuple(by_name(n).number for n in suites)
    return ClientHello(legacy, os.urandom(32), numbers, tuple(extensions))


def ask(port: int, offered: ClientHello) -> ServerHello | AlertMessage:
    """The first thing that a server says to a hello."""
    reader = FlightReader()
    with socket.create_connection(("127.0.0.1", port), timeout=15) as stream:
        stream.sendall(build_client_hello(offered))
        while True:
            data = stream.recv(65_536)
            assert data, "the server closed without a word"
            for message in reader.feed(data):
                if isinstance(message, ServerHello | AlertMessage):
                    return message


HELLOS = {
    "modern": hello(0x0303, "ECDHE-RSA-AES128-GCM-SHA256"),
    "interim, ECDHE": hello(0x0303, "ECDHE-RSA-AES128-SHA"),
    "interim, RSA": hello(0x0303, "AES128-GCM-SHA256", "AES128-SHA"),
    "interim, no extension": hello(0x0303, "AES256-SHA", extensions=()),
    "legacy, TLS 1.1": hello(0x0302, "AES128-SHA"),
    "legacy, TLS 1.0": hello(0x0301, "ECDHE-RSA-AES128-SHA", "AES128-SHA"),
    "ECDSA modern, RSA interim": hello(
        0x0303, "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "AES128-SHA"
    ),
    "no curve in common": hello(
        0x0303, "ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA",
        extensions=((10, wire.numbers(2, (1,))), SCHEMES),
    ),
    "no curves at all": hello(
        0x0303, "ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA", extensions=(SCHEMES,)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(HELLOS))
async def test_what_nginx_serves_is_served_and_marked_alike(
    place: Any, name: str
) -> None:
    offered = HELLOS[name]
    async with place.serving() as server, beside(place) as nginx_port:
        port = int(server.url.rpartition(":")[2])
        ours = await asyncio.to_thread(ask, port, offered)
        theirs = await asyncio.to_thread(ask, nginx_port, offered)
    assert isinstance(theirs, ServerHello)
    assert isinstance(ours, ServerHello)
    assert ours.version == theirs.version
    mark = b"DOWNGRD\1" if ours.version == 0x0303 else b"DOWNGRD\0"
    assert ours.random[-8:] == theirs.random[-8:] == mark


@pytest.mark.parametrize(
    ("suites", "got"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-SHA"),
        ("ECDHE-ECDSA-AES256-GCM-SHA384:AES256-SHA256", "AES256-SHA256"),
        ("ECDHE-ECDSA-CHACHA20-POLY1305:DHE-RSA-AES128-SHA", "DHE-RSA-AES128-SHA"),
    ],
)
async def test_a_client_whose_modern_suites_need_another_key_gets_its_file(
    place: Any, suites: str, got: str
) -> None:
    certificate, key = place.identity(place.phone)
    request = f"GET /snomD785-{place.phone}.htm HTTP/1.0\r\n\r\n".encode()
    async with place.serving() as server:
        ran = await place.run(
            "openssl", "s_client", "-connect", server.url.removeprefix("https://"),
            "-tls1_2", "-cipher", f"{suites}:@SECLEVEL=0", "-cert", certificate,
            "-key", key, "-cert_chain", certificate, "-ign_eof", given=request,
        )  # fmt: skip
    assert f"Cipher is {got}\n" in ran.out, ran.said
    assert place.password in ran.out


async def test_a_client_that_reaches_higher_refuses_the_mark(place: Any) -> None:
    """OpenSSL's own client, behind somebody who takes TLS 1.3 out of its hello."""
    certificate, key = place.identity(place.phone)
    async with place.serving() as server:
        port = int(server.url.rpartition(":")[2])
        async with stripping_proxy(port) as proxy_port:
            ran = await place.run(
                "openssl", "s_client", "-connect", f"127.0.0.1:{proxy_port}",
                "-cipher", "AES128-SHA", "-cert", certificate, "-key", key,
                "-cert_chain", certificate, given=b"",
            )  # fmt: skip
    assert ran.code != 0
    assert "inappropriate fallback" in ran.said, ran.said  # its word for the mark


@contextlib.asynccontextmanager
async def stripping_proxy(port: int) -> AsyncIterator[int]:
    """Carries bytes, and makes a 1.2 of the 1.3 in a hello's supported_versions."""
    carriers: list[asyncio.Task[None]] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        first = await reader.read(65_536)
        before = b"\x03\x04\x03\x03\x03\x02\x03\x01"
        short = b"\x03\x04\x03\x03"
        found = before if before in first else short
        assert found in first
        far_writer.write(first.replace(found, b"\x03\x03" + found[2:]))
        async with asyncio.TaskGroup() as both:
            both.create_task(copy(reader, far_writer))
            both.create_task(copy(far_reader, writer))

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carriers.append(asyncio.get_running_loop().create_task(carry(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
        await asyncio.gather(*carriers)
    finally:
        server.close()


async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()
    with contextlib.suppress(OSError):
        await sink.wait_closed()
