"""What ``carry`` tells, where the socket is slow, gone, or says no more."""

import asyncio
from typing import Any

import pytest
from tests.pair.tls_world import client

from linekey.tls.alerts import Alert, record
from linekey.tls.engine import ClientEngine
from linekey.tls.events import HandshakeFailed
from linekey.tls.pump import ClientPump, Limits
from linekey.wire.carry import carry


class Broken:
    """A writer whose peer reads no more."""

    def __init__(self) -> None:
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += data

    async def drain(self) -> None:
        raise ConnectionResetError


async def carried(pump: ClientPump, reader: asyncio.StreamReader) -> HandshakeFailed:
    writer: Any = Broken()
    (event,) = await carry(pump, reader, writer)
    assert isinstance(event, HandshakeFailed)
    assert writer.sent.startswith(b"\x16\3\1")  # the hello went first
    assert pump.ended
    return event


def pump(handshake_s: float | None = None) -> ClientPump:
    now = asyncio.get_running_loop().time()
    return ClientPump(ClientEngine(client()), Limits(handshake_s), now)


async def test_why_a_peer_ends_is_told_although_it_reads_no_more() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(record(Alert.HANDSHAKE_FAILURE, 0x0303))
    failed = await carried(pump(), reader)
    assert failed.alert_received is Alert.HANDSHAKE_FAILURE


async def test_the_end_of_the_bytes_is_told() -> None:
    reader = asyncio.StreamReader()
    reader.feed_eof()
    assert "closed the connection" in (await carried(pump(), reader)).reason


async def test_the_deadline_is_kept_and_told() -> None:
    failed = await carried(pump(handshake_s=0.0), asyncio.StreamReader())
    assert failed.code == "handshake.too_slow"


async def test_a_broken_connection_is_an_oserror() -> None:
    reader = asyncio.StreamReader()
    reader.set_exception(ConnectionResetError())
    with pytest.raises(ConnectionResetError):
        await carried(pump(), reader)
