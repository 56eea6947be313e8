"""A server's first flight, read from bytes that OpenSSL wrote and from bytes by hand."""

import hashlib
from functools import lru_cache

import pytest
from tests.pair.tls_world import client, device, server, server_identity

from linekey.tls import wire
from linekey.tls.alerts import Alert, record
from linekey.tls.engine import ClientEngine, ServerEngine
from linekey.tls.errors import TlsError
from linekey.tls.hello import build_client_hello, new_client_hello
from linekey.tls.messages import (
    _RETRY_RANDOM,
    MAX_CERTIFICATES,
    MAX_MESSAGES,
    AlertMessage,
    CertificateMessage,
    CertificateRequest,
    CertificateStatus,
    EncryptedFollows,
    FlightReader,
    OtherMessage,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
)
from linekey.tls.policy import INTERIM, LEGACY, MODERN
from linekey.tls.versions import Version

R = bytes(range(32))


@lru_cache(maxsize=16)
def flight(version, suite, policy, kind="rsa", ask=True) -> bytes:
    """What OpenSSL answers to a raw hello of ours."""
    size = 2048 if kind == "rsa" else "secp256r1"
    context = server(
        policy,
        identity=server_identity(kind, size),
        **({"roots": [device().root]} if ask else {"verify": None}),
    )
    hello = new_client_hello(
        random=R, max_version=version, suites=(suite, 0xFF), groups=(23,),
        signature_algorithms=(0x0401, 0x0403, 0x0201),
    )  # fmt: skip
    far = ServerEngine(context)
    assert far.receive(build_client_hello(hello)) == []
    return far.take_output()


def feed(data: bytes, **limits):
    return FlightReader(**limits).feed(data)


def kinds(messages) -> list[str]:
    return [type(m).__name__ for m in messages]


def test_a_tls_1_2_flight_with_ecdhe_is_read_to_the_end():
    reader = FlightReader()
    hello, chain, exchange, request, done = reader.feed(
        flight(Version.TLS1_2, 0xC02F, MODERN)
    )
    assert reader.done
    assert hello.version == Version.TLS1_2
    assert hello.suite_name == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert hello.suite.number == hello.suite_number == 0xC02F
    assert hello.compression == 0
    assert not hello.is_retry
    assert chain.chain_der == (server_identity().leaf.der,)
    assert exchange == ServerKeyExchange("ECDHE", group=23, signature=0x0401)
    assert exchange.group_name == "secp256r1"
    assert request.authorities_der == (device().root.subject.der,)
    assert 1 in request.types
    assert 0x0401 in request.signature_algorithms
    assert done == ServerHelloDone()


def test_dhe_tells_the_size_of_its_prime():
    messages = feed(flight(Version.TLS1_2, 0x9E, MODERN))
    (exchange,) = [m for m in messages if isinstance(m, ServerKeyExchange)]
    assert exchange.kind == "DHE"
    assert exchange.bits == 2048
    assert exchange.group is None
    assert exchange.signature == 0x0401


@pytest.mark.parametrize("version", [Version.TLS1_0, Version.TLS1_1])
def test_below_tls_1_2_no_signature_algorithm_is_named(version):
    messages = feed(flight(version, 0xC013, LEGACY))
    assert kinds(messages) == [
        "ServerHello", "CertificateMessage", "ServerKeyExchange",
        "CertificateRequest", "ServerHelloDone",
    ]  # fmt: skip
    assert messages[0].version == version
    assert messages[2].signature is None
    assert messages[2].group == 23
    assert messages[3].signature_algorithms == ()
    assert messages[3].authorities_der == (device().root.subject.der,)


def test_rsa_key_exchange_has_no_message_of_its_own():
    messages = feed(flight(Version.TLS1_2, 0x2F, INTERIM, ask=False))
    assert kinds(messages) == ["ServerHello", "CertificateMessage", "ServerHelloDone"]


def test_an_ecdsa_server_is_read():
    messages = feed(flight(Version.TLS1_2, 0xC02B, MODERN, "ec"))
    assert messages[2].signature == 0x0403


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_a_flight_may_come_in_pieces_of_any_size(step):
    data = flight(Version.TLS1_2, 0xC02F, MODERN)
    reader, found = FlightReader(), []
    for i in range(0, len(data), step):
        assert not reader.done
        found += reader.feed(data[i : i + step])
    assert found == feed(data)
    assert reader.done


def unpack(data: bytes) -> bytes:
    """The handshake bytes of a flight, without record headers."""
    out = b""
    while data:
        size = int.from_bytes(data[3:5], "big")
        out += data[5 : 5 + size]
        data = data[5 + size :]
    return out


