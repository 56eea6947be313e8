"""Derived hellos are sound, equal ones are one, and captures replace them."""

import pytest

from linekey.catalog.profile import all_profiles, profile
from linekey.check.hellos import MAX_CAPTURE_BYTES, derive, read_capture
from linekey.errors import InputError
from linekey.tls.hello import parse_client_hello

NAME = "prov.example.com"


@pytest.mark.parametrize("phone", all_profiles(), ids=lambda p: p.name)
def test_every_profile_has_a_hello_that_parses_and_offers_its_row(phone) -> None:  # type: ignore[no-untyped-def]
    hello = derive(phone, NAME)
    read = parse_client_hello(hello.to_bytes(bytes(range(32))))
    assert read is not None
    assert read.suites[:-1] == phone.suites
    assert max(read.versions) == phone.max_version
    assert "derived" in hello.origin


def test_the_same_row_makes_the_same_hello_and_another_name_another() -> None:
    one, two = (derive(profile(m, "10.1.33.33"), NAME) for m in ("D785", "D735"))
    assert one.wire_key == two.wire_key
    assert derive(profile("D785", "10.1.33.33"), "x.example.com") != one


def test_an_address_sends_no_server_name() -> None:
    hello = derive(profile("D785", "10.1.33.33"), "192.0.2.7")
    assert hello.client_hello.server_name is None


def test_a_capture_in_hex_or_raw_or_pcap_replaces_it() -> None:
    raw = derive(profile("D785", "10.1.33.33"), NAME).to_bytes(bytes(32))
    spaced = raw.hex(" ").encode()
    pcap = b"\xd4\xc3\xb2\xa1" + bytes(90) + b"\x16\x03\x01\x00\x02" + raw + bytes(9)
    for data in (raw, spaced, b"0x" + raw.hex().encode(), pcap):
        hello = read_capture(data, "phone.pcap")
        assert hello.client_hello.server_name == NAME
        assert hello.origin == "captured: phone.pcap"


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"16030100", bytes(MAX_CAPTURE_BYTES + 1), b"\x16\x03\x01"]
)
def test_a_file_without_a_hello_is_an_input_error(data: bytes) -> None:
    with pytest.raises(InputError):
        read_capture(data, "x")


def test_an_ssl_2_hello_is_called_one_raw_in_hex_and_in_a_capture() -> None:
    # RFC 5246 §E.2: version 3.1, one suite of three bytes, a challenge of 16
    hello = bytes.fromhex("801c 01 0301 0003 0000 0010 00000a") + bytes(range(16))
    pcap = b"\xd4\xc3\xb2\xa1" + bytes(90) + b"\x80\x1c\x01\x03\x01" + hello + b"\0"
    for data in (hello, hello.hex().encode(), pcap):
        with pytest.raises(InputError, match="SSL 2 client hello") as caught:
            read_capture(data, "phone.pcap")
        assert caught.value.hint


def test_hex_of_something_else_is_called_what_it_is() -> None:
    with pytest.raises(InputError, match="HTTP"):
        read_capture(b"GET / HTTP/1.1".hex().encode(), "x")


def test_a_hello_is_described_by_names() -> None:
    plain = derive(profile("300", "8.7.3.25.9"), NAME).as_dict()
    assert "SSLv3" in plain["versions"] or "TLSv1" in plain["versions"]
    assert "TLS_RSA_WITH_3DES_EDE_CBC_SHA" in plain["suites"]
    assert plain["server_name"] is None
