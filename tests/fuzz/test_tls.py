"""Any bytes, and flights that are almost right, into every reader and both engines.

The rule: read, or more is needed, or TlsError (in readers) or an event (in engines);
never anything else.
"""

from functools import lru_cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.pair.tls_world import POLICY_FOR, accept, client, device, server

from linekey.tls.engine import ClientEngine, HandshakeCompleted, ServerEngine
from linekey.tls.errors import TlsError
from linekey.tls.fingerprint import ja4
from linekey.tls.hello import (
    MAX_HELLO_BYTES,
    MAX_HELLO_RECORDS,
    ClientHello,
    build_client_hello,
    new_client_hello,
    parse_client_hello,
)
from linekey.tls.messages import FlightReader
from linekey.tls.policy import Policy, choose
from linekey.tls.versions import Version

many = settings(max_examples=400, deadline=None, derandomize=True)
few = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

numbers = st.integers(0, 0xFFFF)
hellos = st.builds(
    new_client_hello,
    random=st.binary(min_size=32, max_size=32),
    max_version=st.sampled_from([v for v in Version if v <= Version.TLS1_2]),
    suites=st.lists(numbers, min_size=1, max_size=80),
    server_name=st.none() | st.from_regex(r"[a-z0-9]{1,20}(\.[a-z]{1,9}){0,3}", fullmatch=True),
    groups=st.lists(numbers, max_size=9).map(tuple),
    signature_algorithms=st.lists(numbers, max_size=9).map(tuple),
    alpn=st.lists(st.binary(min_size=1, max_size=20), max_size=4).map(tuple),
    session_id=st.binary(max_size=32),
    session_ticket=st.booleans(),
)  # fmt: skip


