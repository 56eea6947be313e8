"""The door behind a proxy: plain HTTP, for the proxies alone.

uvicorn with h11, whose parser bounds a request's head. Who may come in is decided for
each request by ``server.proxy.BehindProxy``; what a phone may do to a server (slow
handshakes, thousands of idle connections) is the proxy's to bound, since phones do not
get here. It shows the same numbers as ``listener.Door``; those of TLS are 0. What is
no HTTP is named for the record: a proxy that speaks TLS to its backend, for one. What
goes wrong is 503, and ``on_trouble`` is told its cause (``wire.asgi_edge``).
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil
from typing import Any

import uvicorn

from linekey.errors import StorageError
from linekey.server.proxy import App, OnRefused
from linekey.settings import LimitSettings
from linekey.tls.strangers import explain_no_http
from linekey.wire.asgi_edge import Edge
from linekey.wire.door.listener import WORDLESS_S
from linekey.wire.door.refusal import Refusal, cure_of
from linekey.wire.http_server import HttpServer
from linekey.wire.unix_socket import address_of

_log = logging.getLogger("linekey.door")

_MOST_AT_ONCE = 100
"""So many are put on record at once; a flood of them is told by its first."""


class PlainDoor(HttpServer):
    """An HTTP server for one ASGI application; an async context manager.

    ``listener`` is a bound socket (``listener.bind``, ``wire.unix_socket``); it stays
    the caller's. ``on_refused`` puts what is no HTTP on record. ``last``: nobody
    listens on after this door, so whoever waits in the backlog at its end is served,
    too, and ``listener`` is closed.
    """

    half_open = 0
    """Always: there is no handshake here."""
    shed_count = 0
    """Always."""

    @staticmethod
    def more_come() -> bool:
        """Whether somebody may ask at any moment: nobody knows what a proxy holds."""
        return True

    def __init__(
        self,
        app: App,
        listener: socket.socket,
        *,
        limits: LimitSettings,
        on_refused: OnRefused | None = None,
        on_trouble: Callable[[str], None] = lambda cause: None,
        drain_s: float = 5.0,
        last: bool = False,
    ) -> None:
        self.address = address_of(listener)
        """Host and port; of a Unix socket its path and 0."""
        self.accepted = self.completed = 0
        self._app = app
        self._on_refused = on_refused
        self._telling: set[asyncio.Task[None]] = set()
        super().__init__(
            uvicorn.Config(
                Edge(self._counted, _log, on_trouble=on_trouble),
                http="h11",
                h11_max_incomplete_event_size=2 * limits.header_bytes,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # net.proxy reads them, and no one else
                server_header=False,
                backlog=limits.backlog,
                # A proxy keeps its connections; it closes them when it has no use.
                timeout_keep_alive=max(60, int(limits.keep_alive_s)),
                timeout_graceful_shutdown=max(1, ceil(drain_s)),
            ),
            listener,
            most=limits.connections,
            last=last,
            wordless_s=WORDLESS_S,
        )

    def leave(self) -> None:
        """Let answers close their connections from now on: this server ends soon."""
        closes = (b"connection", b"close")
        headers = self._server.config.encoded_headers
        if closes not in headers:  # uvicorn puts them into each answer
            headers.append(closes)

    async def _counted(self, scope: Any, receive: Any, send: Any) -> None:
        self.accepted += 1
        self.completed += 1
        await self._app(scope, receive, send)

    def brought_no_http(self, peer: tuple[str, int] | None, first: bytes) -> None:
        """Put it on record, with what it is and how to cure it."""
        if self._on_refused is None or len(self._telling) >= _MOST_AT_ONCE:
            return
        reason, cure = explain_no_http(first)
        refusal = Refusal(
            kind="request",
            at=datetime.now(UTC),
            peer=peer or ("unix", 0),
            code="request.not_http",
            reason=reason,
            cure=cure or cure_of("request.not_http"),
            status=400,
        )
        telling = self._tell(self._on_refused, refusal)
        task = asyncio.get_running_loop().create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    @staticmethod
    async def _tell(on_refused: OnRefused, refusal: Refusal) -> None:
        try:
            await on_refused(refusal)
        except StorageError as error:
            _log.error("a refusal is not on record: %s", error.message)

    async def __aexit__(self, *left: Any) -> None:
        await super().__aexit__(*left)
        await asyncio.gather(*self._telling)
