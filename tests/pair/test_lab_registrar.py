"""The lab's registrar, asked by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sipmessage import Response
from tests.pair.test_phone_sip import PASSWORD, contexts, phone, registrar

from linekey.digest import answer, best_challenge
from linekey.lab.registrar import MIN_EXPIRES_S, SERVER, Registrar, Said
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.uses.sip.stream import PING, Pong, SipReader
from linekey.tls.hello import build_client_hello, new_client_hello
from linekey.tls.versions import Version
from linekey.trust.connection import Purpose
from linekey.wire.dialer import DialError, Stream


@asynccontextmanager
async def talking(there: Registrar) -> AsyncIterator[Stream]:
    async with VirtualPhone(phone(there.port, lines=0)) as running:
        stream = await running.connect(Purpose.SIP, "localhost", there.port)
        try:
            yield stream
        finally:
            await stream.aclose()


def request(method: str, *headers: str, cseq: int = 1) -> bytes:
    lines = [
        f"{method} sip:lab SIP/2.0", f"Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK{cseq}",
        "From: <sip:401@lab>;tag=1", "To: <sip:401@lab>", "Call-ID: c@test",
        f"CSeq: {cseq} {method}", *headers, "Content-Length: 0",
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode()


async def ask(stream: Stream, data: bytes) -> Response:
    await stream.write(data)
    reader = SipReader()
    while True:
        for message in reader.feed(await stream.read(65536, timeout=10)):
            assert isinstance(message, Response)
            return message


async def register(
    stream: Stream, *headers: str, password: str = PASSWORD, user: str = "401"
) -> Response:
    asked = await ask(stream, request("REGISTER"))
    assert asked.code == 401
    challenge = best_challenge(asked.headers.getlist("WWW-Authenticate"))
    assert challenge is not None
    proof = answer(
        challenge, username=user, password=password, method="REGISTER", uri="sip:lab",
        nc=1, cnonce="abcd",
    )  # fmt: skip
    return await ask(
        stream, request("REGISTER", f"Authorization: {proof}", *headers, cseq=2)
    )


async def test_it_says_that_it_is_for_the_lab_only() -> None:
    async with registrar() as there, talking(there) as stream:
        reply = await ask(stream, request("OPTIONS"))
        assert (reply.code, reply.headers.get("Server")) == (200, SERVER)
        assert "for the lab only" in SERVER
        assert (await ask(stream, request("INVITE", cseq=2))).code == 405
        await stream.write(PING)
        reader = SipReader()
        reader.ping_sent()
        assert reader.feed(await stream.read(100, timeout=10)) == [Pong()]


async def test_registrations_are_bounded_listed_and_gone_with_their_connection() -> (
    None
):
    contact = "Contact: <sip:401@127.0.0.1:5061;transport=tls>"
    async with registrar() as there:
        async with talking(there) as stream:
            brief = await register(stream, contact, "Expires: 5")
            assert (brief.code, brief.headers.get("Min-Expires")) == (
                423,
                str(MIN_EXPIRES_S),
            )
            good = await register(stream, contact, "Expires: 60")
            assert good.code == 200
            assert "expires=60" in (good.headers.get("Contact") or "")
            assert there.registered("401") is not None
            assert (await register(stream, "Contact: *", "Expires: 0")).code == 200
            assert there.registered("401") is None
            assert (await register(stream, contact, contact)).code == 400
            await register(stream, contact)
        assert not await there.notify("402")


@pytest.mark.parametrize(
    ("user", "password", "reason"),
    [
        ("401", "wr0ng-one", "the password is wrong"),
        ("402", PASSWORD, "logs in as '402'"),
        ("403", "x", "logs in as '403'"),
    ],
)
async def test_wrong_words_are_challenged_again_and_only_the_lab_is_told_why(
    user: str, password: str, reason: str
) -> None:
    told: list[Said] = []
    async with registrar(told=told.append) as there, talking(there) as stream:
        reply = await register(stream, "Expires: 60", user=user, password=password)
        assert reply.code == 401
        assert reason not in str(reply)
        assert there.bindings == {}
        assert [said.sentence for said in told] == [f"refused '401': {reason}"]
        assert told[0].cure
        assert password not in str(told)


async def test_every_refusal_is_told_once_with_its_cure_and_a_login_is_no_news() -> (
    None
):
    contact = "Contact: <sip:401@127.0.0.1:5061;transport=tls>"
    told: list[Said] = []
    async with registrar(told=told.append) as there, talking(there) as stream:
        await register(stream, contact, "Expires: 5")
        await register(stream, contact, contact)
        await ask(stream, request("REGISTER", "Authorization: Basic eDp5"))
        await ask(stream, request("INVITE", "X: \x1b[31m"))
        await register(stream, contact, "Expires: " + "9" * 5000)
    assert [said.sentence for said in told] == [
        "refused '401': asks for 5 s, less than 30 s",
        "refused '401': sends 2 Contact headers",
        "refused '401': its Authorization does not answer the challenge",
        "refused 'INVITE': this registrar does nothing but register",
        "401 registered for 3600 s over TLSv1.2",
    ]
    assert [bool(said.cure) for said in told] == [True] * 4 + [False]


async def test_an_account_that_is_not_there_is_told() -> None:
    told: list[Said] = []
    async with registrar(told=told.append) as there, talking(there) as stream:
        there._accounts = lambda user: None
        await register(stream, "Expires: 60")
    assert [said.sentence for said in told] == [
        "refused '401': there is no such account"
    ]


async def test_a_contact_comes_back_as_it_was_sent() -> None:
    contact = '<sip:401@127.0.0.1:5;line=x>;reg-id=1;+sip.instance="<urn:uuid:1>"'
    async with registrar() as there, talking(there) as stream:
        reply = await register(stream, f"Contact: {contact};expires=600")
        assert reply.headers.get("Contact") == f"{contact};expires=600"


async def test_garbage_and_a_stranger_end_their_own_connection_only() -> None:
    told: list[Said] = []
    async with registrar(told=told.append) as there:
        async with talking(there) as stream:
            await stream.write(b"\x00" * 20000)
            assert await stream.read(100, timeout=10) == b""
        async with talking(there) as stream:
            assert (await ask(stream, request("OPTIONS"))).code == 200
    (ended,) = (said for said in told if said.cure)
    assert "not SIP" in ended.sentence


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        (request("REGISTER").replace(b" sip:lab ", b" SIP:lab "), 401),
        (request("OPTIONS").replace(b" sip:lab ", b" isbn:1 "), 416),
        (request("OPTIONS").replace(b" sip:lab ", b"  sip:lab "), 400),
        (request("OPTIONS").replace(b"CSeq: 1", b"CSeq: 99999999999"), 400),
        (request("OPTIONS").replace(b"Call-ID:", b"Call-ID \t:"), 200),
        (request("OPTIONS", "Subject: J\xf6rg").replace("ö".encode(), b"\xf6"), 200),
        (request("OPTIONS", "Require: novelty"), 420),
        (request("OPTIONS").replace(b"SIP/2.0\r\n", b"SIP/9.0\r\n", 1), 505),
        (request("DANCE"), 501),
        (request("SUBSCRIBE"), 405),
        (b"SIP/2.0 4294967301 x\r\nContent-Length: 0\r\n\r\n", 0),
        (request("REGISTER").replace(b"To: <sip:401@lab>", b"To: isbn:1"), 400),
    ],
)
async def test_an_odd_message_is_answered_and_the_connection_goes_on(
    odd: bytes, code: int
) -> None:
    async with registrar() as there, talking(there) as stream:
        await stream.write(odd + request("OPTIONS", cseq=9))
        reader, codes = SipReader(), []
        while 200 not in codes[1 if code else 0 :]:
            for message in reader.feed(await stream.read(65536, timeout=10)):
                assert isinstance(message, Response)
                codes.append(message.code)
        assert codes == [code, 200] if code else [200]


async def test_a_message_without_an_end_gets_its_answer_after_those_before_it() -> None:
    told: list[Said] = []
    endless = request("OPTIONS", cseq=2).replace(b"Content-Length: 0\r\n", b"")
    async with registrar(told=told.append) as there, talking(there) as stream:
        await stream.write(request("OPTIONS") + endless)
        reader, codes = SipReader(), []
        while data := await stream.read(65536, timeout=10):
            for message in reader.feed(data):
                assert isinstance(message, Response)
                codes.append(message.code)
    assert codes == [200, 400]
    assert "Content-Length" in told[-1].sentence


async def test_without_a_certificate_where_one_is_demanded_there_is_no_handshake() -> (
    None
):
    async with registrar(contexts=contexts(mutual=True)) as there:
        state = phone(there.port, lines=0)
        kept = state.settings.provision("empty_tls_client_cert", "on").settings
        async with VirtualPhone(replace(state, settings=kept)) as running:
            with pytest.raises(DialError) as failed:
                await running.connect(Purpose.SIP, "localhost", there.port)
    assert failed.value.refused


@pytest.mark.parametrize(
    ("data", "answer_", "words"),
    [
        (b"\x15\3\1\0\2\2\x28", b"\x15\3\1\0\2\2\x0a", "an alert came before"),
        (b"\x16\3\1\0\4\2\0\0\0", b"\x15\3\1\0\2\2\x0a", "has type 2, not 1"),
        (b"REGISTER sip:lab SIP/2.0\r\n", b"", "plain SIP"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", b"", "a PROXY protocol header"),
    ],
)
async def test_what_is_no_hello_gets_its_alert_and_the_lab_is_told(
    data: bytes, answer_: bytes, words: str
) -> None:
    told: list[Said] = []
    async with registrar(told=told.append) as there:
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        writer.write(data)
        async with asyncio.timeout(10):
            assert await reader.read() == answer_
        writer.close()
    (said,) = told
    assert words in said.sentence
    assert said.cure or answer_


async def test_a_hello_that_nothing_serves_gets_its_alert() -> None:
    data = build_client_hello(
        new_client_hello(random=bytes(32), max_version=Version.TLS1_0, suites=[0x0005])
    )
    async with registrar() as there:
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        writer.write(data)
        async with asyncio.timeout(10):
            assert await reader.read() == b"\x15\3\1\0\2\2\x28"
        writer.close()
