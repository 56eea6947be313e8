"""Servers that are gone, slow, half-closed or babbling: told, tried again, survived."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.certificates import server
from tests.ldap_peer import read_messages, write_entry, write_result
from tests.pair.test_phone_sip import is_registered, is_waiting, phone, registrar, until

from linekey.phone.display import Display
from linekey.phone.document import FunctionKey
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.state import PhoneState
from linekey.phone.uses.actions.events import ActionHappened, KeyPressed
from linekey.phone.uses.directory.edge import look_up
from linekey.phone.uses.directory.events import LookupWanted
from linekey.phone.uses.directory.settings import read_directory
from linekey.phone.uses.sip.edge import SipLines
from linekey.phone.uses.sip.lines import Lines
from linekey.tls.engine import Identity, ServerContexts
from linekey.tls.events import DataReceived, HandshakeCompleted
from linekey.tls.pump import Limits, ServerPump
from linekey.trust.connection import ConnectionReport
from linekey.wire.carry import carry

BIG = (
    b"SIP/2.0 200 OK\r\nCall-ID: x\r\nContent-Length: 10485760\r\n\r\n"
    + b"x" * 10485760
)
ENDLESS = b"SIP/2.0 200 OK\r\n" + b"X-Padding: " + b"y" * 10485760


@asynccontextmanager
async def babbler(
    says: bytes | None, *, closes: bool = False, at_once: bool = False
) -> AsyncIterator[int]:
    """A TLS server that answers the first bytes with ``says``; None says nothing.

    ``at_once`` speaks as soon as the handshake is over; ``closes`` shuts its half.
    """
    own = server("localhost")
    contexts = ServerContexts(Identity(own.chain, own.key), verify=None)
    writers: set[asyncio.StreamWriter] = set()

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writers.add(writer)
        try:
            await _talk(reader, writer)
        except OSError:
            pass  # the phone hung up, as it should
        finally:
            writers.discard(writer)
            writer.close()

    async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pump, done = ServerPump(contexts, Limits(), now=0.0), False
        while not pump.ended:
            for event in await carry(pump, reader, writer):
                due = isinstance(event, HandshakeCompleted if at_once else DataReceived)
                if due and not done and says is not None:
                    done = True
                    for at in range(0, len(says), 16384):
                        writer.write(pump.send(says[at : at + 16384]))
            await writer.drain()
            if done and closes:
                writer.write_eof()  # no close_notify: half of it is simply gone

    running = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield running.sockets[0].getsockname()[1]
    finally:
        running.close()
        for writer in list(writers):
            writer.transport.abort()
        await running.wait_closed()


@asynccontextmanager
async def half_a_directory(*, closes: bool) -> AsyncIterator[tuple[int, list[object]]]:
    """An LDAP server, without TLS, that finds Ada and then falls silent, or hangs up.

    Gives its port, and what the phone has said.
    """
    said: list[object] = []
    over = asyncio.Event()

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await reader.read(65536):
                if data.endswith(b"\x42\x00"):  # an unbind (RFC 4511 §4.3)
                    said.append(data)
                    break
                ((number, kind, _),) = read_messages(data)
                said.append(kind)
                if kind == "bindRequest":
                    writer.write(write_result(number, "bindResponse", 0))
                else:
                    writer.write(write_entry(number, "cn=Ada", {"cn": [b"Ada"]}))
                await writer.drain()
                if closes and kind == "searchRequest":
                    break
        finally:
            writer.close()
            over.set()

    running = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with running, asyncio.timeout(30):
        yield running.sockets[0].getsockname()[1], said
        await over.wait()


def line(state: PhoneState) -> str:
    return state.part(Lines).lines[0].reason


def directory_settings(state: PhoneState, port: int, **more: str) -> PhoneState:
    kept = state.settings
    for name, value in {
        "ldap_server": "localhost", "ldap_port": str(port), "ldap_over_tls": "on", **more,
    }.items():  # fmt: skip
        kept = kept.provision(name, value).settings
    return replace(state, settings=kept)


@pytest.mark.parametrize(
    ("says", "closes", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n<html>", False, "something that is not SIP"),
        (b"\x00\xff" * 9000, False, "something that is not SIP"),
        (BIG, False, "announces a SIP body of '10485760'"),
        (ENDLESS, False, "headers of over"),
        (b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", True, "closed the connection"),
        (b"SIP/2.0 401 Unau", True, "closed the connection"),
    ],
    ids=[
        "http",
        "garbage",
        "ten megabytes",
        "endless header",
        "half-closed",
        "cut",
    ],
)
async def test_a_babbling_sip_server_is_told_and_the_other_uses_go_on(
    says: bytes, closes: bool, reason: str
) -> None:
    async with registrar() as good, babbler(says, closes=closes) as port:
        state = phone(good.port, lines=2)
        kept = state.settings.provision(
            "user_outbound", f"localhost:{port};transport=tls", idx=1
        )
        async with VirtualPhone(
            replace(state, settings=kept.settings), services=(SipLines(),)
        ) as running:
            state = await until(
                running, lambda s: is_waiting(s) and is_registered(2)(s)
            )
            assert reason in line(state), line(state)
            assert "next try in" in line(state)
            assert any(reason in e.text for e in state.log if e.level == "warning")
            assert is_registered(2)(running.state)


async def test_nobody_there_and_no_tls_there_are_two_reasons() -> None:
    async with registrar() as there:
        gone = there.port
    async with VirtualPhone(phone(gone), services=(SipLines(),)) as running:
        state = await until(running, is_waiting)
        assert "connection refused" in line(state)
        assert state.notifications[0].purpose == "sip"
        assert "connection refused" in state.notifications[0].text

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SIP/2.0 400 Bad\r\nContent-Length: 0\r\n\r\n")
        await reader.read(10)
        writer.close()

    plain_server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with plain_server:
        port = plain_server.sockets[0].getsockname()[1]
        async with VirtualPhone(phone(port), services=(SipLines(),)) as running:
            state = await until(running, is_waiting)
    assert "next try in" in line(state)
    assert state.notifications


@pytest.mark.parametrize(
    ("says", "closes", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "is not LDAP"),
        (b"\xff" * 4096, False, "is not LDAP"),
        (b"", True, "closed the connection"),
        (b"\x30\x84\x7f\xff\xff\xff" + b"\x00" * 6_000_000, False, "more than"),
        (b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01", True, "closed the connection"),
    ],
    ids=["http", "garbage", "half-closed", "endless", "cut"],
)
async def test_a_babbling_directory_is_told(
    says: bytes, closes: bool, reason: str
) -> None:
    async with babbler(says or b"\x30", closes=closes) as port:
        state = directory_settings(phone(1, lines=0), port)
        async with VirtualPhone(state) as running:
            async with asyncio.timeout(20):
                answer = await running.do(LookupWanted("ada"))
            assert not answer.ok
            assert reason in answer.text, answer
            assert answer.hint
            again = await running.do(LookupWanted(""))
            assert "type a name" in again.text


async def test_a_silent_directory_costs_its_time_limit_and_no_more() -> None:
    reports: list[ConnectionReport] = []
    async with babbler(None) as port:
        state = directory_settings(phone(1, lines=0), port)
        settings = read_directory(state.setting)
        assert settings is not None
        async with VirtualPhone(state) as running:
            result = await look_up(
                settings, "ada", dial=running.connect, ended=reports.append, time_limit_s=0.3
            )  # fmt: skip
    assert "did not answer within 0.3 s" in result.problem
    (report,) = reports
    assert report.completed
    assert report.purpose == "ldap"


@pytest.mark.parametrize("closes", [True, False], ids=["hangs up", "falls silent"])
async def test_what_half_a_directory_found_is_kept(closes: bool) -> None:
    reports: list[ConnectionReport] = []
    async with half_a_directory(closes=closes) as (port, said):
        state = directory_settings(phone(1, lines=0), port, ldap_over_tls="off")
        settings = read_directory(state.setting)
        assert settings is not None
        async with VirtualPhone(state) as running:
            result = await look_up(
                settings, "ada", dial=running.connect, ended=reports.append, time_limit_s=1.0
            )  # fmt: skip
    assert [entry.name for entry in result.entries] == ["Ada"]
    assert ("closed the connection" if closes else "within 1 s") in result.problem
    assert len(reports) == 1
    assert len(said) == (2 if closes else 3)  # the unbind, where somebody listens


async def test_a_setting_that_no_phone_can_use_leaves_it_running() -> None:
    for name, value in {"ldap_port": "9" * 5000, "ldap_server": "a b"}.items():
        state = directory_settings(phone(1, lines=0), 1, **{name: value})
        async with VirtualPhone(state) as running:
            answer = await running.do(LookupWanted("ada"))
            assert f"{name} cannot be" in answer.text
            assert answer.hint
            assert not (await running.do(LookupWanted("ada"))).ok


async def test_the_screen_says_the_cure_of_whoever_knows_the_reason() -> None:
    gone = directory_settings(phone(1, lines=0), 1)
    async with VirtualPhone(gone) as running:
        answer = await running.do(LookupWanted("ada"))
        (notice,) = running.state.notifications
    assert answer.hint == "look whether the server runs, and the address is right"
    assert notice.cure == "Look whether the server runs, and the address is right."


async def test_a_silent_page_server_does_not_stop_the_other_keys() -> None:
    async with babbler(None) as silent, registrar() as there:
        state = phone(there.port)
        keys = (
            FunctionKey(0, "url", f"https://localhost:{silent}/menu.xml"),
            FunctionKey(1, "speed", "402"),
            FunctionKey(2, "url", "file:///etc/passwd"),
            FunctionKey(3, "url", "https://localhost:1/menu.xml"),
        )
        state = replace(state, function_keys=keys)
        async with VirtualPhone(
            state, services=(SipLines(),), time_limit_s=1.0
        ) as running:
            waiting = asyncio.ensure_future(running.do(KeyPressed(0)))
            await running.wait_for(lambda s: bool(s.part(Display).opening))
            assert (await running.do(KeyPressed(1))).ok
            local = await running.do(KeyPressed(2))
            assert "not an http or https URL" in local.text
            await until(running, is_registered())
            answer = await waiting
            assert "no whole answer within 1 s" in answer.text
            gone = await running.do(KeyPressed(3))
            assert "connection refused" in gone.text
            late = asyncio.ensure_future(running.do(KeyPressed(0)))
            await running.wait_for(lambda s: bool(s.part(Display).opening))
            await running.do(KeyPressed(3))
            told = await late
            assert "no whole answer within 1 s; another page was asked" in told.text
            assert any(
                e.level == "error" and "no whole answer within 1 s" in e.text
                for e in running.state.log[-3:]
            )


async def test_an_event_without_an_action_url_is_no_trouble() -> None:
    async with VirtualPhone(phone(1, lines=0)) as running:
        quiet = await running.do(ActionHappened("incoming"))
        asked = await running.do(ActionHappened("incoming", asked=True))
    assert quiet.ok
    assert not asked.ok
    assert not any(e.purpose == "action-url" for e in running.state.log)


async def test_whoever_waits_is_told_when_the_phone_is_switched_off() -> None:
    async with babbler(None) as silent:
        state = replace(
            phone(1, lines=0),
            function_keys=(FunctionKey(0, "url", f"https://localhost:{silent}/"),),
        )
        async with VirtualPhone(state) as running:
            waiting = asyncio.ensure_future(running.do(KeyPressed(0)))
            await running.wait_for(lambda s: bool(s.part(Display).opening))
        answer = await waiting
    assert (answer.ok, answer.text) == (False, "the phone was switched off")
