"""Server flights as bytes, written by hand from RFC 5246, for tests."""

from collections.abc import Sequence

from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def record(kind: int, data: bytes, version: int = 0x0303) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + vector(2, data)


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(3, body)


def server_hello(suite: int = 0xC02F, version: int = 0x0303) -> bytes:
    body = (
        version.to_bytes(2, "big")
        + bytes(32)
        + b"\0"
        + suite.to_bytes(2, "big")
        + b"\0"
    )
    return record(22, message(2, body), version)


def certificates(chain: Sequence[Certificate]) -> bytes:
    body = vector(3, b"".join(vector(3, c.der) for c in chain))
    data = message(11, body)
    return b"".join(record(22, data[i : i + 16000]) for i in range(0, len(data), 16000))


def ecdhe(group: int = 23) -> bytes:
    body = b"\x03" + group.to_bytes(2, "big") + vector(1, b"\4" + bytes(64))
    return record(22, message(12, body + b"\x04\x01" + vector(2, bytes(256))))


def dhe(bits: int, algorithm: bytes = b"\x04\x01") -> bytes:
    """A ServerKeyExchange; below TLS 1.2 it names no signature algorithm."""
    prime = (1 << (bits - 1)).to_bytes(bits // 8, "big")
    body = vector(2, prime) + vector(2, b"\2") + vector(2, prime)
    return record(22, message(12, body + algorithm + vector(2, bytes(256))))


def request(
    names: Sequence[Name] = (),
    types: bytes = b"\x01\x40",
    algorithms: Sequence[int] = (0x0401, 0x0201),
) -> bytes:
    body = vector(1, types)
    body += vector(2, b"".join(a.to_bytes(2, "big") for a in algorithms))
    body += vector(2, b"".join(vector(2, n.der) for n in names))
    return record(22, message(13, body))


DONE = record(22, message(14, b""))


def alert(number: int, level: int = 2) -> bytes:
    return record(21, bytes([level, number]))
