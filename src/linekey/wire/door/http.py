"""HTTP/1.1 inside the door: ``httptools`` parses, and here are limits and order.

Each request is an ``Exchange`` of its own; those that were pipelined wait for each
other (RFC 9112 §9.3.2). What is added to the parser: the size and number of headers
(431), the size of a body (413), a time limit for a request, a Host where there must be
one (400, ``wire.request_head``), and a record for whatever is no HTTP. The scope
carries the ASGI TLS extension, and the request's target as it came. No upgrade is on
offer. Rule: after any of these refusals the connection ends, so nothing that was
pipelined behind a broken request is ever answered; after a decision of the application
(403, 404) it goes on, and each request is decided by itself.
"""

import asyncio
from collections import deque
from typing import Any, Protocol

import httptools

from linekey.errors import PeerError
from linekey.said import say
from linekey.settings import LimitSettings
from linekey.wire.door.exchange import App, Exchange
from linekey.wire.door.refusal import REFUSALS
from linekey.wire.request_head import place_target, read_host

_PHRASES = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
}
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_UNREAD = 65_536
"""Bytes of a body that wait for the application before no more are read."""


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """A limit was reached inside a parser callback."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason


class Site(Protocol):
    """What is the same for all connections of a door."""

    app: App
    loop: asyncio.AbstractEventLoop
    limits: LimitSettings
    address: tuple[str, int]
    tasks: "set[asyncio.Task[None]]"

    def head_lines(self) -> tuple[bytes, bool]:
        """The header lines of every answer, and whether the connection ends with it."""


class Transport(Protocol):
    """What HTTP writes to, and who keeps its clock and its records."""

    peer: tuple[str, int]

    def hold(self, data: bytes) -> None:
        """Keep ``data`` for ``flush`` or ``close``."""

    def flush(self) -> None:
        """Send what was held."""

    def close(self) -> None:
        """Send what was held, and close."""

    def close_lingering(self) -> None:
        """Send what was held, end our side, and throw away what still comes."""

    def is_closing(self) -> bool:
        """Whether this is closed, or about to be."""

    def pause_reading(self) -> None:
        """Read no more from the peer for now."""

    def resume_reading(self) -> None:
        """Read on."""

    def request_began(self) -> None:
        """Take it that a request's first byte is here."""

    def request_ended(self) -> None:
        """Take it that the whole request is here."""

    def idle(self) -> None:
        """Take it that all is answered, and no other request has begun."""

    def request_refused(self, status: int, code: str, reason: str) -> None:
        """Put on record what was refused here."""


