"""A pump: the same whatever the pieces, bounded in time and bytes, one end each."""

import pytest
from tests.pair.tls_world import client, device, remember, server_identity

from linekey.tls.alerts import Alert
from linekey.tls.engine import ClientEngine, ServerContexts
from linekey.tls.errors import TlsError
from linekey.tls.events import (
    DataReceived,
    Event,
    HandshakeCompleted,
    HandshakeFailed,
    HelloReceived,
    PeerClosed,
)
from linekey.tls.hello import HelloReader, build_client_hello, new_client_hello
from linekey.tls.policy import BEST_VERSION
from linekey.tls.pump import ClientPump, Limits, ServerPump
from linekey.tls.suites import SUITES
from linekey.tls.versions import Version

NOW = 100.0
LIMITS = Limits(handshake_s=10.0, flight_bytes=20_000, hello_bytes=2_000)


def site(**options: object) -> ServerContexts:
    return ServerContexts(server_identity(), best_version=BEST_VERSION, **options)


SITE = site(verify=None)
ASKING = site(verify=remember, roots=[device().root])


def near(version: Version = Version.TLS1_2, **options: object) -> ClientPump:
    engine = ClientEngine(client(version, **options), server_name="a.example")
    return ClientPump(engine, LIMITS, NOW)


def far(contexts: ServerContexts = SITE, *, in_turn: bool = False) -> ServerPump:
    return ServerPump(contexts, LIMITS, NOW, in_turn=in_turn)


def talk(one: ClientPump, other: ServerPump, size: int = 65_536) -> list[Event]:
    """Carry bytes both ways; what happened at the server."""
    told: list[Event] = []
    for _ in range(20):
        sent = one.take_output()
        for at in range(0, len(sent), size):
            told += other.receive(sent[at : at + size])
        back = other.take_output()
        for at in range(0, len(back), size):
            one.receive(back[at : at + size])
    return told


def failed(events: list[Event]) -> HandshakeFailed:
    (event,) = events
    assert isinstance(event, HandshakeFailed)
    return event


@pytest.mark.parametrize("version", [Version.TLS1_0, Version.TLS1_2, Version.TLS1_3])
@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_the_pieces_in_which_bytes_come_make_no_difference(
    version: Version, size: int
) -> None:
    one, other = near(version), far()
    told = talk(one, other, size)
    assert [type(e) for e in told] == [HelloReceived, HandshakeCompleted]
    assert one.info is not None
    assert one.info.version is version
    assert (one.deadline, other.deadline) == (None, None)
    assert other.receive(one.send(b"ping")) == [DataReceived(b"ping")]


def test_where_connections_take_turns_nothing_is_said_before_begin() -> None:
    one, other = near(), far(in_turn=True)
    (received,) = other.receive(one.take_output())
    assert isinstance(received, HelloReceived)
    assert (other.hello, other.policy) == (received.hello, received.policy)
    assert other.receive(b"more") == []
    assert other.take_output() == b""
    assert other.deadline == NOW + 10
    other.begin(NOW + 9)
    assert other.deadline == NOW + 19
    assert other.take_output()


def test_what_comes_before_its_turn_is_kept_for_the_handshake() -> None:
    other = far(in_turn=True)
    other.receive(near().take_output())
    assert other.receive(b"this is no TLS record") == []
    assert failed(other.begin(NOW)).alert_sent is Alert.PROTOCOL_VERSION


def test_who_asks_for_a_certificate_is_seen() -> None:
    for contexts in (SITE, ASKING):
        one = near(identity=device().identity)
        talk(one, far(contexts))
        assert (one.request is not None) is (contexts is ASKING)


