"""What no foreign server does: test servers that linekey itself plays.

- Every talk reads one hello and says its piece; what a client answers is not read.
- ``scripted`` plays a TLS 1.0–1.2 server's first flight, for suites that no library
  speaks any more. It holds no key and could not finish a handshake.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from linekey.certs.certificate import Certificate
from linekey.tls.alerts import Alert

Chain = Sequence[Certificate]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Chain], Awaitable[None]]

_HANDSHAKE: Final = 22  # RFC 5246 §6.2.1
_ALERT: Final = 21


def _record(kind: int, data: bytes, version: int) -> bytes:
    return bytes([kind]) + version.to_bytes(2) + len(data).to_bytes(2) + data


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3) + body


def flight(suite: int, version: int, chain: Chain) -> bytes:
    """ServerHello, Certificate and ServerHelloDone in one record (RFC 5246 §7.4)."""
    hello = version.to_bytes(2) + bytes(32) + b"\0" + suite.to_bytes(2) + b"\0"
    listed = b"".join(len(c.der).to_bytes(3) + c.der for c in chain)
    body = (
        _message(2, hello)
        + _message(11, len(listed).to_bytes(3) + listed)
        + _message(14, b"")
    )
    return _record(_HANDSHAKE, body, version)


def scripted(suite: int, version: int) -> Talk:
    """A server that picks this suite and version, whatever was offered."""

    async def talk(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chain: Chain
    ) -> None:
        await reader.read(4096)
        writer.write(flight(suite, version, chain))
        await writer.drain()
        await reader.read(4096)

    return talk


def saying(*parts: bytes) -> Talk:
    """A server that says these bytes and closes."""

    async def talk(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chain: Chain
    ) -> None:
        await reader.read(4096)
        for part in parts:
            writer.write(part)
            await writer.drain()

    return talk


async def _silent(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chain: Chain
) -> None:
    while await reader.read(4096):
        pass


_PLAIN: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 30\r\n"
    b"Connection: close\r\n\r\nThis port speaks no TLS, sir.\r\n"
)

TALKS: Final[Mapping[str, Talk]] = {
    "plain-http": saying(_PLAIN),
    "closes": saying(),
    "silent": _silent,
    "malformed": saying(_record(_HANDSHAKE, _message(2, b"\x03\x03short"), 0x0303)),
    "unknown-name": saying(
        _record(_ALERT, bytes((2, Alert.UNRECOGNIZED_NAME)), 0x0303)
    ),
    "3des": scripted(0x000A, 0x0301),
    "rc4": scripted(0x0005, 0x0301),
    "unoffered": scripted(0x0096, 0x0301),  # SEED, which no phone offers
}
"""Name → what is said."""
