"""One table of request lines and Hosts, through every way in: the answers are alike.

The ways: linekey's own door, its listener behind a proxy (raw), and nginx, HAProxy and
Apache from exported files before it, which have ways of their own (``OWN_WAY``).
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, Place
from tests.live.test_export_https import PROXIES, behind, modernize

from linekey.catalog.models import Generation

FILE = b"/snomD785-000413AABBCC.htm"
HOST = b"Host: phones.example.com\r\n"

TARGETS = [
    (FILE, 200),
    (FILE + b"?mac=000413AABBCC", 200),
    (b"http://localhost" + FILE, 200),
    (b"https://another.example:8443" + FILE, 200),
    (b"HTTP://localhost" + FILE, 200),
    (b"http://localhost", 404),
    (b"http://localhost" + FILE + b"#x", 400),
    (b"http://user@localhost" + FILE, 400),
    (b"http://" + FILE, 400),
    (b"ftp://localhost" + FILE, 400),
    (FILE + b"#x", 400),
    (FILE + b"?mac=000413AABBCC#x", 400),
    (b"/" + FILE, 400),
    (b"//localhost" + FILE, 400),
    (b"/%73nomD785-000413AABBCC.htm", 400),
    (b"/x/.." + FILE, 400),
    (FILE[1:], 400),
    (b"localhost:443", 400),
    (b"*", 400),
    (b"?mac=000413AABBCC", 400),
    (b"", 400),
    (FILE + b"\xc3\xa9", 400),
    (b"\xc3\xa9", 400),
    (FILE + b"\\", 400),
    (FILE + b"\x00", 400),
]
HEADS = [
    (b"HTTP/1.1", HOST, 200),
    (b"HTTP/1.1", b"Host: [2001:db8::1]:443\r\n", 200),
    (b"HTTP/1.1", b"", 400),
    (b"HTTP/1.1", HOST + HOST, 400),
    (b"HTTP/1.1", HOST + b"host: another.example\r\n", 400),
    (b"HTTP/1.1", b"Host: a/b\r\n", 400),
    (b"HTTP/1.1", b"Host: a@b\r\n", 400),
    (b"HTTP/1.1", b"Host: [::1\r\n", 400),
    (b"HTTP/1.0", b"", 200),
    (b"HTTP/1.0", HOST, 200),
    (b"HTTP/1.0", HOST + HOST, 400),
]
REQUESTS = [
    *((b"GET " + target + b" HTTP/1.1\r\n" + HOST, status) for target, status in TARGETS),
    *((b"GET " + FILE + b" " + v + b"\r\n" + host, status) for v, host, status in HEADS),
    *((b"GET http://localhost" + FILE + b" HTTP/1.1\r\nHost: localhost\r\n", 200),),
    *((b"GET http://localhost" + FILE + b" " + v + b"\r\n" + host, status) for v, host, status in HEADS),
]  # fmt: skip


async def ask(place: Place, port: int, head: bytes, *, tls: bool) -> tuple[int, bytes]:
    """Send a request as it is; the status (0: none) and all that came."""
    options: dict[str, Any] = {}
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(place.lab.server_root_path)
        context.load_cert_chain(*place.identity(place.phone))
        options = {"ssl": context, "server_hostname": "localhost"}
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    try:
        writer.write(head + b"Connection: close\r\n\r\n")
        async with asyncio.timeout(20):
            answer = await reader.read()
    finally:
        writer.transport.abort()
    found = answer[:12].split(b" ")
    return int(found[1]) if found[0].startswith(b"HTTP/1.") else 0, answer


def as_a_proxy(place: Place) -> bytes:
    """What a listed proxy says of the phone."""
    chain, _ = place.lab.device_identity(place.phone, Generation.SHA256)
    leaf, *above = (b":" + b64encode(c.der) + b":" for c in chain)
    return (
        b"Client-Cert: " + leaf + b"\r\nClient-Cert-Chain: " + b", ".join(above)
        + b"\r\nX-Linekey-Client-Verify: SUCCESS\r\nX-Linekey-Tls-Version: TLSv1.2\r\n"
        b"X-Forwarded-For: 127.0.0.1\r\n"
    )  # fmt: skip


@asynccontextmanager
async def door(place: Place) -> AsyncIterator[Any]:
    async with place.serving() as server:

        async def through(head: bytes) -> tuple[int, bytes]:
            return await ask(place, server.door.address[1], head, tls=True)

        yield through


@asynccontextmanager
async def listener(place: Place) -> AsyncIterator[Any]:
    options = {"proxy__behind_proxy": True, "proxy__trusted_proxies": ("127.0.0.1",)}
    async with place.serving(**options) as server:

        async def through(head: bytes) -> tuple[int, bytes]:
            port = server.door.address[1]
            return await ask(place, port, head + as_a_proxy(place), tls=False)

        yield through


@pytest.mark.parametrize("way", [door, listener])
async def test_the_door_and_the_listener_behind_a_proxy_answer_alike(
    place: Place, way: Any
) -> None:
    got = {}
    async with way(place) as through:
        for head, _ in REQUESTS:
            status, answer = await through(head)
            got[head] = status
            assert (PASSWORD.encode() in answer) == (status == 200), head
    assert got == dict(REQUESTS)


ABSOLUTE = b"GET http://localhost" + FILE
OWN_WAY: dict[str, dict[bytes, int]] = {
    "nginx": {
        # It looks at no scheme of an absolute target, and sends on the path.
        b"GET ftp://localhost" + FILE + b" HTTP/1.1\r\n" + HOST: 200,
        # What Host says beside one, it does not look at closely.
        ABSOLUTE + b" HTTP/1.1\r\nHost: a@b\r\n": 200,
        ABSOLUTE + b" HTTP/1.1\r\nHost: [::1\r\n": 200,
    },
    "haproxy": {
        # It refuses a Host that is not the target's.
        ABSOLUTE + b" HTTP/1.1\r\n" + HOST: 400,
        ABSOLUTE + b" HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n": 400,
        ABSOLUTE + b" HTTP/1.0\r\n" + HOST: 400,
        b"GET HTTP://localhost" + FILE + b" HTTP/1.1\r\n" + HOST: 400,
        b"GET https://another.example:8443" + FILE + b" HTTP/1.1\r\n" + HOST: 400,
        b"GET http://localhost HTTP/1.1\r\n" + HOST: 400,
        # Two that say the same are one to it.
        b"GET " + FILE + b" HTTP/1.1\r\n" + HOST + HOST: 200,
        b"GET " + FILE + b" HTTP/1.0\r\n" + HOST + HOST: 200,
    },
    "apache": {
        # It takes leading slashes together, and puts one where there is none.
        b"GET /" + FILE + b" HTTP/1.1\r\n" + HOST: 200,
        # So this is the phone's own file in a folder of that name.
        b"GET //localhost" + FILE + b" HTTP/1.1\r\n" + HOST: 200,
        b"GET http://" + FILE + b" HTTP/1.1\r\n" + HOST: 200,
        b"GET ?mac=000413AABBCC HTTP/1.1\r\n" + HOST: 200,
        # Who named a host in the handshake must name one in the request, it thinks.
        b"GET " + FILE + b" HTTP/1.0\r\n": 400,
        ABSOLUTE + b" HTTP/1.0\r\n": 400,
    },
}
"""Where a proxy's own reading comes first; what it sends on then is plain."""


