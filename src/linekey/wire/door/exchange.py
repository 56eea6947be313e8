"""One request and the answer to it, in ASGI's terms: what is received and sent.

The rules are those of ASGI's HTTP specification 2.3. An answer's head leaves with the
first piece of its body, as it asks; an answer without a length is sent in chunks.
Nothing of an application's is believed: names and values of headers are looked at, so
that none ends a line, and a body is as long as its head says, or the connection ends.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, Protocol

_log = logging.getLogger("linekey.door")

App = Callable[[Any, Any, Any], Awaitable[None]]

_NO_BODY = (204, 304)
_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii")
    for status in HTTPStatus
}
# RFC 9110 §5.1, a token, and §5.5 without what may end a line or a text.
_HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Carrier(Protocol):
    """What an exchange needs of the connection that it is on."""

    is_paused: bool
    """Whether so much is unsent that the application has to wait."""
    tasks: "set[asyncio.Task[None]]"
    """The applications' that are at work."""

    def head_lines(self) -> tuple[bytes, bool]:
        """The header lines of every answer, and whether the connection ends with it."""

    def hold(self, data: bytes) -> None:
        """Keep ``data``, to be sent by ``flush`` or with the connection's end."""

    def flush(self) -> None:
        """Send what was held."""

    def end(self) -> None:
        """Send what was held, and close."""

    async def drain(self) -> None:
        """Wait until an application may write again."""

    def read_on(self) -> None:
        """Take it that the application wants more of the request."""

    def answered(self) -> None:
        """Take it that the answer is out."""


class Exchange:
    """One request, from its whole head to the end of its answer."""

    __slots__ = (
        "_body",
        "_carrier",
        "_chunked",
        "_expects",
        "_head",
        "_left",
        "_news",
        "_task",
        "_woken",
        "disconnected",
        "is_complete",
        "is_started",
        "keep_alive",
        "more_body",
        "scope",
    )

    def __init__(
        self,
        carrier: Carrier,
        scope: dict[str, Any],
        *,
        keep_alive: bool,
        expects_continue: bool,
    ) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        """Whether another request may follow on this connection."""
        self.more_body = True
        self.disconnected = False
        """Whether nobody wants the answer any more."""
        self.is_started = self.is_complete = False
        self._carrier = carrier
        self._expects = expects_continue
        self._body: bytearray | None = None
        self._head = b""
        self._chunked = False
        self._left = 0  # of the body, by its head
        self._news = False
        self._woken: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        """Have the application answer, in a task of its own."""
        self._task = task = loop.create_task(self._run(app))
        self._carrier.tasks.add(task)

    async def _run(self, app: App) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except Exception as error:  # noqa: BLE001 - ``asgi_edge`` lets none through
            _log.error("an application raised", exc_info=error)
        finally:
            task, self._task = self._task, None  # no cycle is left
            if task is not None:
                self._carrier.tasks.discard(task)
            if not self.is_complete and not self.disconnected:
                self._carrier.end()  # what is there of the answer is not whole

    # What comes

    def take(self, piece: bytes) -> int:
        """Take a piece of the body; say how much waits for the application."""
        if self._body is None:
            self._body = bytearray()
        self._body += piece
        self.wake()
        return len(self._body)

    def wake(self) -> None:
        """Let the application look: something has changed."""
        self._news = True
        if self._woken is not None:
            self._woken.set()

    async def receive(self) -> dict[str, Any]:
        """Give the application the next piece of the body, or tell it of the end."""
        if self._expects and not self.disconnected:
            self._expects = False
            self._carrier.hold(_CONTINUE)
            self._carrier.flush()
        if not self.disconnected and not self.is_complete:
            self._carrier.read_on()
            if self._woken is None:
                self._woken = asyncio.Event()
            if self._news:
                self._woken.set()
            await self._woken.wait()
            self._woken.clear()
            self._news = False
        if self.disconnected or self.is_complete:
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {
            "type": "http.request",
            "body": b"" if body is None else bytes(body),
            "more_body": self.more_body,
        }

    # What leaves

    async def send(self, message: Any) -> None:
        """Take the head of the answer, or a piece of its body."""
        carrier = self._carrier
        if carrier.is_paused and not self.disconnected:
            await carrier.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.is_started:
            if kind != "http.response.start":
                raise RuntimeError(f"an answer begins with {kind!r}")
            self._head = self._head_of(message)
            self.is_started = True
        elif kind != "http.response.body" or self.is_complete:
            raise RuntimeError(f"{kind!r} is too late in an answer")
        else:
            self._send_body(message.get("body", b""), message.get("more_body", False))

    def _head_of(self, message: Any) -> bytes:
        status, length = message["status"], None
        self._expects = False
        common, ends = self._carrier.head_lines()
        if ends:
            self.keep_alive = False
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, common]
        told = ends  # that the connection is closed
        for name, value in message.get("headers", ()):
            name = name.lower()
            if name == b"content-length" and length is None and not self._chunked:
                length = int(value)
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self._chunked, length = True, 0
            elif name == b"connection" and b"close" in _tokens(value):
                self.keep_alive, told = False, True
            lines.append(_line(name, value))
        if not self.keep_alive and not told:
            lines.append(b"connection: close\r\n")
        if length is None:
            length = 0
            if self.scope["method"] != "HEAD" and status not in _NO_BODY:
                self._chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
        self._left = length
        lines.append(b"\r\n")
        return b"".join(lines)

    def _send_body(self, body: bytes, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body, self._left = b"", 0
        elif self._chunked:
            if body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            if not more:
                body += b"0\r\n\r\n"
        else:
            self._left -= len(body)
            if self._left < 0:
                raise RuntimeError("an answer is longer than its head says")
        if not more and self._left:
            raise RuntimeError("an answer is shorter than its head says")
        head, self._head = self._head, b""
        self._carrier.hold(head + body if head else body)
        if more:
            self._carrier.flush()
            return
        self.is_complete = True
        self.wake()
        if self.keep_alive:
            self._carrier.flush()
        else:
            self._carrier.end()
        self._carrier.answered()


@lru_cache(maxsize=1024)
def _line(name: bytes, value: bytes) -> bytes:
    """Write a header; most are those of the answers before."""
    line = b"%b: %b\r\n" % (name, value)
    if _HEADER.fullmatch(line) is None:
        raise RuntimeError(f"an answer has the header {name!r}: {value!r}")
    return line


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip().lower() for token in value.split(b",")]
