"""Mail, to a real SMTP server (aiosmtpd): inside TLS, or told why not."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from tests.receivers import identity, speaking

from linekey.alert_settings import AlertSettings
from linekey.alerts.kinds import Kind
from linekey.alerts.message import document, mail
from linekey.alerts.smtp import send
from linekey.alerts.targets import Outcome
from linekey.wire.public_tls import public_context

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PASSWORD = "geheim-4711"


class Inbox:
    """What a mail server took, and whom it refuses."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.ssl: list[bool] = []

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, to: str, _: Any
    ) -> str:
        if to.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        self.got.append(envelope)
        self.ssl.append(session.ssl is not None)
        return "250 OK"


@asynccontextmanager
async def serving(
    context: ssl.SSLContext | None, *, implicit: bool = False, **more: Any
) -> AsyncIterator[tuple[Inbox, int]]:
    inbox = Inbox()
    loop = asyncio.get_running_loop()
    started: list[SMTP] = []

    def connected() -> SMTP:
        started.append(SMTP(inbox, tls_context=None if implicit else context, **more))
        return started[-1]

    server = await loop.create_server(
        connected, "127.0.0.1", 0, ssl=context if implicit else None
    )
    try:
        yield inbox, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in started:
            if one.transport is not None:
                one.transport.close()
            if (task := one._handler_coroutine) is not None:
                task.cancel()
                await asyncio.wait([task])


def settings(port: int, **more: Any) -> AlertSettings:
    usual = {
        "mail_to": ("boss@example.com", "desk@example.com"),
        "mail_from": "linekey@example.com", "smtp_host": "127.0.0.1",
        "smtp_port": port,
    }  # fmt: skip
    return AlertSettings(**(usual | more))


async def sent(
    given: AlertSettings, ca_file: Path | None = None, **more: Any
) -> Outcome:
    body = document(
        Kind.TEST, NOW, server="phones1", cause="test", sentence="it arrives",
        cure="", items=(), count=0,
    )  # fmt: skip
    message = mail("msg_1", body, sender=given.mail_from, to=given.mail_to)
    found = await send(message, given, context=public_context(ca_file), **more)
    assert PASSWORD not in found.problem
    return found


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    return identity(tmp_path, "127.0.0.1")


async def test_it_arrives_by_starttls(tls: tuple[Path, ssl.SSLContext]) -> None:
    file, context = tls
    async with serving(context, require_starttls=True) as (inbox, port):
        assert await sent(settings(port), file) == Outcome(True)
    (envelope,) = inbox.got
    assert inbox.ssl == [True]
    assert envelope.mail_from == "linekey@example.com"
    assert envelope.rcpt_tos == ["boss@example.com", "desk@example.com"]
    assert isinstance(envelope.content, bytes)
    got = message_from_bytes(envelope.content, policy=policy.default)
    assert got["Subject"] == "[linekey] it arrives"
    assert got["Message-ID"] == "<msg_1@example.com>"


async def test_it_arrives_by_implicit_tls(tls: tuple[Path, ssl.SSLContext]) -> None:
    file, context = tls
    async with serving(context, implicit=True) as (inbox, port):
        assert (await sent(settings(port, smtp_tls="implicit"), file)).delivered
    assert len(inbox.got) == 1


async def test_without_starttls_nothing_is_sent() -> None:
    async with serving(None) as (inbox, port):
        found = await sent(settings(port, smtp_user="u", smtp_password=PASSWORD))
    assert found == Outcome(
        False, "it offers no STARTTLS, and nothing is sent without TLS"
    )
    assert inbox.got == []


async def test_a_certificate_of_nobody_or_of_another_name_is_refused(
    tls: tuple[Path, ssl.SSLContext], tmp_path: Path
) -> None:
    file, context = tls
    async with serving(context) as (inbox, port):
        assert "certificate is not accepted" in (await sent(settings(port))).problem
    _, other = identity(tmp_path, "mx.example.com")
    async with serving(other) as (inbox, port):
        found = await sent(settings(port), file)
    assert "certificate is not accepted" in found.problem
    assert "mismatch" in found.problem
    assert inbox.got == []


async def test_who_is_refused_is_named(tls: tuple[Path, ssl.SSLContext]) -> None:
    file, context = tls
    nobody = "nobody@example.com"
    async with serving(context) as (inbox, port):
        some = await sent(settings(port, mail_to=("a@example.com", nobody)), file)
        none = await sent(settings(port, mail_to=(nobody,)), file)
    assert some == Outcome(True, f"not for all: {nobody}: 550 5.1.1 no such user")
    assert none == Outcome(
        False, f"it takes mail for nobody: {nobody}: 550 5.1.1 no such user"
    )
    assert [envelope.rcpt_tos for envelope in inbox.got] == [["a@example.com"]]


async def test_it_logs_in_and_a_wrong_password_is_told(
    tls: tuple[Path, ssl.SSLContext],
) -> None:
    file, context = tls

    def check(
        server: Any, session: Any, envelope: Any, mechanism: str, given: Any
    ) -> AuthResult:
        good = (given.login, given.password) == (b"linekey", PASSWORD.encode())
        return AuthResult(success=good, handled=good)

    async with serving(context, auth_required=True, authenticator=check) as (
        inbox,
        port,
    ):
        good = settings(port, smtp_user="linekey", smtp_password=PASSWORD)
        assert await sent(good, file) == Outcome(True)
        wrong = settings(port, smtp_user="linekey", smtp_password="wrong")
        found = await sent(wrong, file)
        assert found.problem.startswith("the log-in is refused: 535")
        nameless = await sent(settings(port), file)
        assert "530" in nameless.problem
    assert len(inbox.got) == 1


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        (b"554 no service for you\r\n", "it refuses: 554 no service for you"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it refuses"),
        (b"", "it closed the connection"),
        (b"220 " + b"x" * 20_000 + b"\r\n", "it refuses: 500 Line too long"),
    ],
)
async def test_what_is_no_mail_server_is_told(greeting: bytes, said: str) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()

    async with speaking(greet) as port:
        found = await sent(settings(port))
    assert not found.delivered
    assert said in found.problem


@pytest.mark.parametrize("way", ["starttls", "implicit"])
async def test_a_server_that_drips_is_left(way: str) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"2")
            await asyncio.sleep(0.05)

    async with speaking(drip) as port:
        found = await sent(settings(port, smtp_tls=way), within_s=0.5)
    assert not found.delivered
    assert found.problem


async def test_nobody_there_is_told() -> None:
    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with speaking(leave) as port:
        pass
    said = (await sent(settings(port))).problem
    assert said == "cannot connect: connection refused"
    found = await sent(settings(port, smtp_host="mx.invalid"))
    assert found.problem == "no address is known for 'mx.invalid'"