@pytest.mark.parametrize("name", PROXIES)
async def test_behind_a_real_proxy_the_answers_are_the_same_but_where_it_reads_first(
    place: Place, name: str
) -> None:
    modernize(place)
    got = {}
    async with behind(place, name) as (peer, _):
        for head, _ in REQUESTS:
            status, answer = await ask(place, peer.port, head, tls=True)
            got[head] = status
            assert (PASSWORD.encode() in answer) == (status == 200), head
    assert got == {**dict(REQUESTS), **OWN_WAY[name]}


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /phones.json HTTP/1.1\r\nHost: localhost\r\n", 200),
        (b"GET http://127.0.0.1:1/phones.json HTTP/1.1\r\nHost: evil.example\r\n", 200),
        (b"GET http://evil.example/phones.json HTTP/1.1\r\nHost: localhost\r\n", 421),
        (b"GET /phones.json HTTP/1.1\r\nHost: evil.example\r\n", 421),
        (b"GET /phones.json HTTP/1.1\r\nHost: 127.0.0.1:8480.evil.example\r\n", 400),
        (b"GET /phones.json HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 400),
        (b"GET /phones.json HTTP/1.1\r\n", 400),
        (b"GET /phones.json HTTP/1.0\r\n", 421),
        (b"GET /phones.json#x HTTP/1.1\r\nHost: localhost\r\n", 404),
    ],
)
async def test_the_status_page_reads_targets_and_hosts_by_the_same_rules(
    place: Place, head: bytes, status: int
) -> None:
    async with place.serving() as server:
        port = int(server.status_url.rpartition(":")[2].strip("/"))
        got, answer = await ask(place, port, head, tls=False)
    assert got == status
    assert (b"000413AABBCC" in answer) == (status == 200)