def pack(handshake: bytes, size: int = 16_384, version: int = 0x0303) -> bytes:
    head = b"\x16" + version.to_bytes(2, "big")
    return b"".join(
        head + wire.vector(2, handshake[i : i + size])
        for i in range(0, len(handshake), size)
    )


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + wire.vector(3, body)


def hello_body(suite: int, version: int = 0x0303, extensions: bytes = b"", random=R):
    return version.to_bytes(2, "big") + random + b"\0" + suite.to_bytes(2, "big") + b"\0" + extensions  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 100])
def test_messages_may_be_cut_over_records(size):
    data = flight(Version.TLS1_2, 0xC02F, MODERN)
    assert kinds(feed(pack(unpack(data), size))) == kinds(feed(data))


def test_a_tls_1_3_flight_ends_where_encryption_begins():
    far = ServerEngine(server(Version.TLS1_3))
    far.receive(ClientEngine(client(Version.TLS1_3)).take_output())
    reader = FlightReader()
    hello, rest = reader.feed(far.take_output())
    assert hello.version == Version.TLS1_3
    assert hello.suite.tls13
    assert rest == EncryptedFollows()
    assert reader.done
    assert reader.feed(b"whatever") == []


def test_a_retry_is_told_from_a_hello():
    assert hashlib.sha256(b"HelloRetryRequest").digest() == _RETRY_RANDOM
    retry = hello_body(
        0x1301, extensions=bytes.fromhex("0006002b00020304"), random=_RETRY_RANDOM
    )
    hello = feed(pack(message(2, retry)))[0]
    assert hello.is_retry
    assert hello.version == Version.TLS1_3


def test_alerts_are_told_and_a_fatal_one_ends_the_flight():
    warning = record(Alert.UNRECOGNIZED_NAME, 0x0303, level=1)
    reader = FlightReader()
    found = reader.feed(warning + record(Alert.HANDSHAKE_FAILURE, 0x0301))
    assert found == [
        AlertMessage(Alert.UNRECOGNIZED_NAME, 112, fatal=False),
        AlertMessage(Alert.HANDSHAKE_FAILURE, 40, fatal=True),
    ]
    assert reader.done
    assert feed(b"\x15\x03\x03\x00\x02\x02\xc8") == [
        AlertMessage(None, 200, fatal=True)
    ]


def test_a_warning_before_the_hello_does_not_stop_it():
    data = record(Alert.UNRECOGNIZED_NAME, 0x0303, level=1)
    data += flight(Version.TLS1_2, 0xC02F, MODERN)
    assert kinds(feed(data))[:2] == ["AlertMessage", "ServerHello"]


def test_an_export_server_shows_its_temporary_key():
    key = wire.vector(2, bytes([0x80]) + bytes(63)) + wire.vector(2, b"\1\0\1")
    exchange = key + wire.vector(2, bytes(64))
    data = message(2, hello_body(0x0003, 0x0300)) + message(12, exchange)
    found = feed(pack(data, version=0x0300))
    assert found[0].version == Version.SSL3
    assert found[1] == ServerKeyExchange("RSA", bits=512)


def test_an_anonymous_exchange_has_no_signature():
    numbers = [wire.vector(2, bytes([0xFF]) * 128), wire.vector(2, b"\2"), wire.vector(2, b"\3")]  # fmt: skip
    data = message(2, hello_body(0x0018)) + message(12, b"".join(numbers))
    assert feed(pack(data))[1] == ServerKeyExchange("DHE", bits=1024)


def test_what_is_not_read_is_told_all_the_same():
    start = message(2, hello_body(0xC01E))
    assert feed(pack(start + message(12, b"?")))[1] == ServerKeyExchange("SRP")
    assert feed(pack(start + message(99, b"???")))[1] == OtherMessage(99, 3)
    start = message(2, hello_body(0x7777))
    assert feed(pack(start + message(12, b"?")))[1] == ServerKeyExchange("unknown")
    explicit = message(2, hello_body(0xC013)) + message(12, b"\x01whatever")
    assert feed(pack(explicit))[1] == ServerKeyExchange("ECDHE")


def test_a_stapled_answer_is_read():
    data = message(2, hello_body(0xC02F)) + message(22, b"\1" + wire.vector(3, b"ocsp"))
    assert feed(pack(data))[1] == CertificateStatus(1, b"ocsp")


