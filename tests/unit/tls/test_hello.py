"""ClientHellos from bytes and back, and what is told apart from them."""

from dataclasses import fields, replace

import pytest

from linekey.tls.alerts import Alert
from linekey.tls.errors import TlsError
from linekey.tls.hello import (
    MAX_HELLO_BYTES,
    MAX_HELLO_RECORDS,
    ClientHello,
    build_client_hello,
    new_client_hello,
    parse_client_hello,
    with_server_name,
)
from linekey.tls.versions import Version

R = bytes(range(32))

# By hand from RFC 5246 §7.4.1.2: version, random, no session, three suites, no
# compression, and "a.test" in an RFC 6066 §3 server_name.
BY_HAND = bytes.fromhex(
    "16 0301 0042"
    "01 00003e"
    "0303" + R.hex() + "00"
    "0006 c02f 002f 00ff"
    "01 00"
    "000f 0000 000b 0009 00 0006 612e74657374"
)  # fmt: skip


def full(**changes) -> ClientHello:
    values = {
        "random": R,
        "max_version": Version.TLS1_2,
        "suites": (0xC02F, 0x2F, 0xFF),
        "server_name": "prov.example.com",
        "groups": (29, 23),
        "signature_algorithms": (0x0401, 0x0201),
        "alpn": (b"h2", b"http/1.1"),
        "session_ticket": True,
        "extended_master_secret": True,
        "session_id": b"s" * 32,
    }
    return new_client_hello(**{**values, **changes})


def body_of(hello: ClientHello) -> bytes:
    return build_client_hello(hello)[9:]


def wrap(body: bytes) -> bytes:
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


def test_a_hello_written_by_hand_is_read():
    hello = parse_client_hello(BY_HAND)
    assert hello.legacy_version == Version.TLS1_2
    assert hello.random == R
    assert hello.suites == (0xC02F, 0x2F, 0xFF)
    assert hello.server_name == "a.test"
    assert hello.compressions == (0,)
    assert hello.versions == (0x0303, 0x0302, 0x0301)
    assert (hello.groups, hello.alpn) == ((), ())


def test_what_is_built_is_read_back_the_same():
    hello = full()
    again = parse_client_hello(build_client_hello(hello))
    assert again == hello
    assert again.server_name == "prov.example.com"
    assert again.groups == (29, 23)
    assert again.point_formats == (0,)
    assert again.signature_algorithms == (0x0401, 0x0201)
    assert again.alpn == (b"h2", b"http/1.1")
    assert again.max_version == Version.TLS1_2
    assert again.extension(35) == b""
    assert again.extension(99) is None
    assert build_client_hello(again) == build_client_hello(hello)


@pytest.mark.parametrize("size", [4, 5, 16, 64, 100])
def test_a_hello_in_many_records_is_one_hello(size):
    hello = full()
    assert parse_client_hello(build_client_hello(hello, record_size=size)) == hello


@pytest.mark.parametrize("size", [16_384, 7])
def test_every_beginning_of_a_hello_asks_for_more(size):
    data = build_client_hello(full(), record_size=size)
    for end in range(len(data)):
        assert parse_client_hello(data[:end]) is None
    assert parse_client_hello(data + b"what follows") == full()


def test_an_ip_address_sends_no_name():
    for host in ("192.0.2.7", "2001:db8::1", "[2001:db8::1]", None):
        hello = full(server_name=host)
        assert hello.server_name is None
        assert hello.extension(0) is None


def test_a_name_with_umlauts_is_sent_as_ascii():
    assert full(server_name="büro.example").server_name == "xn--bro-hoa.example"


def test_ssl_3_sends_no_extensions_and_says_so_in_its_record():
    hello = full(max_version=Version.SSL3)
    assert hello.extensions == ()
    assert build_client_hello(hello)[1:3] == b"\x03\x00"
    assert parse_client_hello(build_client_hello(hello)).versions == (Version.SSL3,)


def test_signature_algorithms_are_sent_from_tls_1_2_on():
    assert full(max_version=Version.TLS1_1).signature_algorithms == ()


def test_a_tls_1_3_hello_is_not_made_here():
    with pytest.raises(ValueError, match="key share"):
        full(max_version=Version.TLS1_3)


@pytest.mark.parametrize(
    "changes",
    [
        {"random": b"short"},
        {"suites": ()},
        {"session_id": bytes(33)},
        {"suites": (70_000,)},
    ],
)
def test_what_no_record_can_carry_is_a_value_error(changes):
    with pytest.raises(ValueError):
        build_client_hello(full(**changes))


