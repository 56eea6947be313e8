"""The management listener: status pages and API, in the server's parent process.

On loopback it speaks plain HTTP. Beyond loopback it speaks TLS with a certificate of
its own, and shows no page: pages have no log-in. A renewed certificate is read by
itself, for the next connection; one that cannot be used leaves the old one in use.
"""

import contextlib
import logging
import os
import socket
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from linekey.certs.certificate import Certificate
from linekey.console.api.app import PREFIX, make_api
from linekey.console.api.desk import Desk
from linekey.console.api.guard import MAX_BODY
from linekey.console.source import StoreSource
from linekey.console.status import StatusPages
from linekey.endpoint import host_port
from linekey.errors import LinekeyError
from linekey.server import counters as numbers
from linekey.server.counters import Counters, metrics_registry
from linekey.server.preflight.checks import read_chain, read_key
from linekey.server.worker_state import ready
from linekey.settings import LimitSettings, Settings, is_loopback
from linekey.store.database import Database
from linekey.tls.context import Identity, ServerContext, server_context
from linekey.tls.engine import ServerEngine
from linekey.tls.hello import ClientHello
from linekey.tls.policy import MODERN, Policy
from linekey.wire.asgi_edge import Edge
from linekey.wire.door.listener import Door
from linekey.wire.door.refusal import Refusal
from linekey.wire.http_server import HttpServer

_log = logging.getLogger("linekey.status")

_LIMITS = LimitSettings(half_open=64, connections=256, body_bytes=2 * MAX_BODY)
"""The API's own bound of a body is half of that, and says so in its own words."""


class ManagementServer:
    """Serves pages and API; a context manager. ``listener`` stays the caller's.

    ``url`` is where phones reach the server, ``certificate`` its certificate now.
    Raises LinekeyError for a listener beyond loopback without certificate and key.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        listener: socket.socket,
        *,
        url: str,
        certificate: Callable[[], Certificate],
        counters: Counters,
        clock: Callable[[], datetime],
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        host, port = listener.getsockname()[:2]
        here = is_loopback(str(host))
        status = settings.status
        tls = None
        if status.certificate is not None and status.key is not None:
            folder = database.state.root
            tls = _Tls(folder / status.certificate, folder / status.key)
        if not here and tls is None:
            raise LinekeyError(
                f"the API may not listen on {host!r} without TLS: its tokens could be "
                "read on the way",
                hint="set status.certificate and status.key, or status.host to "
                "127.0.0.1",
            )
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://{host_port(str(host), port)}/"
        self.api_url: str | None = None
        """Where the API is, without a slash at its end; None: there is none."""
        self._stack = contextlib.AsyncExitStack()
        source = StoreSource(
            database,
            url=url,
            certificate=certificate,
            started_at=clock(),
            is_short_of_room=lambda: counters.total(numbers.SHORT_OF_ROOM) > 0,
        )
        self._stack.callback(source.close)
        api = None
        if settings.api.enabled:
            desk = Desk(
                database, clock=clock, public_url=url, ready=partial(ready, counters)
            )
            self._stack.callback(desk.close)
            api = make_api(desk, settings.api)
            self.api_url = self.url.rstrip("/") + PREFIX
        pages = StatusPages(
            source,
            ready=partial(ready, counters),
            clock=clock,
            registry=metrics_registry(counters, certificate, clock, refresh),
            api=api,
            shown=here,
        )
        app = Edge(pages.app, _log)
        self._server: Door | HttpServer
        if tls is None:
            self._server = HttpServer(
                uvicorn.Config(
                    app,
                    http="h11",  # which hands the target on as it came
                    log_config=None,
                    access_log=False,
                    lifespan="off",
                    ws="none",
                    proxy_headers=False,
                    server_header=False,
                    timeout_graceful_shutdown=1,
                ),
                listener,
            )
        else:
            self._server = Door(
                app,
                tls.engine_for,
                listener,
                limits=_LIMITS,
                certificate=lambda: tls.leaf,
                on_refused=_note_refused,
                drain_s=1.0,
            )

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._server)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()


class _Tls:
    """The listener's certificate and key, read again when their files change."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._stamp = self._look()
        self._context, self.leaf = self._read()

    def _look(self) -> tuple[object, ...]:
        try:
            found = [os.stat(path) for path in self._files]
        except OSError:
            return ()
        return tuple((s.st_ino, s.st_size, s.st_mtime_ns) for s in found)

    def _read(self) -> tuple[ServerContext, Certificate]:
        chain = read_chain(self._files[0])
        context = server_context(
            Identity(chain, read_key(self._files[1], chain)),
            MODERN,
            verify=None,
            alpn=("http/1.1",),
            session_id_context=b"linekey management",
        )
        return context, chain[0]

    def engine_for(self, policy: Policy, hello: ClientHello) -> ServerEngine:
        """Make the engine of a connection; whatever the hello, no old TLS."""
        if (stamp := self._look()) != self._stamp:
            self._stamp = stamp
            try:
                self._context, self.leaf = self._read()
            except LinekeyError as error:
                _log.error(
                    "the API keeps its old certificate: %s (%s)",
                    error.message,
                    error.hint,
                )
        return ServerEngine(self._context, hello=hello)


async def _note_refused(refusals: list[Refusal], dropped: int) -> None:
    for refusal in refusals:
        _log.info("the API refused %s: %s", refusal.peer[0], refusal.reason)
    if dropped:
        _log.info("the API refused %d more", dropped)