class DoorHttp:
    """One verified connection's HTTP; ``extensions`` goes into each scope as is."""

    __slots__ = (
        "_body_bytes",
        "_drained",
        "_expects",
        "_extensions",
        "_head_bytes",
        "_headers",
        "_is_reading",
        "_newest",
        "_parser",
        "_queue",
        "_refused",
        "_running",
        "_site",
        "_target",
        "_transport",
        "in_head",
        "in_request",
        "is_paused",
        "tasks",
    )

    def __init__(
        self, site: Site, transport: Transport, extensions: dict[str, Any]
    ) -> None:
        self._site = site
        self._transport = transport
        self._extensions = extensions
        self._parser: Any = httptools.HttpRequestParser(self)
        # What follows a request that ends the connection is nobody's fault here.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._running: Exchange | None = None  # whose answer is under way
        self._newest: Exchange | None = None  # until it is answered
        self._queue: deque[Exchange] | None = None
        self._drained: asyncio.Event | None = None
        self._is_reading = True
        self._refused = self._expects = False
        self._head_bytes = self._body_bytes = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._target = b""
        self.tasks = site.tasks
        self.is_paused = False
        """Whether so much is unsent that the application has to wait."""
        self.in_head = False
        self.in_request = False
        """Whether a request has begun and is not whole."""

    # What the connection tells

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse what breaks HTTP or a limit."""
        if self._refused:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # No protocol is on offer; RFC 9110 §7.8: the request is answered as it is.
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, _Refused):
                self.refuse(cause.status, cause.code, cause.reason)
            else:
                self.refuse(
                    400, "request.not_http", REFUSALS["request.not_http"].sentence
                )
            return
        if self.in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._site.limits.header_bytes:
                self.refuse(
                    431,
                    "request.head_too_large",
                    say(
                        "more than %(bytes)s bytes of headers",
                        bytes=self._site.limits.header_bytes,
                    ),
                )

    def refuse(self, status: int, code: str, reason: str) -> None:
        """Answer with ``status`` if nothing is on its way, and end the connection."""
        self._refused = True
        self._transport.request_refused(status, code, reason)
        if self._queue:
            # An earlier request is being answered and this one waits behind it.
            self._queue.clear()
            self._transport.close()
            return
        newest = self._newest
        if newest is not None:
            own = self.in_request and not self.in_head
            if not own or newest.is_started:
                newest.keep_alive = False
                return
            # The refused request's own answer has not begun: this one takes its place.
            newest.disconnected = True
            newest.wake()
        body = f"{reason}\n".encode()
        head = (
            f"HTTP/1.1 {status} {_PHRASES[status]}\r\n"
            "content-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self._transport.hold(head.encode("ascii") + body)
        self._transport.close_lingering()

    def peer_closed(self) -> bool:
        """Note that the peer will send no more; say whether an answer is still due."""
        if self._newest is None or self.in_request:
            return False
        self._newest.keep_alive = False
        return True

    def connection_lost(self) -> None:
        """Tell the application that nobody wants its answer any more."""
        running = self._running
        if running is not None:
            running.disconnected = True
            running.wake()
        self._parser = self._running = self._newest = self._queue = None
        self.resume_writing()

    def pause_writing(self) -> None:
        """Let the application wait before it writes more."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """Let the application write again."""
        self.is_paused = False
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def shutdown(self) -> None:
        """End as soon as the request under way, if any, is answered."""
        if self._newest is None:
            self._transport.close()
        else:
            self._newest.keep_alive = False

    @property
    def is_answering(self) -> bool:
        """Whether the answer to a whole request is under way."""
        return self._newest is not None and not self.in_request

    # Parser callbacks

    def on_message_begin(self) -> None:
        """Start a request."""
        self._target, self._headers = b"", []
        self._expects = False
        self.in_head = self.in_request = True
        self._head_bytes = self._body_bytes = 0
        self._transport.request_began()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self._target += url
        if len(self._target) > self._site.limits.header_bytes:
            raise _Refused(414, "request.head_too_large", say("the URL is too long"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header, within the limits."""
        self._head_bytes += len(name) + len(value) + 4
        limits = self._site.limits
        if (
            self._head_bytes > limits.header_bytes
            or len(self._headers) >= limits.header_count
        ):
            raise _Refused(
                431,
                "request.head_too_large",
                say(
                    "more than %(bytes)s bytes or %(lines)s lines of headers",
                    bytes=limits.header_bytes,
                    lines=limits.header_count,
                ),
            )
        name = name.lower()
        if name == b"content-length":
            if not value.isdigit() or int(value) > limits.body_bytes:
                raise self._too_large()
        elif name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Hand the request to the application, with its target as it came."""
        parser, version = self._parser, self._parser.get_http_version()
        try:
            read_host(version, self._headers)
        except PeerError as error:
            raise _Refused(400, "request.host", error.message) from None
        self.in_head = False
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self._site.address,
            "client": self._transport.peer,
            "scheme": "https",
            "root_path": "",
            "method": parser.get_method().decode("ascii"),
            "headers": self._headers,
            "state": {},
            "extensions": self._extensions,
        }
        place_target(scope, self._target)
        self._headers = []  # what still comes are trailers
        before = self._newest
        self._newest = exchange = Exchange(
            self,
            scope,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            expects_continue=self._expects,
        )
        if before is None:
            self._begin(exchange)
        else:
            self._read_no_more()
            if self._queue is None:
                self._queue = deque()
            self._queue.append(exchange)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body, within the limit."""
        self._body_bytes += len(body)
        if self._body_bytes > self._site.limits.body_bytes:
            raise self._too_large()
        newest = self._newest
        if newest is not None and newest.take(body) > _UNREAD:
            self._read_no_more()

    def on_message_complete(self) -> None:
        """Note that the whole request is here."""
        self.in_request = False
        newest = self._newest
        if newest is not None:
            newest.more_body = False
            newest.wake()
        self._transport.request_ended()
        if newest is None:  # answered before all of it was here
            self._transport.idle()

    def _too_large(self) -> _Refused:
        return _Refused(
            413,
            "request.body_too_large",
            say("a body may have %(bytes)s bytes", bytes=self._site.limits.body_bytes),
        )

    def _read_no_more(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()

    # What an exchange asks for (``exchange.Carrier``)

    def head_lines(self) -> tuple[bytes, bool]:
        """The header lines of every answer, and whether the connection ends with it."""
        return self._site.head_lines()

    def hold(self, data: bytes) -> None:
        """Keep ``data``, to be sent by ``flush`` or with the connection's end."""
        self._transport.hold(data)

    def flush(self) -> None:
        """Send what was held."""
        self._transport.flush()

    def end(self) -> None:
        """Send what was held, and close."""
        self._transport.close()

    async def drain(self) -> None:
        """Wait until an application may write again."""
        if self._drained is None:
            self._drained = asyncio.Event()
        await self._drained.wait()

    def read_on(self) -> None:
        """Take it that the application wants more of the request."""
        if not self._is_reading:
            self._is_reading = True
            self._transport.resume_reading()

    def answered(self) -> None:
        """Go on with the next request, or wait for one."""
        self._running = None
        if not self._queue:
            self._newest = None
        if self._transport.is_closing():
            return
        self.read_on()
        if self._queue:
            self._begin(self._queue.popleft())
        elif self.in_request:
            self._transport.request_began()  # what is left of it has its time, too
        else:
            self._transport.idle()

    def _begin(self, exchange: Exchange) -> None:
        self._running = exchange
        exchange.begin(self._site.app, self._site.loop)