def test_a_request_of_an_old_server_may_lack_its_list_of_names():
    data = message(2, hello_body(0x2F, 0x0301)) + message(13, b"\1\1")
    assert feed(pack(data))[1] == CertificateRequest((1,), (), ())


def test_a_hello_request_is_passed_over():
    data = message(0, b"") + message(2, hello_body(0x2F))
    assert kinds(feed(pack(data))) == ["ServerHello"]


def test_a_resumed_session_is_encrypted_after_the_hello():
    data = pack(message(2, hello_body(0x2F))) + bytes.fromhex("140303000101")
    assert kinds(feed(data)) == ["ServerHello", "EncryptedFollows"]


def test_an_empty_chain_is_an_empty_chain():
    data = message(2, hello_body(0x2F)) + message(11, bytes(3))
    assert feed(pack(data))[1] == CertificateMessage(())


HELLO = message(2, hello_body(0xC02F))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "answers in plain HTTP"),
        (b"SIP/2.0 400 Bad", "answers in plain SIP"),
        (b"220 mail ESMTP", "answers in SMTP or FTP"),
        (b"SSH-2.0-x", "answers in SSH"),
        (b"\x00\x00\x00\x00\x00\x00", "no TLS record: 00 00"),
        (b"\x16\x02\x00\x00\x01\x00", "no TLS record"),
        (b"\x18\x03\x03\x00\x01\x00", "no TLS record"),
        (b"\x16\x03\x03\xff\xff", "65535 bytes; 16384 is the limit"),
        (b"\x16\x03\x03\x00\x00", "empty handshake record"),
        (b"\x15\x03\x03\x00\x01\x02", "malformed alert"),
        (b"\x15\x03\x03\x00\x02\x07\x28", "malformed alert"),
        (b"\x17\x03\x03\x00\x01\x02", "before any server hello"),
        (pack(message(11, b"")), "first message is certificate message, not a server"),
        (pack(message(77, b"")), "first message is of type 77"),
        (pack(HELLO + HELLO), "second server hello"),
        (pack(HELLO[:10]) + record(Alert.CLOSE_NOTIFY), "in the middle of a handshake"),
        (pack(message(2, hello_body(0x2F)[:20])), "server hello: random is cut short"),
        (pack(message(2, hello_body(0x2F) + b"\0")), "cut short"),
        (pack(message(2, hello_body(0x2F, extensions=bytes.fromhex("0005002b000103")))), "must hold one version"),
        (pack(message(2, hello_body(0x2F, extensions=bytes.fromhex("0008001700000017 0000")))), "comes twice"),
        (pack(HELLO + message(11, b"\0\0\1")), "cut short"),
        (pack(HELLO + message(11, b"\0\0\0\0")), "1 bytes too many"),
        (pack(HELLO + message(12, b"\3\0\x17\x01")), "point is cut short"),
        (pack(HELLO + message(13, b"\1\1\0\3abc")), "not a multiple of 2"),
        (pack(HELLO + message(14, b"x")), "1 bytes too many"),
        (pack(HELLO + message(11, wire.vector(3, bytes(3) * (MAX_CERTIFICATES + 1)))), f"more than {MAX_CERTIFICATES} certificates"),
        (pack(HELLO + message(99, b"") * MAX_MESSAGES), f"more than {MAX_MESSAGES} messages"),
        (pack(message(0, b"") * (MAX_MESSAGES + 1)), f"more than {MAX_MESSAGES} messages"),
        (record(Alert.UNRECOGNIZED_NAME, level=1) * (MAX_MESSAGES + 1), f"more than {MAX_MESSAGES} messages"),
        (pack(HELLO + b"\x0b\x10\x00\x00"), "certificate message says it has 1048576 bytes"),
    ],
)  # fmt: skip
def test_what_breaks_the_rules_is_named_and_final(data, words):
    reader = FlightReader()
    with pytest.raises(TlsError) as caught:
        reader.feed(data)
    assert words in caught.value.message
    with pytest.raises(TlsError) as again:
        reader.feed(b"more")
    assert again.value is caught.value


def test_a_flight_longer_than_the_limit_is_refused():
    data = HELLO + message(99, bytes(900)) + message(99, bytes(900))
    with pytest.raises(TlsError, match="longer than 1000 bytes"):
        feed(pack(data), max_bytes=1000)


def test_a_server_hello_finds_its_extensions():
    extensions = bytes.fromhex("0005 ff01 0001 00")
    hello = feed(pack(message(2, hello_body(0x2F, extensions=extensions))))[0]
    assert isinstance(hello, ServerHello)
    assert hello.extension(0xFF01) == b"\0"
    assert hello.extension(0) is None
