"""The management listener: status pages, console and API, in the server's parent.

On loopback it speaks plain HTTP. Beyond loopback it speaks TLS with a certificate of
its own (``side_listener``), and shows no status page, which has no log-in.
"""

import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from linekey.certs.certificate import Certificate
from linekey.console.api.app import PREFIX, api_app, make_api
from linekey.console.api.desk import Desk
from linekey.console.api.guard import MAX_BODY
from linekey.console.forecasting import ServedHere, served_here
from linekey.console.source import StoreSource
from linekey.console.status import StatusPages
from linekey.console.watch import Watch
from linekey.console.web.app import make_console
from linekey.console.web.parts import Parts
from linekey.endpoint import host_port, is_loopback
from linekey.errors import LinekeyError
from linekey.provisioning.expired import Expired
from linekey.server import counters as numbers
from linekey.server.counters import Counters
from linekey.server.log_indexing import LogIndexing
from linekey.server.metrics import numbers_now
from linekey.server.side_listener import ListenerTls, side_server
from linekey.server.worker_state import ready
from linekey.settings import LimitSettings, Settings
from linekey.store.database import Database
from linekey.store.users import CONSOLE
from linekey.trust.anchors import NO_ANCHORS, Anchors
from linekey.trust.findings import Finding
from linekey.wire.asgi_edge import Edge

_log = logging.getLogger("linekey.status")

_LIMITS = LimitSettings(half_open=64, connections=256, body_bytes=2 * MAX_BODY)
"""The API's own bound of a body is half of that, and says so in its own words."""


class ManagementServer:
    """Serves pages and API; a context manager. ``listener`` stays the caller's.

    ``url`` is where phones reach the server, ``chain`` its certificate now. ``watch``
    stays the caller's, too.
    Raises LinekeyError for a listener beyond loopback without certificate and key.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        listener: socket.socket,
        *,
        url: str,
        chain: Callable[[], Sequence[Certificate]],
        counters: Counters,
        clock: Callable[[], datetime],
        refresh: Callable[[], None] = lambda: None,
        findings: Callable[[], Sequence[Finding]] | None = None,
        watch: Watch | None = None,
        served: ServedHere | None = None,
        anchors: Callable[[], Anchors] = lambda: NO_ANCHORS,
    ) -> None:
        host, port = listener.getsockname()[:2]
        here = is_loopback(str(host))
        status = settings.status
        tls = None
        if status.certificate is not None and status.key is not None:
            folder = database.state.root
            tls = ListenerTls(folder / status.certificate, folder / status.key)
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
        self.console_url: str | None = None
        """Where the console is; None: there is none."""
        self._stack = contextlib.AsyncExitStack()

        def certificate() -> Certificate:
            return chain()[0]

        expired = Expired(settings.rules.expired_certificates)

        def is_short_of_room() -> bool:
            return counters.total(numbers.SHORT_OF_ROOM) > 0

        served = served or partial(served_here, settings.names, lambda: (chain(),))
        source = StoreSource(
            database,
            url=url,
            certificate=certificate,
            started_at=clock(),
            is_short_of_room=is_short_of_room,
            expired=expired,
        )
        self._stack.callback(source.close)
        started_at = clock()
        if watch is None:
            watch = Watch(database, served, clock, expired)
            self._stack.callback(watch.close)

        async def metrics() -> bytes:
            refresh()
            return await numbers_now(
                counters,
                source,
                started_at=started_at,
                not_after=certificate().not_after,
                outlook=watch.latest(),
                now=clock(),
            )

        desk = Desk(
            database,
            clock=clock,
            public_url=url,
            ready=partial(ready, counters),
            metrics=metrics,
            served=served,
            anchors=anchors,
            findings=findings,
            watch=watch,
            expired=expired,
        )
        self._stack.callback(desk.close)
        inner = api_app(desk)
        api = make_api(desk, settings.api, inner) if settings.api.enabled else None
        if api is not None:
            self.api_url = self.url.rstrip("/") + PREFIX
        console = None
        if settings.console.enabled:
            base = settings.console.url or self.url.rstrip("/")
            self.console_url = f"{base}{CONSOLE}"
            parts = Parts(
                database=database,
                desk=desk,
                api=inner,
                settings=settings.console,
                base=base,
                folder=database.state.root,
                standing=source.standing,
            )
            console = make_console(parts, self._stack)
        pages = StatusPages(
            source,
            ready=partial(ready, counters),
            clock=clock,
            metrics=metrics,
            api=api,
            console=console,
            console_name=urlsplit(settings.console.url).hostname,
            shown=here,
        )
        self._indexing = None
        if settings.api.enabled or settings.console.enabled:  # who searches texts
            self._indexing = LogIndexing(database, is_short_of_room=is_short_of_room)
        self._server = side_server(Edge(pages.app, _log), listener, tls, _LIMITS)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._server)
        if self._indexing is not None:
            await self._stack.enter_async_context(self._indexing)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()
