"""Behind a balancer that passes TCP through: real HAProxy, PROXY protocol 1 and 2."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import peer_path
from tests.live.conftest import PASSWORD, Place
from tests.live.peers import free_port, open_folder
from tests.live.test_serve_bad_input import hello, port_of, send_raw, until

pytestmark = [pytest.mark.peer("curl"), pytest.mark.peer("haproxy")]

CONFIGURATION = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend phones
    bind 127.0.0.1:{port}
    default_backend linekey
backend linekey
    server linekey 127.0.0.1:{backend} {words}
"""


@asynccontextmanager
async def balancer(backend: int, words: str) -> AsyncIterator[int]:
    """HAProxy before ``backend``; its port."""
    program = peer_path("haproxy")
    assert program is not None
    port = free_port()
    with open_folder() as folder:
        file = Path(folder) / "haproxy.cfg"
        file.write_text(CONFIGURATION.format(port=port, backend=backend, words=words))
        process = await asyncio.create_subprocess_exec(
            program, "-db", "-f", str(file),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
                        break
                    await asyncio.sleep(0.05)  # a pause between two looks
            yield port
        finally:
            process.terminate()
            await process.wait()


async def fetch(place: Place, port: int, source: str) -> Any:
    certificate, key = place.identity(place.phone)
    return await place.curl(
        "--interface", source, "--cert", certificate, "--key", key, "-k",
        f"https://127.0.0.1:{port}/snomD785-{place.phone}.htm",
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        "send-proxy",
        "send-proxy-v2",
        "send-proxy-v2 check inter 100",
        "send-proxy check inter 100",
        "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority",
        "send-proxy-v2-ssl-cn",
    ],
)
async def test_the_record_has_the_phones_address(place: Place, words: str) -> None:
    options = {"proxy__protocol_from": ("127.0.0.1",)}
    async with (
        place.serving(**options) as server,
        balancer(port_of(server), words) as port,
    ):
        got = await fetch(place, port, "127.0.0.3")
        assert PASSWORD in got.out, got.said
        if "check" in words:
            await until(lambda: server.door.accepted > 6)  # HAProxy looks meanwhile
    (granted,) = [e for e in place.log() if e.outcome == "granted"]
    assert granted.peer == "127.0.0.3"
    # What ``balancer`` tried itself may be there; none of HAProxy's own looks is.
    others = [e for e in place.log() if e.outcome != "granted"]
    assert sum(e.times for e in others) <= 1


async def test_shares_are_the_phones_and_the_balancer_has_none(place: Place) -> None:
    options = {
        "proxy__protocol_from": ("127.0.0.1",),
        "limits__half_open": 4,
        "limits__shed_after_s": 30,
    }
    async with (
        place.serving(**options) as server,
        balancer(port_of(server), "send-proxy-v2") as port,
    ):
        held = []
        for _ in range(12):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=("127.0.0.2", 0)
            )
            writer.write(hello())
            held.append(writer)
        await until(lambda: len(server.door.places.turns) == 8)
        assert server.door.places.handshakes.count("127.0.0.2") == 4
        got = await fetch(place, port, "127.0.0.3")
        assert PASSWORD in got.out, got.said
        for writer in held:
            writer.transport.abort()
    (shed,) = [e for e in place.log() if e.reason == "handshake.shed"]
    assert shed.peer == "127.0.0.2"


async def test_a_header_of_somebody_else_is_refused(place: Place) -> None:
    options = {"proxy__protocol_from": ("127.0.0.1",)}
    async with place.serving(**options) as server:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port_of(server), local_addr=("127.0.0.2", 0)
        )
        writer.write(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n" + hello())
        async with asyncio.timeout(10):
            await reader.read()
        writer.close()
        await place.logged(1)
        got = await fetch(place, port_of(server), "127.0.0.4")  # no header, none due
        assert PASSWORD in got.out, got.said
    refused, granted = place.log()
    assert (refused.peer, refused.outcome) == ("127.0.0.2", "refused")
    assert refused.reason == "hello.proxy_unasked"
    assert "PROXY protocol header" in refused.detail
    assert "192.0.2.7" not in refused.sentence, "what it claims is nowhere"
    assert "proxy.protocol_from" in refused.remedy
    assert granted.peer == "127.0.0.4"


@pytest.mark.parametrize(
    "first", [hello(), b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 nobody\r\n"]
)
async def test_a_listed_balancer_without_its_header_is_refused_with_the_cure(
    place: Place, first: bytes
) -> None:
    async with place.serving(proxy__protocol_from=("127.0.0.1",)) as server:
        assert await send_raw(server, first) == b""
        await place.logged(1)
    (entry,) = place.log()
    assert entry.reason == "hello.proxy_header"
    assert "send-proxy" in entry.remedy


async def test_a_header_may_come_in_pieces_and_with_the_hello(place: Place) -> None:
    async with place.serving(proxy__protocol_from=("127.0.0.0/8",)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(place.lab.server_root_path)
        context.load_cert_chain(*place.identity(place.phone))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        header = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n"
        for piece in (header[:3], header[3:20], header[20:] + outgoing.read()):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            assert (await reader.read(5))[:1] == b"\x16"
        writer.transport.abort()
        entries = await place.logged(1)
    assert entries[0].peer == "2001:db8::7"
