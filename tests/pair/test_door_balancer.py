"""The door behind a balancer: half headers, looks, headers that nobody asked for."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.pair.test_door import Joined, Wire, lab, phone  # noqa: F401 -- a fixture

from linekey.lab.authority import LabAuthority
from linekey.settings import LimitSettings
from linekey.tls.events import Accept, HandshakeCompleted
from linekey.tls.pump import Limits
from linekey.wire.door.connection import DoorConnection
from linekey.wire.networks import parse_networks

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
UNIX = SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216)
NAMED = b"PROXY TCP4 198.51.100.9 192.0.2.1 4711 443\r\n"


async def _app(scope: Any, receive: Any, send: Any) -> None:
    body = scope["client"][0].encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def behind(own: LabAuthority, *listed: str, handshake_s: float = 10) -> Any:
    joined = Joined(own, _app, lambda _: Accept())
    joined.door._balancers = parse_networks(listed)
    joined.door.limits = LimitSettings(handshake_s=handshake_s)
    joined.door.tls_limits = Limits(handshake_s)
    async with joined:
        yield joined


async def recorded(joined: Joined) -> Any:
    async with asyncio.timeout(30):
        while not joined.refusals:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.005)  # a pause between two looks
    (refusal,) = joined.refusals
    return refusal


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (NAMED, "198.51.100.9"),
        (b"PROXY UNKNOWN\r\n", "192.0.2.7"),
        (LOCAL, "192.0.2.7"),
        (UNIX, "192.0.2.7"),
        (
            SIGNATURE + b"\x21\x11\x00\x13" + bytes((198, 51, 100, 9, 1, 1, 1, 1, 0, 9, 1, 187))
            + b"\x04\x00\x04pads",
            "198.51.100.9",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 65_536])
async def test_a_phone_behind_any_header_is_served_in_its_own_name(
    lab: LabAuthority,  # noqa: F811
    header: bytes,
    peer: str,
    size: int,
) -> None:
    async with behind(lab, "192.0.2.7") as joined:
        engine = phone(lab)
        first = header + engine.take_output()
        for at in range(0, len(first), size):
            joined.connection.data_received(first[at : at + size])
        await joined.pump(engine)
        assert any(isinstance(e, HandshakeCompleted) for e in joined.events)
        engine.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await joined.pump(engine)
        assert joined.answer().endswith(f"\r\n\r\n{peer}".encode())
    assert joined.refusals == []


@pytest.mark.parametrize("begun", [b"", b"P", NAMED[:-1], SIGNATURE, LOCAL[:-1]])
async def test_a_header_that_does_not_become_whole_ends_in_time_and_is_named(
    lab: LabAuthority,  # noqa: F811
    begun: bytes,
) -> None:
    async with behind(lab, "192.0.2.7", handshake_s=0.02) as joined:
        if begun:
            joined.connection.data_received(begun)
        refusal = await recorded(joined)
        assert joined.wire.ended
    assert refusal.code == "hello.proxy_header"
    assert "no whole PROXY protocol header within 0.02 seconds" in refusal.reason
    assert "send-proxy" in refusal.cure


OWN = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"
"""What HAProxy's check says in version 1, which has no LOCAL."""


@pytest.mark.parametrize("sent", [b"", LOCAL, b"PROXY UNKNOWN\r\n", UNIX, OWN])
async def test_a_look_whether_somebody_listens_is_on_nobodys_record(
    lab: LabAuthority,  # noqa: F811
    sent: bytes,
) -> None:
    async with behind(lab, "192.0.2.7") as joined:
        if sent:
            joined.connection.data_received(sent)
        joined.connection.eof_received()
        await asyncio.sleep(0)
    assert joined.refusals == []


@pytest.mark.parametrize(
    ("sent", "peer", "words"),
    [
        (b"P", "192.0.2.7", "in the middle of its header"),
        (SIGNATURE, "192.0.2.7", "in the middle of its header"),
        (NAMED, "198.51.100.9", "without a word"),
        (NAMED + b"\x16\x03\x01", "198.51.100.9", "in the middle of the hello"),
        (LOCAL + b"\x16\x03\x01", "192.0.2.7", "in the middle of the hello"),
    ],
)
async def test_whoever_else_leaves_is_on_record(
    lab: LabAuthority,  # noqa: F811
    sent: bytes,
    peer: str,
    words: str,
) -> None:
    async with behind(lab, "192.0.2.7") as joined:
        joined.connection.data_received(sent)
        joined.connection.eof_received()
        refusal = await recorded(joined)
    assert (refusal.code, refusal.peer[0]) == ("hello.gone", peer)
    assert words in refusal.reason


@pytest.mark.parametrize("header", [NAMED, LOCAL, b"PROXY UNKNOWN\r\n"])
@pytest.mark.parametrize("listed", [(), ("192.0.2.8", "198.51.100.0/24")])
async def test_a_header_from_an_address_that_is_not_listed_is_refused_and_named(
    lab: LabAuthority,  # noqa: F811
    header: bytes,
    listed: tuple[str, ...],
) -> None:
    async with behind(lab, *listed) as joined:
        joined.connection.data_received(header)
        joined.connection.data_received(phone(lab).take_output())
        refusal = await recorded(joined)
        assert joined.wire.ended
    assert refusal.code == "hello.proxy_unasked"
    assert refusal.peer == ("192.0.2.7", 4711), "what it claims is not believed"
    assert "PROXY protocol header" in refusal.reason
    assert "proxy.protocol_from" in refusal.cure


async def test_a_second_header_is_the_phones_and_refused(
    lab: LabAuthority,  # noqa: F811
) -> None:
    async with behind(lab, "192.0.2.7") as joined:
        joined.connection.data_received(NAMED + NAMED)
        refusal = await recorded(joined)
    assert (refusal.code, refusal.peer[0]) == ("hello.proxy_unasked", "198.51.100.9")


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP4 nobody\r\n",
        SIGNATURE + b"\x21\x41\x00\x00",
        SIGNATURE + b"\x21\x11\x00\x02\x00\x00",
        bytes(500),
    ],
)
async def test_a_listed_balancer_without_a_good_header_is_refused_at_once(
    lab: LabAuthority,  # noqa: F811
    junk: bytes,
) -> None:
    async with behind(lab, "192.0.2.7") as joined:
        joined.connection.data_received(junk)
        refusal = await recorded(joined)
        assert joined.wire.ended
        other = DoorConnection(joined.door)  # and the next one is looked at anew
        other.connection_made(wire := Wire())
        engine = phone(lab)
        other.data_received(NAMED + engine.take_output())
        await asyncio.sleep(0)
        assert wire.sent
        other.connection_lost(None)
    assert refusal.code == "hello.proxy_header"
