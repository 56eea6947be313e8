"""The door behind a proxy: plain HTTP, for the proxies alone.

uvicorn with h11, whose parser bounds a request's head. Who may come in is decided for
each request by ``net.proxy.BehindProxy``; what a phone may do to a server (slow
handshakes, thousands of idle connections) is the proxy's to bound, since phones do not
get here. It shows the same numbers as ``net.door.Door``; those of TLS are 0.
"""

import socket
from typing import Any

import uvicorn

from linekey.net.http_server import HttpServer
from linekey.net.proxy import App
from linekey.net.unix_socket import address_of
from linekey.settings import LimitSettings


class PlainDoor(HttpServer):
    """An HTTP server for one ASGI application; an async context manager.

    ``listener`` is a bound socket (``net.door.bind``, ``net.unix_socket``); it stays
    the caller's.
    """

    half_open = 0
    """Always: there is no handshake here."""
    shed_count = 0
    """Always."""

    def __init__(
        self,
        app: App,
        listener: socket.socket,
        *,
        limits: LimitSettings,
        drain_s: float = 5.0,
    ) -> None:
        self.address = address_of(listener)
        """Host and port; of a Unix socket its path and 0."""
        self.accepted = self.completed = 0
        self._app = app
        super().__init__(
            uvicorn.Config(
                self._counted,
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
                timeout_graceful_shutdown=int(drain_s),
            ),
            listener,
            most=limits.connections,
        )

    async def _counted(self, scope: Any, receive: Any, send: Any) -> None:
        self.accepted += 1
        self.completed += 1
        await self._app(scope, receive, send)