def test_supported_versions_decide_and_grease_is_left_out():
    hello = ClientHello(
        legacy_version=0x0303,
        random=R,
        suites=(0x1301,),
        extensions=((43, bytes.fromhex("06 1a1a 0304 0303")),),
    )
    assert hello.versions == (0x0304, 0x0303)


def test_a_hello_of_a_future_version_means_up_to_tls_1_2():
    hello = ClientHello(legacy_version=0x03FF, random=R, suites=(0x2F,))
    assert hello.versions == (0x0303, 0x0302, 0x0301)


# -- what is no hello ---------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words", "alert"),
    [
        (b"GET / HTTP/1.1\r\n", "plain HTTP on the TLS port", None),
        (b"POST /x HTTP/1.1\r\n", "plain HTTP on the TLS port", None),
        (b"REGISTER sip:x SIP/2.0", "plain SIP on the TLS port", None),
        (b"SSH-2.0-OpenSSH_9", "SSH on the TLS port", None),
        (b"OPTIONS sip:x SIP/2.0", "plain SIP on the TLS port", None),
        (bytes.fromhex("180301000101"), "a heartbeat came before", Alert.UNEXPECTED_MESSAGE),
        (bytes.fromhex("190301000101"), "unknown type 25 came before", Alert.UNEXPECTED_MESSAGE),
        (b"PROXY TCP4 192.0.2.1", "a PROXY protocol header on the TLS port", None),
        (b"\x00\x01\x02\x03", "no TLS: the connection begins with 00 01 02 03", None),
        (b"\x16\x02\x00", "no TLS", None),
        (bytes.fromhex("802e 01 0301 0015"), "an SSL 2 client hello (it offers up to TLSv1)", Alert.PROTOCOL_VERSION),
        (bytes.fromhex("802e 01 0002 0015"), "an SSL 2 client hello (it offers up to SSLv2)", Alert.PROTOCOL_VERSION),
        (bytes.fromhex("15030100020230"), "an alert came before any client hello", Alert.UNEXPECTED_MESSAGE),
        (bytes.fromhex("170303001000"), "application data came before", Alert.UNEXPECTED_MESSAGE),
        (bytes.fromhex("140303000101"), "a ChangeCipherSpec came before", Alert.UNEXPECTED_MESSAGE),
        (bytes.fromhex("1603010000"), "says it has 0 bytes", Alert.UNEXPECTED_MESSAGE),
        (bytes.fromhex("160301ffff"), "says it has 65,535 bytes", Alert.RECORD_OVERFLOW),
        (bytes.fromhex("160301000402000000"), "has type 2, not 1", Alert.UNEXPECTED_MESSAGE),
        (bytes.fromhex("160301000101") + bytes.fromhex("150301000202 28"), "came in the middle", Alert.UNEXPECTED_MESSAGE),
    ],
)  # fmt: skip
def test_what_is_no_hello_is_named(data, words, alert):
    with pytest.raises(TlsError) as caught:
        parse_client_hello(data)
    assert words in caught.value.message
    assert caught.value.alert is alert


@pytest.mark.parametrize(
    "data", [b"", b"G", b"GET", b"SSH", b"\x80\x2e", b"\x15", b"\x16"]
)
def test_too_few_bytes_to_tell_ask_for_more(data):
    assert parse_client_hello(data) is None


def test_a_hello_that_is_too_long_is_refused_as_soon_as_it_says_so():
    with pytest.raises(TlsError, match="16,385 bytes; 16,384 is the limit"):
        parse_client_hello(b"\x16\x03\x01\x40\x00\x01" + (16_381).to_bytes(3, "big"))
    with pytest.raises(TlsError, match="limit"):
        parse_client_hello(build_client_hello(full()), max_bytes=100)


def test_a_hello_of_exactly_the_limit_is_taken():
    room = MAX_HELLO_BYTES - 4 - len(body_of(full())) - 4
    hello = full()
    hello = ClientHello(
        legacy_version=hello.legacy_version,
        random=R,
        suites=hello.suites,
        session_id=hello.session_id,
        extensions=(*hello.extensions, (21, bytes(room))),
    )
    assert parse_client_hello(build_client_hello(hello)) == hello


def test_a_hello_in_too_many_records_is_refused():
    data = build_client_hello(full(), record_size=1)
    with pytest.raises(TlsError, match=f"more than {MAX_HELLO_RECORDS} records"):
        parse_client_hello(data)


