"""HTTP inside the door: uvicorn's httptools protocol, with limits it does not have.

Added to uvicorn's: the size and number of headers (431), the size of a body (413),
a time limit for a request, a Host where there must be one (400, ``wire.request_head``),
and a record for whatever is no HTTP. The scope carries the ASGI TLS extension, and the
request's target as it came. Rule: after any of these refusals the connection ends, so
nothing that was pipelined behind a broken request is ever answered; after a decision of
the application (403, 404) it goes on, and each request is decided by itself.
"""

import asyncio
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from linekey.errors import PeerError
from linekey.settings import LimitSettings
from linekey.wire.door.refusal import REFUSALS
from linekey.wire.request_head import place_target, read_host

_PHRASES = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
}


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """A limit was reached inside a parser callback."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason


class HttpTransport(asyncio.Transport):
    """What HTTP writes to, and who keeps its clock and its records."""

    __slots__ = ()

    def flush(self) -> None:
        """Send what was written."""

    def close_lingering(self) -> None:
        """Flush, end our side, and throw away what still comes."""

    def request_began(self) -> None:
        """Take it that a request's first byte is here."""

    def request_ended(self) -> None:
        """Take it that the whole request is here."""

    def idle(self) -> None:
        """Take it that all is answered, and no other request has begun."""

    def request_refused(self, status: int, code: str, reason: str) -> None:
        """Put on record what was refused here."""


class DoorHttp(HttpToolsProtocol):
    """One verified connection's HTTP/1.1; ``extensions`` goes into each scope as is."""

    transport: HttpTransport

    def __init__(
        self,
        config: Config,
        state: ServerState,
        limits: LimitSettings,
        extensions: dict[str, Any],
    ) -> None:
        super().__init__(config=config, server_state=state, app_state={})
        self.limits = limits
        self.extensions = extensions
        self.in_head = False
        self.in_request = False
        self.head_bytes = 0
        self.body_bytes = 0
        self.refused = False

    def connection_made(self, transport: HttpTransport) -> None:  # type: ignore[override]
        """Take the transport, without the system calls that uvicorn makes here."""
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = transport.get_extra_info("sockname")
        self.client = transport.get_extra_info("peername")
        self.scheme = "https"

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse what breaks HTTP or a limit."""
        if self.refused:
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
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
            self.head_bytes += len(data)
            if self.head_bytes > self.limits.header_bytes:
                self.refuse(
                    431,
                    "request.head_too_large",
                    f"more than {self.limits.header_bytes} bytes of headers",
                )

    def refuse(self, status: int, code: str, reason: str) -> None:
        """Answer with ``status`` if nothing is on its way, and end the connection."""
        self.refused = True
        self.transport.request_refused(status, code, reason)
        if self.pipeline:
            # An earlier request is being answered and this one waits behind it.
            self.pipeline.clear()
            self.transport.close()
            return
        cycle = self._cycle()
        if cycle is not None and not cycle.response_complete:
            own = self.in_request and not self.in_head
            if not own or cycle.response_started:
                cycle.keep_alive = False
                return
            # The refused request's own answer has not begun: this one takes its place.
            cycle.disconnected = True
            cycle.message_event.set()
        body = f"{reason}\n".encode()
        head = (
            f"HTTP/1.1 {status} {_PHRASES[status]}\r\n"
            "content-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close_lingering()

    def peer_closed(self) -> bool:
        """Note that the peer will send no more; say whether an answer is still due."""
        cycle = self._cycle()
        if cycle is None or cycle.response_complete or self.in_request:
            return False
        cycle.keep_alive = False
        return True

    @property
    def is_answering(self) -> bool:
        """Whether the answer to a whole request is under way."""
        cycle = self._cycle()
        return cycle is not None and not cycle.response_complete and not self.in_request

    def _cycle(self) -> RequestResponseCycle | None:
        """The newest request's, or None before the first (uvicorn's type hides it)."""
        return self.cycle

    # Parser callbacks

    def on_message_begin(self) -> None:
        """Start a request; its scope carries the TLS extension."""
        super().on_message_begin()
        self.scope["extensions"] = self.extensions
        self.in_head = self.in_request = True
        self.head_bytes = self.body_bytes = 0
        self.transport.request_began()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        super().on_url(url)
        if len(self.url) > self.limits.header_bytes:
            raise _Refused(414, "request.head_too_large", "the URL is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header, within the limits."""
        self.head_bytes += len(name) + len(value) + 4
        if (
            self.head_bytes > self.limits.header_bytes
            or len(self.headers) >= self.limits.header_count
        ):
            raise _Refused(
                431,
                "request.head_too_large",
                f"more than {self.limits.header_bytes} bytes or "
                f"{self.limits.header_count} lines of headers",
            )
        if name.lower() == b"content-length" and (
            not value.isdigit() or int(value) > self.limits.body_bytes
        ):
            raise _Refused(
                413,
                "request.body_too_large",
                f"a body may have {self.limits.body_bytes} bytes",
            )
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request to the application, with its target as it came."""
        try:
            read_host(self.parser.get_http_version(), self.headers)
        except PeerError as error:
            raise _Refused(400, "request.host", error.message) from None
        self.in_head = False
        # uvicorn would read the target with httptools, which tidies it.
        target, self.url = self.url, b"/"
        super().on_headers_complete()
        place_target(self.scope, target)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body, within the limit."""
        self.body_bytes += len(body)
        if self.body_bytes > self.limits.body_bytes:
            raise _Refused(
                413,
                "request.body_too_large",
                f"a body may have {self.limits.body_bytes} bytes",
            )
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the whole request is here."""
        self.in_request = False
        super().on_message_complete()
        self.transport.request_ended()

    def on_response_complete(self) -> None:
        """Send what was written, then go on with the next request or idle."""
        self.transport.flush()
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            self.transport.idle()
