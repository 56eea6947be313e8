"""A message posted to a webhook, once.

The name is resolved here, each address is looked at, and the connection goes to that
very address: a name that leads elsewhere a moment later changes nothing. Redirects are
not followed, for the same reason, and since a signed body is for whom it was made.

Rules: one attempt ends within ``WITHIN_S``, whatever the target does; of its answer no
more than ``HEAD_BYTES`` and ``ANSWER_BYTES`` are read. Success is a status of 200 to
299, and nothing else (Standard Webhooks). What is said of a failure holds no part of
the URL's path and nothing of the answer's body.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import h11

from linekey import __version__
from linekey.alerts.signature import signed
from linekey.alerts.targets import Outcome, Webhook, embedded, is_public
from linekey.digits import digits_of
from linekey.endpoint import bracketed, host_port
from linekey.wire.networks import Network, is_in
from linekey.wire.public_tls import tls_trouble
from linekey.wire.system_words import os_text

WITHIN_S = 15.0
"""Standard Webhooks recommends 15 to 30 seconds."""
HEAD_BYTES = 16_384
ANSWER_BYTES = 65_536
_MOST_ADDRESSES = 4
_MOST_WAIT = 1_000_000  # seconds of a Retry-After that are worth reading

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, in the system's order. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    )
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


async def post(
    webhook: Webhook,
    message: str,
    body: bytes,
    at: datetime,
    *,
    context: ssl.SSLContext,
    allowed: Sequence[Network] = (),
    resolving: Resolve = resolve,
    within_s: float = WITHIN_S,
) -> Outcome:
    """Post it once. Whatever happens is the outcome; raises nothing of the target's."""
    try:
        async with asyncio.timeout(within_s):
            return await _post(webhook, message, body, at, context, allowed, resolving)
    except TimeoutError:
        return Outcome(False, f"no whole answer within {within_s:g} seconds")
    except ssl.SSLError as error:
        return Outcome(False, tls_trouble(error))
    except socket.gaierror:
        return Outcome(False, f"no address is known for {webhook.host!r}")
    except OSError as error:
        return Outcome(False, f"cannot connect: {os_text(error)}")


async def _post(
    webhook: Webhook,
    message: str,
    body: bytes,
    at: datetime,
    context: ssl.SSLContext,
    allowed: Sequence[Network],
    resolving: Resolve,
) -> Outcome:
    addresses = await resolving(webhook.host, webhook.port)
    fit = [one for one in addresses if may_go_to(one, allowed, tls=webhook.tls)]
    if not fit:
        return Outcome(False, _not_allowed(webhook, addresses))
    reader, writer = await _connect(webhook, fit[:_MOST_ADDRESSES], context)
    try:
        return await _exchange(webhook, message, body, at, reader, writer)
    except h11.RemoteProtocolError:
        return Outcome(False, "what answers is no HTTP/1.1, or its head is too long")
    finally:
        writer.transport.abort()  # nobody waits for its goodbye


def may_go_to(address: str, allowed: Sequence[Network], *, tls: bool) -> bool:
    """Whether a webhook may go to an address: public ones by TLS only."""
    try:
        there = embedded(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    return is_in(str(there), allowed) or (tls and is_public(there))


def _not_allowed(webhook: Webhook, addresses: Sequence[str]) -> str:
    shown = ", ".join(addresses[:_MOST_ADDRESSES]) or "no address"
    public = any(may_go_to(one, (), tls=True) for one in addresses)
    if public and not webhook.tls:
        return f"{webhook.host!r} is {shown}: a public address needs https"
    return (
        f"{webhook.host!r} is {shown}, which is not public: not sent "
        "(alerts.allowed_networks lists exceptions)"
    )


async def _connect(
    webhook: Webhook, addresses: Sequence[str], context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    trouble: OSError | None = None
    for address in addresses:
        try:
            return await asyncio.open_connection(
                address,
                webhook.port,
                ssl=context if webhook.tls else None,
                server_hostname=webhook.host if webhook.tls else None,
                limit=HEAD_BYTES,
            )
        except ssl.SSLError:
            raise
        except OSError as error:
            trouble = error
    assert trouble is not None
    raise trouble


async def _exchange(
    webhook: Webhook,
    message: str,
    body: bytes,
    at: datetime,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> Outcome:
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
    usual = webhook.port == (443 if webhook.tls else 80)
    named = bracketed(webhook.host) if usual else host_port(webhook.host, webhook.port)
    headers = {
        "host": named,
        "user-agent": f"linekey/{__version__.partition('+')[0]}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **signed(webhook.key, message, at, body),
    }
    request = h11.Request(
        method="POST", target=webhook.path, headers=list(headers.items())
    )
    writer.write(http.send(request) or b"")
    writer.write(http.send(h11.Data(data=body)) or b"")
    writer.write(http.send(h11.EndOfMessage()) or b"")
    # Who answers before he has read all may close while this still writes.
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    read = heard = 0
    outcome = Outcome(False, "the connection was closed without an answer")
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(HEAD_BYTES)
            heard += len(data)
            if not heard:
                return outcome
            http.receive_data(data)
        elif isinstance(event, h11.Response):
            outcome = _judged(event)
        elif isinstance(event, h11.Data):
            read += len(event.data)
            if read > ANSWER_BYTES:
                return _cut_short(outcome)
        elif isinstance(event, h11.InformationalResponse):
            continue
        else:
            return outcome


def _judged(response: h11.Response) -> Outcome:
    status = response.status_code
    if 200 <= status < 300:
        return Outcome(True)
    if 300 <= status < 400:
        return Outcome(
            False,
            f"it answers {status}: redirects are not followed; set the URL to where it "
            "leads",
        )
    if status == 410:
        return Outcome(False, "it answers 410: it wants no more messages", final=True)
    waits = [v for n, v in response.headers if n == b"retry-after"]
    asked = digits_of(waits[0].decode("latin-1"), _MOST_WAIT) if waits else None
    return Outcome(
        False, f"it answers {status}", asked_s=None if asked is None else float(asked)
    )


def _cut_short(outcome: Outcome) -> Outcome:
    note = f"its answer is longer than {ANSWER_BYTES:,} bytes; the rest was not read"
    said = f"{outcome.problem}; {note}" if outcome.problem else note
    return Outcome(outcome.delivered, said, outcome.final, outcome.asked_s)
