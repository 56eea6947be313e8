"""The PROXY protocol's header: read whole, or refused; bounded; never beyond its end."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import PeerError
from linekey.wire.networks import spelled
from linekey.wire.proxy_protocol import (
    MAX_V1,
    MAX_V2,
    ProxyHeader,
    crc32c,
    parse_proxy_header,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


def summed(command: int, family: int, block: bytes, more: bytes = b"") -> bytes:
    """A header with the checksum that HAProxy's ``proxy-v2-options crc32c`` adds."""
    empty = v2(command, family, block + b"\x03\x00\x04" + bytes(4) + more)
    checksum = crc32c(empty).to_bytes(4, "big")
    return v2(command, family, block + b"\x03\x00\x04" + checksum + more)


V4 = bytes((192, 0, 2, 7, 198, 51, 100, 1)) + b"\x12\x67\x01\xbb"
V6 = bytes.fromhex("20010db8000000000000000000000007") * 2 + b"\x12\x67\x01\xbb"

GOOD = {
    b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n": ("192.0.2.7", 4711),
    b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n": ("2001:db8::7", 4711),
    b"PROXY TCP4 255.255.255.255 0.0.0.0 0 65535\r\n": ("255.255.255.255", 0),
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n": None,
    v2(0x21, 0x11, V4): ("192.0.2.7", 4711),
    v2(0x21, 0x11, V4 + b"\x04\x00\x00" + b"\x02\x00\x03abc"): ("192.0.2.7", 4711),
    v2(0x21, 0x21, V6 + b"\xe0\x01\x00" + bytes(256)): ("2001:db8::7", 4711),
    summed(0x21, 0x11, V4): ("192.0.2.7", 4711),
    summed(0x21, 0x21, V6, b"\x05\x00\x04\x01\x02\x03\x04"): ("2001:db8::7", 4711),
    v2(0x21, 0x21, V6): ("2001:db8::7", 4711),
    v2(0x20, 0x00, b""): None,
    v2(0x20, 0x11, V4): None,
    v2(0x20, 0xFF, b"whatever"): None,  # LOCAL: the family is ignored
    v2(0x20, 0x11, V4 + b"\x03\x00\x04wron"): None,
    v2(0x21, 0x00, b"whatever"): None,  # UNSPEC: so is what follows
    v2(0x21, 0x01, b""): None,
    v2(0x21, 0x10, V4): None,
    v2(0x21, 0x32, bytes(216)): None,
    v2(0x21, 0x31, bytes(216) + b"\x04\x00\x01\x00"): None,
    v2(0x21, 0x00, b""): None,
    v2(0x21, 0x12, V4): None,
    v2(0x21, 0x31, bytes(216)): None,
}


@pytest.mark.parametrize("header", GOOD, ids=lambda h: repr(h)[:40])
@pytest.mark.parametrize("after", [b"", b"\x16\x03\x01", b"PROXY UNKNOWN\r\n"])
def test_a_header_is_read_and_what_follows_is_the_phones(
    header: bytes, after: bytes
) -> None:
    assert parse_proxy_header(header + after) == ProxyHeader(len(header), GOOD[header])
    for cut in range(len(header)):
        assert parse_proxy_header(header[:cut]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\n",
        b"PROXY\r\n",
        b"proxy TCP4 192.0.2.7 198.51.100.1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 04711 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
        b"PROXY TCP4 192.0.2.7  198.51.100.1 4711 443\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n",
        b"PROXY TCP6 192.0.2.7 198.51.100.1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.777 198.51.100.1 4711 443\r\n",
        b"PROXY UDP4 192.0.2.7 198.51.100.1 4711 443\r\n",
        b"PROXY TCP4 " + b"1" * MAX_V1,
        b"PROXY UNKNOWN " + b"x" * MAX_V1 + b"\r\n",
        v2(0x11, 0x11, V4),
        v2(0x22, 0x11, V4),
        v2(0x21, 0x11, V4[:-1]),
        v2(0x21, 0x21, V4),
        v2(0x21, 0x11, V4 + bytes(MAX_V2)),
        v2(0x21, 0x41, V4),  # families and transports that have no meaning
        v2(0x21, 0xF1, V4),
        v2(0x21, 0x13, V4),
        v2(0x21, 0x1F, V4),
        v2(0x21, 0x31, bytes(215)),
        v2(0x21, 0x12, V4[:-1]),
        v2(0x21, 0x11, V4 + b"\x04"),  # extensions that are cut off
        v2(0x21, 0x11, V4 + b"\x04\x00"),
        v2(0x21, 0x11, V4 + b"\x04\x00\x02\x00"),
        v2(0x21, 0x11, V4 + b"\x04\xff\xff"),
        v2(0x21, 0x11, V4 + b"\x03\x00\x04\x01\x02\x03\x04"),  # a wrong checksum
        v2(0x21, 0x11, V4 + b"\x03\x00\x00"),
        v2(0x21, 0x11, V4 + b"\x03\x00\x05" + bytes(5)),
        summed(0x21, 0x11, V4)[:-1] + b"\xff",
    ],
)
def test_what_is_no_header_or_a_broken_one_is_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        parse_proxy_header(data)


@given(
    st.binary(max_size=80)
    | st.binary(max_size=80).map(lambda b: b"PROXY " + b)
    | st.binary(max_size=80).map(lambda b: SIGNATURE + b)
)
def test_whatever_comes_is_a_header_not_whole_or_refused(data: bytes) -> None:
    try:
        header = parse_proxy_header(data)
    except PeerError:
        return
    if header is not None:
        assert 0 < header.length <= len(data)


def test_a_changed_bit_of_a_header_with_a_checksum_is_noticed() -> None:
    good = summed(0x21, 0x11, V4)
    for at in range(16, len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[at] ^= 1 << bit
            if bad[28:31] != good[28:31]:
                continue  # then it is another extension
            with pytest.raises(PeerError):
                parse_proxy_header(bytes(bad))


def test_the_checksum_is_castagnolis() -> None:
    """RFC 3720, B.4, the examples."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283


EXTENSIONS = st.lists(
    st.tuples(st.integers(0, 255).filter(lambda n: n != 3), st.binary(max_size=40)),
    max_size=4,
).map(
    lambda tlvs: b"".join(bytes((t,)) + len(v).to_bytes(2, "big") + v for t, v in tlvs)
)


@given(
    st.ip_addresses(),
    st.integers(0, 65535),
    EXTENSIONS,
    st.booleans(),
    st.binary(max_size=9),
)
def test_any_phone_is_named_whatever_extensions_come_along(
    address: IPv4Address | IPv6Address,
    port: int,
    extensions: bytes,
    with_sum: bool,
    after: bytes,
) -> None:
    block = address.packed * 2 + port.to_bytes(2, "big") + b"\x01\xbb"
    make = summed if with_sum else v2
    header = make(0x21, 0x11 if address.version == 4 else 0x21, block + extensions)
    found = parse_proxy_header(header + after)
    assert found == ProxyHeader(len(header), (spelled(address), port))


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=240), st.data())
def test_a_header_of_version_2_is_whole_at_its_length_or_refused(
    command: int, family: int, block: bytes, data: st.DataObject
) -> None:
    header = v2(command, family, block)
    cut = data.draw(st.integers(0, len(header) - 1))
    try:
        before, found = parse_proxy_header(header[:cut]), parse_proxy_header(header)
    except PeerError:
        return
    assert before is None
    assert found is not None
    assert found.length == len(header)
