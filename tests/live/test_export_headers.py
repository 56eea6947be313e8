"""What the exported proxies send on, byte by byte: to a backend that only listens.

Each rule of the templates that keeps something of the client's away, or hands it on as
it was, has its case here; what linekey makes of it is in test_export_https.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.peers import Peer, certificates_in, exported_peer

from linekey.certs.pem import to_pem
from linekey.export.request import Endpoint

pytestmark = [pytest.mark.peer("curl")]

PROXIES = [pytest.param(n, marks=pytest.mark.peer(n)) for n in ("nginx", "haproxy", "apache")]  # fmt: skip

OURS = (
    "Client-Cert", "Client-Cert-Chain", "X-Linekey-Client-Verify", "X-Linekey-Tls-Version",
    "X-Linekey-Tls-Suite", "X-Forwarded-For", "Forwarded",
)  # fmt: skip
"""What a backend may believe of a proxy; nothing of it may be the client's."""


@asynccontextmanager
async def listening(place: Place, name: str) -> AsyncIterator[tuple[Peer, list[str]]]:
    """The proxy before a backend that answers 200 and keeps the heads of requests."""
    heads: list[str] = []

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            head = b""
        if head:
            heads.append(head.decode("latin-1"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")  # fmt: skip
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        backend = Endpoint(*server.sockets[0].getsockname()[:2])
        async with exported_peer(place, name, backend=backend) as peer:
            yield peer, heads


def leaf_alone(place: Place, folder: Path) -> list[str]:
    """A phone that sends no intermediate."""
    certificate, key = place.identity(place.phone)
    alone = folder / "leaf.pem"
    alone.write_text(to_pem(certificates_in(certificate)[0]))
    return ["--cert", str(alone), "--key", key]


def values(head: str, name: str) -> list[str]:
    lines = [line.partition(":") for line in head.split("\r\n")[1:]]
    return [value.strip() for key, _, value in lines if key.lower() == name.lower()]


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("header", OURS)
async def test_nothing_of_what_the_client_says_of_itself_gets_through(
    place: Place, name: str, header: str, tmp_path: Path
) -> None:
    words = leaf_alone(place, tmp_path)
    for spelled in (header, header.upper(), header.lower()):
        words += ["-H", f"{spelled}: forged"]
    words += ["-H", "X-Other: passed on"]
    async with listening(place, name) as (peer, heads):
        got = await place.curl(*words, f"{peer.url}/x")
    assert got.out == "ok", got.said + peer.log()
    (head,) = heads
    assert values(head, "X-Other") == ["passed on"]
    assert "forged" not in head
    assert len(values(head, header)) == (header not in ("Client-Cert-Chain", "Forwarded"))  # fmt: skip


@pytest.mark.parametrize("name", ["haproxy", "nginx"])
async def test_nor_does_it_in_another_spelling(
    place: Place, name: str, tmp_path: Path
) -> None:
    words = leaf_alone(place, tmp_path)
    for header in OURS:
        if "-" in header:
            words += ["-H", f"{header.replace('-', '_')}: forged"]
    async with listening(place, name) as (peer, heads):
        got = await place.curl(*words, f"{peer.url}/x")
    assert got.out == "ok", got.said + peer.log()
    assert "forged" not in heads[0]


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize(
    "target",
    ["/%73nomD785.htm", "/a%2Fb.htm", "/a/../b.htm", "/a//x.htm", "/a%2e%2e/%7Ex?mac=%30&b", "/x%5Cy"],
)  # fmt: skip
async def test_the_target_arrives_as_it_was_sent(
    place: Place, name: str, target: str, tmp_path: Path
) -> None:
    words = leaf_alone(place, tmp_path)
    async with listening(place, name) as (peer, heads):
        got = await place.curl("--path-as-is", *words, f"{peer.url}{target}")
    assert got.out == "ok", got.said + peer.log()
    assert heads[0].startswith(f"GET {target} HTTP/1.1\r\n")


@pytest.mark.parametrize("name", PROXIES)
async def test_the_address_is_the_phones(
    place: Place, name: str, tmp_path: Path, record_interop: Any
) -> None:
    words = leaf_alone(place, tmp_path)
    async with listening(place, name) as (peer, heads):
        for address in ("127.0.0.2", "127.0.0.3"):
            url = f"https://127.0.0.1:{peer.port}/x"
            await place.curl("-k", "--interface", address, *words, url)
    assert [values(head, "X-Forwarded-For") for head in heads] == [
        ["127.0.0.2"],
        ["127.0.0.3"],
    ]
    record_interop(name, "the phone's own address is handed on")


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("name", PROXIES)
async def test_no_session_ticket_is_given_and_sessions_resume_without_one(
    place: Place, name: str, tmp_path: Path
) -> None:
    """A ticket's key lives as long as the process, and opens every session under it."""
    certificate, key = place.identity(place.phone)
    session = str(tmp_path / "session")
    async with listening(place, name) as (peer, _):
        for words, begin in ((["-sess_out", session], "New"), (["-sess_in", session], "Reused")):  # fmt: skip
            got = await place.run(
                "openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}", "-tls1_2",
                "-cert", certificate, "-key", key, *words, given=b"",
            )  # fmt: skip
            assert f"{begin}, TLSv1.2" in got.out, got.said
            assert "TLS session ticket" not in got.out
