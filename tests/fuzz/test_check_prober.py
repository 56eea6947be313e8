"""Any server gives the prober an answer, any capture a hello or the one error."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.certificates import ca, key, leaf
from tests.unit.check.flights import (
    DONE,
    alert,
    certificates,
    dhe,
    ecdhe,
    record,
    request,
    server_hello,
)  # fmt: skip

from linekey.catalog.profile import profile
from linekey.check.answer import Answer, Reach
from linekey.check.assess import Question, assess_answer
from linekey.check.classes import classes_of
from linekey.check.flight import AnswerReader
from linekey.check.hellos import Hello, derive, read_capture
from linekey.check.phones import Setup, gather
from linekey.check.prober import Limits, Prober
from linekey.check.report import Outcome
from linekey.check.target import parse_target
from linekey.errors import InputError
from linekey.tls.engine import Accept, ClientEngine, Identity, client_context

NAME = "prov.example.com"
ROOT = ca("root")
CHAIN = (leaf(ROOT, NAME), ROOT.certificate)
PROFILE = profile("D785", "10.1.33.33")
QUICK = Limits(per_second=None, connect_s=5.0, answer_s=0.3)
NOW = datetime.now(UTC)
PARTS = (
    server_hello(), server_hello(0x1301, 0x0304), server_hello(0xFFFF, 0x7F1C),
    certificates(CHAIN), ecdhe(), ecdhe(29), dhe(512), request([ROOT.certificate.subject]),
    DONE, alert(40), alert(0), alert(255), record(23, bytes(80)), record(20, b"\x01"),
    b"HTTP/1.1 200 OK\r\n\r\n",
)  # fmt: skip


def tls13_hello() -> Hello:
    """What a TLS 1.3 client sends, as a capture: then the prober really shakes hands."""
    context = client_context(verify=lambda chain: Accept())
    data = ClientEngine(context, server_name=NAME).take_output()
    return read_capture(data, "capture")


def tls13_server_hello(suite: int, rest: bytes) -> bytes:
    """A ServerHello that chooses TLS 1.3 (RFC 8446 §4.1.3), and what follows."""
    extensions = b"\x00\x2b\x00\x02\x03\x04" + rest[:60]
    body = b"\x03\x03" + bytes(32) + b"\x00" + suite.to_bytes(2) + b"\x00"
    body += len(extensions).to_bytes(2) + extensions
    return record(22, b"\x02" + len(body).to_bytes(3) + body)


def flights() -> Iterator[bytes]:
    dice = random.Random(7)
    for _ in range(25):
        yield b"".join(dice.choices(PARTS, k=dice.randrange(1, 6)))
    whole = PARTS[0] + certificates(CHAIN) + ecdhe() + PARTS[7] + DONE
    for _ in range(40):
        data = bytearray(whole)
        for _ in range(dice.randrange(1, 9)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        yield bytes(data[: dice.randrange(1, len(data) + 1)])
    for suite in (0x1301, 0x1303, 0xC02F):
        for _ in range(5):
            yield tls13_server_hello(suite, dice.randbytes(60)) + dice.randbytes(90)
    for size in (1, 5, 6, 500, 70_000):
        yield dice.randbytes(size)


async def asked(flight: bytes, hello: Hello, identity: Identity | None) -> Answer:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(4096)
            writer.write(flight)
            await writer.drain()
        except ConnectionError:
            pass  # the prober has heard enough
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answers = await Prober(QUICK).ask_all(
            "127.0.0.1", port, [hello], identity=identity, name=NAME
        )
    (answer,) = answers.values()
    return answer


@pytest.mark.parametrize("captured", [False, True], ids=["raw", "tls13"])
async def test_whatever_a_server_sends_the_prober_answers_and_it_is_judged(
    captured: bool,
) -> None:
    own = key("fuzz phone")
    identity = Identity((leaf(ROOT, cn=("000413AABBCC",), leaf_key=own),), own)
    hello = tls13_hello() if captured else derive(PROFILE, NAME)
    setup = Setup(authorities=(ROOT.certificate,), capture=hello if captured else None)
    classes = classes_of(gather([PROFILE], NAME, setup, now=NOW).phones)
    seen = set()
    for number, flight in enumerate(flights()):
        answer = await asked(flight, hello, identity if number % 2 else None)
        seen.add(answer.reach)
        for phones in classes:
            for others in (False, True):
                result = assess_answer(
                    phones, answer, Question(NAME, NOW), others_answered=others
                )
                refused = any(f.refuses for f in result.findings)
                assert refused is (result.outcome is not Outcome.ACCEPTED), flight.hex()
    assert {Reach.ANSWERED, Reach.NOT_TLS, Reach.MALFORMED} <= seen


@given(
    st.lists(st.sampled_from(PARTS), max_size=5), st.integers(0, 3000), st.booleans()
)
@settings(max_examples=200, deadline=None)
def test_a_flight_that_stops_anywhere_is_an_answer(
    parts: list[bytes], cut: int, in_time: bool
) -> None:
    reader = AnswerReader("192.0.2.1:443")
    reader.feed(b"".join(parts)[:cut])
    answer = reader.finish() if in_time else reader.timed_out(1.0)
    assert answer.reach in Reach
    assert answer.reach is Reach.ANSWERED or answer.detail


@given(st.binary(max_size=600))
@example(b"")
@example(b"16 03 01")
@example(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
@settings(max_examples=300, deadline=None)
def test_any_capture_is_a_hello_or_the_one_error(data: bytes) -> None:
    refusal = None
    try:
        hello = read_capture(data, "x.pcap")
    except InputError as error:
        refusal = error
    if refusal is not None:
        assert refusal.hint
        return
    assert hello.to_bytes(bytes(32))
    assert hello.as_dict()


@given(st.integers(0, 400), st.integers(0, 255), st.binary(max_size=30))
@settings(max_examples=300, deadline=None)
def test_a_damaged_hello_is_read_or_refused_and_can_be_sent_again(
    at: int, value: int, before: bytes
) -> None:
    data = bytearray(derive(PROFILE, NAME).to_bytes(bytes(32)))
    data[at % len(data)] = value
    try:
        hello = read_capture(before + bytes(data), "x.pcap")
    except InputError:
        return
    again = read_capture(hello.to_bytes(bytes(range(32))), "again")
    assert again.wire_key == hello.wire_key
    setup = Setup(authorities=(), capture=hello)
    assert classes_of(gather([PROFILE], NAME, setup, now=NOW).phones)


@given(st.text(max_size=80))
@example("[::1")
@example("sip:[::1]:0")
@example("a:99999")
@example("SIP")
@example("sips:5061")
@example("http://x")
@example("ä.example:5061")
@settings(max_examples=400, deadline=None)
def test_any_target_is_read_or_refused_with_a_cure(text: str) -> None:
    refusal = None
    try:
        target = parse_target(text)
    except InputError as error:
        refusal = error
    if refusal is not None:
        assert refusal.hint
        return
    assert 0 < target.port < 65536
    again = parse_target(target.label)  # which leaves the path out
    assert (again.host, again.port) == (target.host, target.port)
