"""What HTTP writes to at the door: an asyncio transport whose bytes go through TLS.

Rule: what is written in one turn of the event loop leaves in one piece, and a last
answer leaves together with its close_notify.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

from linekey.certs.certificate import Certificate


class Below(Protocol):
    """The connection, as it is asked to send and to end."""

    @property
    def is_open(self) -> bool:
        """Whether the handshake is over and nothing has ended yet."""

    def send(self, data: bytes) -> None:
        """Encrypt and send."""

    def close(self, last: bytes) -> None:
        """Send ``last`` and close_notify, then close."""

    def close_lingering(self) -> None:
        """End our side, and throw away what still comes."""

    def abort(self) -> None:
        """Close at once."""


class TlsTransport(asyncio.Transport):
    """What HTTP writes to: an asyncio transport whose bytes go through the engine.

    Writes of one turn of the event loop leave in one piece, so that a response's head
    and body make one TLS record and one system call. ``raw`` is the TCP transport.
    """

    __slots__ = (
        "_address",
        "_closing",
        "_connection",
        "_loop",
        "_peer",
        "_pending",
        "_raw",
        "leaf",
    )

    def __init__(
        self,
        connection: Below,
        raw: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        peer: tuple[str, int],
        address: tuple[str, int],
        leaf: Certificate | None,
    ) -> None:
        super().__init__()
        self._connection = connection
        self._raw = raw
        self._loop = loop
        self._peer = peer
        self._address = address
        self._pending: list[bytes] = []
        self._closing = False
        self.leaf = leaf

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return ``peername`` and ``sockname`` as (address, port)."""
        if name == "peername":
            return self._peer
        if name == "sockname":
            return self._address
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep ``data`` for the next flush; large amounts go at once."""
        if self._closing or not data:
            return
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append(bytes(data))

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Write each piece."""
        for data in list_of_data:
            self.write(data)

    def flush(self) -> None:
        """Encrypt and send what was written."""
        if self._pending:
            pending, self._pending = self._pending, []
            self._connection.send(
                pending[0] if len(pending) == 1 else b"".join(pending)
            )

    def is_closing(self) -> bool:
        """Whether this is closed, or about to be."""
        return self._closing or not self._connection.is_open

    def close(self) -> None:
        """Flush, say close_notify, close."""
        if not self._closing:
            self._closing = True
            last = b"".join(self._pending)
            self._pending.clear()
            self._connection.close(last)

    def close_lingering(self) -> None:
        """Flush, end our side, and throw away what still comes."""
        if not self._closing:
            self.flush()
            self._closing = True
            self._connection.close_lingering()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._connection.abort()

    def pause_reading(self) -> None:
        """Read no more from the peer for now."""
        if not self._raw.is_closing():
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not self._raw.is_closing():
            self._raw.resume_reading()

    def is_reading(self) -> bool:
        """Whether bytes of the peer are being read."""
        return self._raw.is_reading()

    def get_write_buffer_size(self) -> int:
        """Bytes not yet sent."""
        return self._raw.get_write_buffer_size()

    def can_write_eof(self) -> bool:
        """TLS 1.2 cannot end one side only."""
        return False
