"""The PROXY protocol's header: whom a balancer that passes TCP through speaks for.

HAProxy (``send-proxy``, ``send-proxy-v2``), nginx's stream module and cloud balancers
put it before the first byte of the phone; then the record, the log and a source's share
are the phone's and not the balancer's. Source: "The PROXY protocol, versions 1 & 2"
(haproxy.org, proxy-protocol.txt), §2.1 and §2.2.

Rules: a header is read whole or refused, never guessed at, and is bounded. What the
document leaves open is refused, too: a family or transport without a meaning (§2.2),
extensions that do not fit, a checksum that does not hold (§2.2.3). Whether a header is
due is the caller's to know: it is believed from listed balancers alone, and from them
required (§5: a receiver must not guess). Pure: bytes in, a value out.
"""

import ipaddress
import re
from typing import NamedTuple

from linekey.errors import PeerError
from linekey.said import say
from linekey.wire.networks import spelled

MAX_V1 = 107
"""Bytes of a version 1 header with its line end (§2.1)."""
MAX_V2 = 4_096
"""Bytes of a version 2 header with its extensions; HAProxy's own have under 600."""

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V1 = re.compile(
    rb"PROXY (?:UNKNOWN(?: [\x20-\x7e]*)?"
    rb"|(TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+)"
    rb" (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4}))"
)
_ADDRESS_BYTES = {1: 4, 2: 16}
"""By address family of version 2 (§2.2): 1 is IPv4, 2 is IPv6."""
_BLOCK_BYTES = {0: 0, 1: 12, 2: 36, 3: 216}
"""By family: how much stands before the extensions; 0 says nothing, 3 is a Unix
socket. There are no others."""
_STREAM, _DATAGRAM = 1, 2
_CRC32C = 0x03  # PP2_TYPE_CRC32C


class ProxyHeader(NamedTuple):
    """What was read."""

    length: int
    """Bytes of the header; what follows is the phone's."""
    source: tuple[str, int] | None
    """The phone's address and port; None: the balancer speaks for itself (a look
    whether the server lives), or does not say."""


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """Read the header at the beginning of ``data``; None if it is not whole yet.

    Raises PeerError for what is no header, or a broken one.
    """
    if data[:12] == _SIGNATURE:
        return _read_v2(data)
    if data[:6] == b"PROXY ":
        return _read_v1(data)
    if _SIGNATURE.startswith(data[:12]) or b"PROXY ".startswith(data[:6]):
        return None
    raise PeerError(say("the balancer sent no PROXY protocol header"))


def _read_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, MAX_V1)
    if end < 0:
        if len(data) >= MAX_V1:
            raise PeerError(
                say(
                    "a PROXY protocol header of more than %(limit)s bytes",
                    limit=MAX_V1,
                )
            )
        return None
    found = _V1.fullmatch(data[:end])
    if found is None:
        raise PeerError(say("a PROXY protocol header of version 1 that does not parse"))
    if found[1] is None:
        return ProxyHeader(end + 2, None)
    kind = ipaddress.IPv4Address if found[1] == b"TCP4" else ipaddress.IPv6Address
    ports = int(found[4]), int(found[5])
    try:
        source = kind(found[2].decode("ascii"))
        kind(found[3].decode("ascii"))
    except ValueError:
        raise PeerError(
            say("a PROXY protocol header with an address that is none")
        ) from None
    if max(ports) > 65535:
        raise PeerError(say("a PROXY protocol header with a port above 65535"))
    return ProxyHeader(end + 2, (spelled(source), ports[0]))


def _read_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < 16:
        return None
    version, command = data[12] >> 4, data[12] & 15
    family, transport = data[13] >> 4, data[13] & 15
    length = 16 + int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1:
        raise PeerError(say("a PROXY protocol header of no known version or command"))
    if length > MAX_V2:
        raise PeerError(
            say("a PROXY protocol header of more than %(limit)s bytes", limit=MAX_V2)
        )
    if len(data) < length:
        return None
    if command == 0:  # LOCAL: all else is to be ignored, the family, too
        return ProxyHeader(length, None)
    if family not in _BLOCK_BYTES or transport > _DATAGRAM:
        raise PeerError(
            say(
                "a PROXY protocol header of the unknown family %(family)s, transport "
                "%(transport)s",
                family=family,
                transport=transport,
            )
        )
    if length - 16 < _BLOCK_BYTES[family]:
        raise PeerError(say("a PROXY protocol header too short for its addresses"))
    if family and transport:  # otherwise the block has no form that is known
        _check_extensions(data[:length], 16 + _BLOCK_BYTES[family])
    size = _ADDRESS_BYTES.get(family)
    if size is None or transport != _STREAM:
        # UNSPEC, a Unix socket, UDP: the real connection's address counts.
        return ProxyHeader(length, None)
    addresses = data[16:length]
    port = int.from_bytes(addresses[2 * size : 2 * size + 2], "big")
    return ProxyHeader(length, (spelled(ipaddress.ip_address(addresses[:size])), port))


def _check_extensions(header: bytes, start: int) -> None:
    """See that the extensions (TLVs, §2.2) fill what is left, and their checksum."""
    at = start
    while at < len(header):
        end = at + 3 + int.from_bytes(header[at + 1 : at + 3], "big")
        if at + 3 > len(header) or end > len(header):
            raise PeerError(
                say("a PROXY protocol header with an extension that is cut off")
            )
        if header[at] == _CRC32C:
            sent = header[at + 3 : end]
            zeroed = header[: at + 3] + bytes(len(sent)) + header[end:]
            if len(sent) != 4 or int.from_bytes(sent, "big") != crc32c(zeroed):
                raise PeerError(
                    say("a PROXY protocol header whose checksum does not hold")
                )
        at = end


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of ``data`` (RFC 9260, Appendix A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
