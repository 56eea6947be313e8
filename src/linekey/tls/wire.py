"""Reading and writing TLS's length-prefixed vectors (RFC 8446 §3).

A reader raises TlsError with ``decode_error`` when bytes are missing or left over,
and nothing else, whatever the bytes.
"""

import struct
from typing import NoReturn

from linekey.tls.alerts import Alert
from linekey.tls.errors import TlsError


class Reader:
    """A cursor over one message; ``what`` names the message in errors."""

    __slots__ = ("_at", "_data", "_end", "what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)
        self.what = what

    @property
    def left(self) -> int:
        """How many bytes are not read yet."""
        return self._end - self._at

    def fail(self, problem: str) -> NoReturn:
        """Raise the error for this message."""
        raise TlsError(f"{self.what}: {problem}", alert=Alert.DECODE_ERROR)

    def take(self, count: int, field: str) -> bytes:
        """Read ``count`` bytes."""
        start, stop = self._at, self._at + count
        if stop > self._end:
            self.fail(f"{field} is cut short ({self.left} of {count} bytes)")
        self._at = stop
        return self._data[start:stop]

    def number(self, size: int, field: str) -> int:
        """Read an unsigned number of ``size`` bytes."""
        return int.from_bytes(self.take(size, field), "big")

    def vector(self, prefix: int, field: str) -> bytes:
        """Read a vector with a length of ``prefix`` bytes before it."""
        return self.take(self.number(prefix, field), field)

    def numbers(self, prefix: int, field: str, size: int = 2) -> tuple[int, ...]:
        """Read a vector of numbers of one or two bytes each."""
        data = self.vector(prefix, field)
        if size == 1:
            return tuple(data)
        if len(data) % 2:
            self.fail(f"{field} has {len(data)} bytes, not a multiple of 2")
        return struct.unpack(f"!{len(data) // 2}H", data)

    def sub(self, prefix: int, field: str) -> "Reader":
        """Read a vector, to be read on its own."""
        return Reader(self.vector(prefix, field), f"{self.what}: {field}")

    def extensions(self) -> tuple[tuple[int, bytes], ...]:
        """Read the block of extensions that ends a hello, if there is one.

        Each is a number and its body; none comes twice (RFC 8446 §4.2).
        """
        if not self.left:
            return ()
        block = self.vector(2, "extensions")
        self.done()
        found: dict[int, bytes] = {}
        at, end = 0, len(block)
        while at < end:
            number = int.from_bytes(block[at : at + 2], "big")
            stop = at + 4 + int.from_bytes(block[at + 2 : at + 4], "big")
            if at + 4 > end or stop > end:
                self.fail(f"extension {number} is cut short")
            if number in found:
                raise TlsError(
                    f"{self.what}: extension {number} comes twice",
                    alert=Alert.ILLEGAL_PARAMETER,
                )
            found[number] = block[at + 4 : stop]
            at = stop
        return tuple(found.items())

    def done(self) -> None:
        """Raise if anything is left over."""
        if self.left:
            self.fail(f"{self.left} bytes too many")


def read_numbers(data: bytes, prefix: int, size: int, what: str) -> tuple[int, ...]:
    """Read a vector of numbers of one or two bytes each that fills ``data``.

    The short way, for what every connection brings.
    """
    length = len(data) - prefix
    if length < 0 or int.from_bytes(data[:prefix], "big") != length or length % size:
        raise TlsError(f"{what}: its length is wrong", alert=Alert.DECODE_ERROR)
    if size == 1:
        return tuple(data[prefix:])
    return struct.unpack(f"!{length // 2}H", data[prefix:])


def vector(prefix: int, content: bytes) -> bytes:
    """Write a vector with a length of ``prefix`` bytes before it.

    Raises OverflowError where the content is too long for the prefix.
    """
    return len(content).to_bytes(prefix, "big") + content


def numbers(prefix: int, values: tuple[int, ...], size: int = 2) -> bytes:
    """Write a vector of numbers of ``size`` bytes each."""
    return vector(prefix, b"".join(v.to_bytes(size, "big") for v in values))
