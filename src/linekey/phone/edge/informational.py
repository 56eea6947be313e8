"""Informational answers (HTTP 1xx) before the real one, within bounds.

A server may send any number of them (RFC 9110 §15.2), and HTTP libraries read on until
another comes: 100 MB of them keep a client busy for a minute. ``Bounded`` is the
phone's connection while it waits for the head of the answer, and counts.

Rule: at most ``MAX_INFORMATIONAL`` of them, and ``MAX_HEAD`` bytes up to the end of the
real head; more is PeerError.
"""

import re
from typing import Any, Final

import httpcore2

from linekey.errors import PeerError

MAX_INFORMATIONAL: Final = 5
"""As Go's net/http has it (``max1xxResponses``); 100, 102 and 103 may all come."""
MAX_HEAD: Final = 100 * 1024
"""Bytes of all heads of one answer; h11 and httpcore2 take as many of a single one."""
_END = re.compile(rb"\n\r?\n")
_INFORMATIONAL = re.compile(rb"HTTP/1\.[01] +1(?!01)")
_START: Final = len(b"HTTP/1.1 100")


class Heads:
    """Counts the informational heads at the beginning of a stream of bytes."""

    def __init__(self) -> None:
        self.count = 0
        self._size = 0
        self._buffer = bytearray()
        self._over = False
        """Whether the real head began."""

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises PeerError above the bounds."""
        if self._over:
            return
        self._buffer += data
        self._size += len(data)
        while len(self._buffer) >= _START:
            if _INFORMATIONAL.match(self._buffer) is None:
                self._over = True
                self._buffer.clear()
                return
            end = _END.search(self._buffer)
            if end is None:
                break
            self.count += 1
            if self.count > MAX_INFORMATIONAL:
                raise PeerError(
                    f"the server sent more than {MAX_INFORMATIONAL} answers that are"
                    " none (1xx)",
                    hint="look at what stands at this address",
                )
            del self._buffer[: end.end()]
        if self._size > MAX_HEAD:
            raise PeerError(
                f"the server sent {MAX_HEAD} bytes before its answer began",
                hint="look at what stands at this address",
            )


class Bounded(httpcore2.AsyncNetworkStream):
    """A stream whose informational answers are counted."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._heads = Heads()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- httpcore2's signature
        """As of the stream; raises PeerError above the bounds."""
        data = await self._stream.read(max_bytes, timeout)
        self._heads.feed(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- httpcore2's signature
        """As of the stream."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """As of the stream."""
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        """As of the stream."""
        return self._stream.get_extra_info(info)