@st.composite
def mutated(draw, original: bytes) -> bytes:
    """Bytes with some flipped, cut out, doubled or put in."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 6))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        size = draw(st.integers(1, 12))
        match draw(st.sampled_from(["set", "flip", "cut", "double", "insert", "end"])):
            case "set":
                data[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
            case "flip":
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at : at + size]
            case "double":
                data[at:at] = data[at : at + size]
            case "insert":
                data[at:at] = draw(st.binary(min_size=size, max_size=size))
            case "end":
                del data[at:]
    return bytes(data)


def check(error: TlsError, word: str = "") -> None:
    assert error.message
    assert error.message[0].islower() or error.message.startswith(("SSH", "SMTP"))
    assert word in error.message


def parse_and_use(data: bytes) -> None:
    try:
        hello = parse_client_hello(data)
    except TlsError as error:
        check(error)
        return
    if hello is None:
        assert len(data) <= MAX_HELLO_BYTES + 5 * (MAX_HELLO_RECORDS + 1)
        return
    choice = choose(hello)
    assert isinstance(choice.policy, Policy) != (choice.alert is not None)
    assert choice.reason
    assert ja4(hello).count("_") == 2
    assert parse_client_hello(build_client_hello(hello)) == hello


@many
@given(st.binary(max_size=300))
def test_any_bytes_are_a_hello_or_not(data):
    parse_and_use(data)


@many
@given(st.binary(max_size=200))
def test_any_bytes_in_the_frame_of_a_hello(body):
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    parse_and_use(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)


@many
@given(hellos, st.integers(1, 16_384))
def test_every_hello_is_read_back_the_same(hello, size):
    data = build_client_hello(hello, record_size=size)
    try:
        again = parse_client_hello(data)
    except TlsError as error:
        check(error, "records")
        assert -(-(len(build_client_hello(hello)) - 5) // size) > MAX_HELLO_RECORDS
    else:
        assert again == hello
        assert isinstance(again, ClientHello)


@lru_cache(maxsize=8)
def hello_bytes(version: Version) -> bytes:
    context = client(version, identity=device().identity)
    return ClientEngine(context, server_name="a.example").take_output()


@many
@given(st.sampled_from(list(POLICY_FOR)).flatmap(lambda v: mutated(hello_bytes(v))))
def test_a_mutated_hello_is_read_or_refused(data):
    parse_and_use(data)


@lru_cache(maxsize=8)
def flight_bytes(version: Version) -> bytes:
    far = ServerEngine(contexts(version)[0])
    far.receive(hello_bytes(version))
    return far.take_output()


@lru_cache(maxsize=8)
def contexts(version: Version):
    return (
        server(version, verify=accept, roots=[device().root]),
        client(version, identity=device().identity),
    )


def read_flight(data: bytes, cuts: list[int]) -> None:
    reader = FlightReader(max_bytes=20_000)
    at = 0
    try:
        for cut in [*sorted(c % (len(data) + 1) for c in cuts), len(data)]:
            reader.feed(data[at:cut])
            at = max(at, cut)
    except TlsError as error:
        check(error)


cuts = st.lists(st.integers(0, 10_000), max_size=5)


@many
@given(st.binary(max_size=300), cuts)
def test_any_bytes_are_a_flight_or_not(data, where):
    read_flight(data, where)


@many
@given(
    st.sampled_from(list(POLICY_FOR)).flatmap(lambda v: mutated(flight_bytes(v))), cuts
)
def test_a_mutated_flight_is_read_or_refused(data, where):
    read_flight(data, where)


@many
@given(st.lists(st.tuples(st.integers(0, 24), st.binary(max_size=40)), max_size=6))
def test_any_messages_after_a_hello(messages):
    suites = (0xC02F, 0x9E, 0x03, 0x2F, 0x18, 0xC01E)
    for suite in suites:
        hello = b"\x03\x03" + bytes(33) + suite.to_bytes(2, "big") + b"\0"
        data = b""
        for kind, body in [(2, hello), *messages]:
            data += bytes([kind]) + len(body).to_bytes(3, "big") + body
        read_flight(b"\x16\x03\x03" + len(data).to_bytes(2, "big") + data, [])


@few
@given(st.sampled_from(list(POLICY_FOR)), st.lists(st.binary(max_size=200), max_size=4))
def test_any_bytes_into_both_engines(version, pieces):
    far_context, near_context = contexts(version)
    for engine in (ServerEngine(far_context), ClientEngine(near_context)):
        for piece in pieces:
            events = engine.receive(piece)
            assert all(type(e).__name__ == "HandshakeFailed" for e in events)
        engine.take_output()
        assert len(engine.receive_eof()) <= 1
        assert engine.ended


@few
@given(st.data(), st.sampled_from(list(POLICY_FOR)))
def test_mutated_flights_into_both_engines(data, version):
    """One flight of a handshake is changed on its way; nobody crashes or is fooled."""
    far_context, near_context = contexts(version)
    near, far = (
        ClientEngine(near_context, server_name="a.example"),
        ServerEngine(far_context),
    )
    target = data.draw(st.integers(0, 3))
    changed = False
    seen = {near: [], far: []}
    for step in range(8):
        source, sink = ((near, far), (far, near))[step % 2]
        flight = source.take_output()
        if not flight:
            continue
        if step == target:
            broken = data.draw(mutated(flight))
            changed = broken != flight
            flight = broken
        seen[sink] += sink.receive(flight)
    for engine in (near, far):
        seen[engine] += engine.receive_eof()
        completed = sum(isinstance(e, HandshakeCompleted) for e in seen[engine])
        assert completed <= 1
        assert engine.ended
        ends = [e for e in seen[engine] if type(e).__name__ not in {"HandshakeCompleted", "DataReceived"}]  # fmt: skip
        assert ends
    if not changed:
        assert far.info is not None


@few
@given(st.data(), st.sampled_from(list(POLICY_FOR)))
def test_garbage_after_the_handshake_breaks_only_this_connection(data, version):
    far_context, near_context = contexts(version)
    near, far = ClientEngine(near_context), ServerEngine(far_context)
    for _ in range(3):
        far.receive(near.take_output())
        near.receive(far.take_output())
    near.send(b"GET / HTTP/1.1\r\n\r\n")
    record = near.take_output()
    events = far.receive(data.draw(mutated(record)) + data.draw(st.binary(max_size=50)))
    for event in events:
        assert type(event).__name__ in {
            "DataReceived", "ConnectionFailed", "AlertReceived", "PeerClosed",
        }  # fmt: skip
    far.receive_eof()
    assert far.ended
