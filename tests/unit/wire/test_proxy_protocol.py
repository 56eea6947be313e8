"""The PROXY protocol's header: read whole, or refused; bounded; never beyond its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import PeerError
from linekey.wire.proxy_protocol import (
    MAX_V1,
    MAX_V2,
    ProxyHeader,
    parse_proxy_header,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


V4 = bytes((192, 0, 2, 7, 198, 51, 100, 1)) + b"\x12\x67\x01\xbb"
V6 = bytes.fromhex("20010db8000000000000000000000007") * 2 + b"\x12\x67\x01\xbb"

GOOD = {
    b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n": ("192.0.2.7", 4711),
    b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n": ("2001:db8::7", 4711),
    b"PROXY TCP4 255.255.255.255 0.0.0.0 0 65535\r\n": ("255.255.255.255", 0),
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n": None,
    v2(0x21, 0x11, V4): ("192.0.2.7", 4711),
    v2(0x21, 0x11, V4 + b"\x03\x00\x04\x01\x02\x03\x04"): ("192.0.2.7", 4711),
    v2(0x21, 0x21, V6): ("2001:db8::7", 4711),
    v2(0x20, 0x00, b""): None,
    v2(0x20, 0x11, V4): None,
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
