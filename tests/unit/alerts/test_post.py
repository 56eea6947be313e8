"""A webhook's target does whatever it likes: one attempt, bounded, and told."""

import asyncio
import json
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Reference
from tests.receivers import HOST, SECRET, identity, receiving

from linekey.alerts.post import ANSWER_BYTES, may_go_to, post
from linekey.alerts.signature import parse_secret
from linekey.alerts.targets import Outcome, Webhook
from linekey.wire.networks import parse_networks
from linekey.wire.public_tls import public_context

LOOPBACK = parse_networks(["127.0.0.1"])
BODY = json.dumps({"type": "test", "data": {}}).encode()
PLAIN = public_context()
PATH = "/in/S3CRET?key=S3CRET"


def hook(port: int, *, tls: bool = False, host: str = HOST) -> Webhook:
    key = parse_secret(SECRET)
    return Webhook("webhook-1", "x", tls, host, port, PATH, key)


def leads_to(*addresses: str) -> Any:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


async def sent(
    port: int, *, tls: bool = False, context: ssl.SSLContext | None = None, **more: Any
) -> Outcome:
    usual: dict[str, Any] = {
        "allowed": LOOPBACK, "resolving": leads_to("127.0.0.1"), "within_s": 5.0,
    }  # fmt: skip
    found = await post(
        hook(port, tls=tls), "msg_1", BODY, datetime.now(UTC),
        context=context or PLAIN, **(usual | more),
    )  # fmt: skip
    assert "S3CRET" not in found.problem
    return found


async def test_it_arrives_whole_and_the_reference_takes_its_signature() -> None:
    async with receiving() as receiver:
        assert await sent(receiver.port) == Outcome(True)
    ((headers, body),) = receiver.got
    assert receiver.targets == [PATH]
    assert headers["host"] == f"{HOST}:{receiver.port}"
    assert headers["content-type"] == "application/json"
    assert Reference(SECRET).verify(body, headers) == json.loads(BODY)


async def test_by_tls_the_name_and_the_authority_are_proved(tmp_path: Path) -> None:
    file, context = identity(tmp_path)
    async with receiving(context) as receiver:
        ours = public_context(file)
        assert (await sent(receiver.port, tls=True, context=ours)).delivered
        stranger = await sent(receiver.port, tls=True)
        assert "certificate is not accepted" in stranger.problem
        _, other = identity(tmp_path, "other.example.com")
    async with receiving(other) as receiver:
        wrong = await sent(receiver.port, tls=True, context=ours)
        assert "Hostname mismatch" in wrong.problem
        assert receiver.got == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"]
)
async def test_what_is_not_public_is_not_called_unless_it_is_allowed(
    address: str,
) -> None:
    async with receiving() as receiver:
        found = await sent(
            receiver.port, tls=True, allowed=(), resolving=leads_to(address)
        )
        assert "not public: not sent" in found.problem
        assert address in found.problem
        assert "alerts.allowed_networks" in found.problem
        assert receiver.connections == 0


async def test_the_address_that_was_looked_at_is_the_one_that_is_called() -> None:
    """A name that answers otherwise the second time is never asked a second time."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    async with receiving() as receiver:
        assert (await sent(receiver.port, resolving=rebinding)).delivered
    assert asked == [HOST]


async def test_of_several_addresses_only_the_allowed_are_called() -> None:
    async with receiving() as receiver:
        found = await sent(
            receiver.port, resolving=leads_to("127.0.0.2", "10.0.0.1", "127.0.0.1")
        )
        assert found.delivered


def test_without_tls_no_public_address_is_good() -> None:
    assert may_go_to("1.1.1.1", (), tls=True)
    assert not may_go_to("1.1.1.1", (), tls=False)
    assert may_go_to("1.1.1.1", parse_networks(["1.1.1.1"]), tls=False)
    assert may_go_to("::ffff:127.0.0.1", LOOPBACK, tls=False)
    assert not may_go_to("no address", LOOPBACK, tls=True)


async def test_without_tls_a_public_address_is_told() -> None:
    found = await sent(80, resolving=leads_to("1.1.1.1"))
    assert "a public address needs https" in found.problem


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True, ""),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n", True, ""),
    (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/S3CRET\r\n\r\n",
        False,
        "redirects are not followed",
    ),
    (b"HTTP/1.1 400 Bad Request\r\n\r\nS3CRET", False, "it answers 400"),
    (b"HTTP/1.1 500 Oops\r\n\r\n", False, "it answers 500"),
    (b"220 mail.example.com ESMTP\r\n", False, "is no HTTP/1.1"),
    (b"", False, "closed without an answer"),
    (
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
        False,
        "head is too long",
    ),
    (
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (ANSWER_BYTES + 100_000),
        True,
        "longer than 65,536 bytes; the rest was not read",
    ),
    (
        b"HTTP/1.1 500 Oops\r\n\r\n" + b"x" * (ANSWER_BYTES + 100_000),
        False,
        "it answers 500; its answer is longer than 65,536 bytes",
    ),
]


@pytest.mark.parametrize(("answer", "delivered", "said"), ANSWERS)
async def test_every_answer_is_bounded_and_told(
    answer: bytes, delivered: bool, said: str
) -> None:
    async with receiving(answer=answer) as receiver:
        found = await sent(receiver.port)
    assert found.delivered == delivered
    assert said in found.problem
    assert bool(found.problem) == bool(said)
    assert not found.final


async def test_gone_is_for_good_and_a_pause_may_be_asked_for() -> None:
    async with receiving(answer=b"HTTP/1.1 410 Gone\r\n\r\n") as receiver:
        assert (await sent(receiver.port)).final
    for header, asked in ((b"120", 120.0), (b"soon", None), (b"9" * 30, 1e6)):
        answer = b"HTTP/1.1 503 Busy\r\nRetry-After: " + header + b"\r\n\r\n"
        async with receiving(answer=answer) as receiver:
            found = await sent(receiver.port)
        assert (found.delivered, found.asked_s) == (False, asked)


async def _drip(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"H")
        await asyncio.sleep(0.01)


async def _hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


@pytest.mark.parametrize("hold", [_drip, _hang])
async def test_who_hangs_or_drips_is_left(hold: Any) -> None:
    async with receiving(hold=hold) as receiver:
        found = await sent(receiver.port, within_s=0.5)
    assert not found.delivered
    assert found.problem in (
        "no whole answer within 0.5 seconds",
        "what answers is no HTTP/1.1, or its head is too long",
    )


async def test_nobody_there_and_no_such_name_are_told() -> None:
    async with receiving() as receiver:
        port = receiver.port
    assert (await sent(port)).problem == "cannot connect: connection refused"

    async def unknown(host: str, port: int) -> Sequence[str]:
        import socket

        raise socket.gaierror(-2, "Name or service not known")

    found = await sent(port, resolving=unknown)
    assert found.problem == f"no address is known for {HOST!r}"
    assert (await sent(port, resolving=leads_to())).problem.startswith(
        f"{HOST!r} is no"
    )