@pytest.mark.parametrize(
    ("data", "slow", "gone"),
    [
        (b"", "hello.too_slow", "hello.gone"),
        (b"\x16\3\1", "hello.too_slow", "hello.gone"),
        (b"\r\n\r\n", "hello.not_tls", "hello.not_tls"),
        (b"OPTIONS /", "hello.plain_http", "hello.plain_http"),
        (near().take_output(), "handshake.too_slow", "handshake.gone"),
    ],
)
@pytest.mark.parametrize("in_turn", [False, True])
def test_too_slow_and_gone_are_told_once_by_how_far_it_came(
    data: bytes, slow: str, gone: str, in_turn: bool
) -> None:
    for end, code in ((ServerPump.expire, slow), (ServerPump.receive_eof, gone)):
        other = far(in_turn=in_turn)
        other.receive(data)
        assert failed(end(other)).code == code
        assert other.ended
        assert other.deadline is None
        assert other.receive(b"more") == other.expire() == other.receive_eof() == []


def test_a_client_says_whether_it_heard_anything_before_it_was_too_slow() -> None:
    one = near()
    assert one.take_output()
    assert failed(one.expire()).reason == "no handshake within 10 s"
    assert (one.heard, one.ended, one.deadline) == (False, True, None)
    assert one.receive(b"late") == []


def test_what_comes_before_the_handshakes_end_is_bounded() -> None:
    one, other = near(), far()
    other.receive(one.take_output())
    other.take_output()
    record = b"\x16\3\3\x40\0" + bytes(16_384)
    assert other.receive(record[:16_000]) == []
    end = failed(other.receive(record[:5_000]))
    assert (end.code, end.alert_sent) == (
        "handshake.too_large",
        Alert.HANDSHAKE_FAILURE,
    )
    assert other.take_output() == b"\x15\3\3\0\2\2\x28"
    assert other.receive(record) == []


def test_a_client_is_bounded_too_and_sends_no_alert() -> None:
    engine = ClientEngine(client(Version.TLS1_2), server_name="a.example")
    one, other = ClientPump(engine, Limits(flight_bytes=500), NOW), far()
    other.receive(one.take_output())
    flight = other.take_output()
    assert one.receive(flight[:400]) == []
    end = failed(one.receive(flight[400:]))
    assert (end.code, end.alert_sent) == ("handshake.too_large", None)
    assert (one.take_output(), one.receive(b"more")) == (b"", [])


def test_an_open_connection_has_no_bound_and_no_deadline() -> None:
    one, other = near(), far()
    talk(one, other)
    assert other.expire() == []
    for _ in range(3):
        assert other.receive(one.send(bytes(16_000))) == [DataReceived(bytes(16_000))]
    assert other.receive_eof() == [PeerClosed(clean=False)]


def test_end_says_the_last_word_and_lets_go() -> None:
    one, other = near(), far()
    talk(one, other)
    said = one.receive(other.end(b"bye"))
    assert said == [DataReceived(b"bye"), PeerClosed(clean=True)]
    assert other.ended
    assert (other.end(b"x"), other.send(b"x")) == (b"", b"")
    assert (other.receive(b"x"), other.receive_eof()) == ([], [])


def test_a_hello_is_refused_with_its_alert_in_its_own_version() -> None:
    data = build_client_hello(
        new_client_hello(random=bytes(32), max_version=Version.TLS1_1, suites=[5])
    )
    other = far()
    end = failed(other.receive(data))
    assert (end.code, end.alert_sent) == (
        "handshake.no_policy",
        Alert.HANDSHAKE_FAILURE,
    )
    assert other.take_output() == b"\x15\3\2\0\2\2\x28"
    assert other.hello is not None
    assert other.policy is None


def test_a_hello_may_have_as_many_bytes_as_are_allowed_in_whatever_records() -> None:
    """Its own header is counted, its records' are not, however it drips in."""
    hello = new_client_hello(
        random=bytes(32), max_version=Version.TLS1_2, suites=SUITES
    )
    size = len(build_client_hello(hello)) - 5
    for limit, whole in ((size, True), (size - 1, False)):
        for record_size in (16_384, 20):
            for piece in (1, 65_536):
                data = build_client_hello(hello, record_size=record_size) + b"more"
                assert read(data, limit, piece) == (hello if whole else "too_large")


def read(data: bytes, limit: int, piece: int) -> object:
    reader = HelloReader(limit)
    try:
        for at in range(0, len(data), piece):
            if hello := reader.feed(data[at : at + piece]):
                return hello
    except TlsError as error:
        return error.kind
    return None
