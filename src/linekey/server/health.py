"""``/healthz`` and ``/readyz`` for a balancer, on a listener of their own.

``/healthz`` says that this process lives and answers; ``/readyz`` whether phones can be
served now: 200 or 503, with the reason. Plain HTTP, since it says nothing worth hiding,
and nothing else is here: no page, no metric.

Rules: whoever reaches it costs little: one request a connection, whole within
``REQUEST_S``, ``MAX_CONNECTIONS`` at once, of which the oldest gives way.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from math import inf
from types import TracebackType
from typing import Any, Self

import h11

from linekey.endpoint import host_port
from linekey.wire.faults import log_fault
from linekey.wire.readiness import Readiness
from linekey.wire.unix_socket import address_of

_log = logging.getLogger("linekey.health")

REQUEST_S = 5.0
MAX_CONNECTIONS = 64
_HEAD_BYTES = 4096

Ready = Callable[[], Awaitable[Readiness]]


def health_url(listener: socket.socket) -> str:
    """Where it is, with a slash at its end."""
    host, port = address_of(listener)
    return f"http://{host_port(host, port)}/"


class HealthServer:
    """Answers balancers on ``listener``, which stays the caller's."""

    def __init__(self, listener: socket.socket, ready: Ready) -> None:
        self._listener = listener
        self._ready = ready
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, None] = {}
        self._asked_at: float | None = None

    @property
    def asked_s(self) -> float:
        """How many seconds ago somebody asked for ``/readyz``; inf: nobody ever."""
        if self._asked_at is None:
            return inf
        return asyncio.get_running_loop().time() - self._asked_at

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, sock=self._listener.dup(), limit=_HEAD_BYTES
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            next(iter(self._open)).transport.abort()
        self._open[writer] = None
        try:
            async with asyncio.timeout(REQUEST_S):
                await self._answer(reader, writer)
        except (TimeoutError, OSError):
            pass  # who sends nothing, or reads nothing, or left
        finally:
            self._open.pop(writer, None)
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
        try:
            while (event := http.next_event()) is h11.NEED_DATA:
                http.receive_data(await reader.read(_HEAD_BYTES))
        except h11.RemoteProtocolError as error:
            status, document = error.error_status_hint, {"error": "not HTTP"}
            method = b"GET"
        else:
            if not isinstance(event, h11.Request):
                return  # closed without a word, as TCP checks do
            method = event.method
            status, document = await self._decide(event)
        body = json.dumps(document).encode() + b"\n"
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("connection", "close"),
        ]
        if status == 405:
            headers.append(("allow", "GET, HEAD"))
        sent = http.send(h11.Response(status_code=status, headers=headers)) or b""
        writer.write(sent if method == b"HEAD" else sent + body)
        await writer.drain()

    async def _decide(self, request: h11.Request) -> tuple[int, dict[str, Any]]:
        if request.method not in (b"GET", b"HEAD"):
            return 405, {"error": "only GET and HEAD"}
        path = request.target.partition(b"?")[0]
        if path == b"/healthz":
            return 200, {"status": "ok"}
        if path != b"/readyz":
            return 404, {"error": "here are /healthz and /readyz"}
        self._asked_at = asyncio.get_running_loop().time()
        try:
            found = await self._ready()
        except Exception as error:  # noqa: BLE001 - not ready, and told
            log_fault(_log, "readiness is not known", error)
            return 503, {"status": "not ready", "cause": "fault"}
        return (200 if found.ready else 503), found.as_json()