GOOD = body_of(full())
PLAIN = b"\x03\x03" + R + b"\x00" + b"\x00\x02\x00\x2f" + b"\x01\x00"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "cut short"),
        (GOOD[:40], "cut short"),
        (PLAIN[:-1], "wrong length"),
        (PLAIN[:-2], "cut short"),
        (PLAIN + b"\x00", "cut short"),
        (PLAIN + b"\x00\x05\x00\x00\x00\x00", "list of extensions has a wrong length"),
        (PLAIN + b"\x00\x04\x00\x00\x00\x05", "extension server_name is cut short"),
        (PLAIN + b"\x00\x03\x00\x00\x00", "cut short"),
        (PLAIN + b"\x00\x08\x00\x17\x00\x00\x00\x17\x00\x00", "comes twice"),
        (b"\x03\x03" + R + b"\x21" + bytes(33) + b"\x00\x02\x00\x2f\x01\x00", "wrong length"),
        (b"\x03\x03" + R + b"\x00" + b"\x00\x00\x01\x00", "wrong length"),
        (b"\x03\x03" + R + b"\x00" + b"\x00\x03\x00\x2f\x00\x01\x00", "wrong length"),
        (b"\x03\x03" + R + b"\x00" + b"\x00\x02\x00\x2f\x00", "wrong length"),
        (b"\x02\x00" + PLAIN[2:], "older than SSL 3"),
        (PLAIN + bytes.fromhex("0009 000a 0005 0004 001d 00"), "its length is wrong"),
        (PLAIN + bytes.fromhex("0006 000d 0002 0001"), "its length is wrong"),
        (PLAIN + bytes.fromhex("0005 002b 0001 00"), "names no version"),
        (PLAIN + bytes.fromhex("0009 0000 0005 0003 00 0000"), "empty or holds a NUL"),
        (PLAIN + bytes.fromhex("000a 0000 0006 0004 00 0001 00"), "empty or holds a NUL"),
        (PLAIN + bytes.fromhex("0008 0010 0004 0002 05 68"), "protocol is cut short"),
    ],
)  # fmt: skip
def test_malformed_hellos_are_named(body, words):
    with pytest.raises(TlsError) as caught:
        parse_client_hello(wrap(body))
    assert words in caught.value.message
    assert caught.value.alert is not None


def test_a_name_that_is_no_ascii_is_shown_escaped():
    hello = parse_client_hello(
        wrap(PLAIN + bytes.fromhex("000b 0000 0007 0005 00 0002 c3a4"))
    )
    assert hello.server_name == "\\xc3\\xa4"


def test_a_name_of_another_type_is_no_host_name():
    hello = parse_client_hello(
        wrap(PLAIN + bytes.fromhex("000b 0000 0007 0005 07 0002 6161"))
    )
    assert hello.server_name is None


def test_a_repr_shows_no_random():
    assert R.hex() not in repr(full())
    assert repr(R) not in repr(full())


def test_a_server_name_is_put_first_or_taken_out_and_nothing_else_changes() -> None:
    hello = full(server_name="a.example")
    other = with_server_name(hello, "b.example.")
    assert other.server_name == "b.example"
    assert other.extensions[0][0] == 0
    bare = with_server_name(other, None)
    assert bare.server_name is None
    assert with_server_name(other, "192.0.2.7") == bare
    kept = [e for e in hello.extensions if e[0] != 0]
    assert [list(h.extensions[at:]) for h, at in ((other, 1), (bare, 0))] == [
        kept,
        kept,
    ]
    with pytest.raises(UnicodeError):
        with_server_name(hello, "ü" * 80)


def test_hellos_that_differ_in_what_is_new_each_time_have_one_offer() -> None:
    def read(hello: ClientHello) -> ClientHello:
        found = parse_client_hello(build_client_hello(hello))
        assert found is not None
        return found

    def with_new(number: int, body: bytes, **changes: object) -> ClientHello:
        hello = full(**changes)
        kept = tuple(item for item in hello.extensions if item[0] != number)
        return replace(hello, extensions=(*kept, (number, body)))

    first = read(with_new(35, b"a ticket"))
    again = with_new(35, b"another one", random=R[::-1], session_id=b"t" * 32)
    second = read(again)
    assert second.offer is first.offer
    assert second == again, "and each has its own"
    assert second.random != first.random
    for field in fields(ClientHello):
        if field.name != "offer":
            assert getattr(second, field.name) == getattr(again, field.name)
    for other in (
        with_new(35, b"a ticket", server_name="another.example.com"),
        with_new(35, b"a ticket", suites=(0x2F, 0xC02F, 0xFF)),
        with_new(35, b"a ticket", groups=(23, 29)),
        with_new(41, b"a ticket"),
        full(session_ticket=False),
    ):
        assert read(other).offer is not first.offer


def test_a_large_hello_is_read_and_not_kept() -> None:
    hello = replace(full(), extensions=((0xFEED, b"x" * 2000),))
    first, second = (parse_client_hello(build_client_hello(hello)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first == second == hello
    assert first.offer is not second.offer
