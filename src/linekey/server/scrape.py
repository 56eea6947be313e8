"""The numbers for Prometheus on a listener of their own: ``/metrics``, with a token.

Nothing else is here, so a monitoring network needs to reach nothing else. On loopback
it speaks plain HTTP, beyond it TLS only. The token is in a file, which is made at the
first start and read anew for each request: it is good while the database is in trouble,
which is when the numbers matter, and it is changed by changing the file.
"""

import contextlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from linekey.certs.certificate import Certificate
from linekey.console.source import StoreSource
from linekey.console.watch import Watch
from linekey.endpoint import host_port, is_loopback, parse_endpoint
from linekey.errors import InputError, LinekeyError
from linekey.server.counters import Counters
from linekey.server.metrics import numbers_now
from linekey.server.side_listener import ListenerTls, side_server
from linekey.settings import LimitSettings, MetricsSettings, Settings
from linekey.store.database import Database
from linekey.wire.asgi_edge import Edge
from linekey.wire.door.listener import bind

_log = logging.getLogger("linekey.metrics")
_LIMITS = LimitSettings(half_open=16, connections=64, body_bytes=0)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,256}=*", re.ASCII)
_TOKEN_BYTES = 1_024


def token_path(settings: MetricsSettings, folder: Path) -> Path:
    """Where the token is."""
    return folder / settings.token_file


def ensure_token(path: Path) -> str:
    """Return the token, and make the file with a new one where there is none.

    Raises InputError for a file that cannot be read, or whose text is no token.
    """
    try:
        with contextlib.suppress(FileExistsError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(path, flags, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
        return read_token(path)
    except OSError as error:
        raise InputError(
            f"metrics.token_file: cannot read {str(path)!r}: "
            f"{(error.strerror or str(error)).lower()}",
            hint="let this user read it, or delete it: a new one is made at the start",
        ) from None


def read_token(path: Path) -> str:
    """Read a token's file. Raises OSError, and InputError for what is none."""
    with path.open("rb") as file:
        text = file.read(_TOKEN_BYTES).decode("latin-1").strip()
    if not _TOKEN.fullmatch(text):
        raise InputError(
            f"metrics.token_file: {str(path)!r} holds no token",
            hint="write one line of 16 to 256 letters, digits and -._~+/; or delete "
            "the file: a new one is made at the start",
        )
    return text


class ScrapeServer:
    """Serves ``/metrics``; an async context manager, which does nothing unless
    ``metrics.listen`` is set. ``watch`` stays the caller's.

    Raises LinekeyError for an address that cannot be had, or without TLS beyond
    loopback, and for a token that is none.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        chain: Callable[[], Sequence[Certificate]],
        counters: Counters,
        watch: Watch,
        clock: Callable[[], datetime],
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings.metrics
        self._database = database
        self._chain, self._counters, self._watch = chain, counters, watch
        self._clock, self._refresh = clock, refresh
        self._started_at = clock()
        self._stack = contextlib.AsyncExitStack()
        self._source: StoreSource | None = None
        self._token = token_path(self._settings, database.state.root)
        self.url: str | None = None
        """Where the numbers are; None: nowhere."""

    async def __aenter__(self) -> Self:
        if self._settings.listen:
            async with contextlib.AsyncExitStack() as stack:
                await self._start(stack)
                self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        settings, folder = self._settings, self._database.state.root
        host, port = parse_endpoint(settings.listen)
        tls = None
        if settings.certificate is not None and settings.key is not None:
            tls = ListenerTls(folder / settings.certificate, folder / settings.key)
        if tls is None and not is_loopback(host):
            raise LinekeyError(
                f"the numbers may not be given on {host!r} without TLS: their token "
                "could be read on the way",
                hint="set metrics.certificate and metrics.key, or metrics.listen to a "
                "loopback address",
            )
        ensure_token(self._token)
        listener = bind(host, port)
        stack.callback(listener.close)
        source = StoreSource(
            self._database,
            url="",
            certificate=lambda: self._chain()[0],
            started_at=self._started_at,
        )
        stack.callback(source.close)
        self._source = source
        server = side_server(Edge(self._answer, _log), listener, tls, _LIMITS)
        await stack.enter_async_context(server)
        scheme = "http" if tls is None else "https"
        port = listener.getsockname()[1]
        self.url = f"{scheme}://{host_port(host, port)}/metrics"
        _log.info("numbers for Prometheus: %s (token: %s)", self.url, self._token)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        request = Request(scope)
        await (await self._respond(request))(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            wanted = read_token(self._token)
        except (OSError, InputError) as error:
            _log.error("nobody can have the numbers: %s", error)
            return _refusal(503, "the token's file cannot be read; see the log")
        given = request.headers.getlist("authorization")
        kind, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        good = hmac.compare_digest(token.strip().encode("latin-1"), wanted.encode())
        if kind.lower() != "bearer" or not good:
            challenge = {"www-authenticate": 'Bearer realm="linekey metrics"'}
            return _refusal(401, "a token is needed: metrics.token_file", challenge)
        if request.method not in ("GET", "HEAD"):
            return _refusal(405, "only GET and HEAD", {"allow": "GET, HEAD"})
        if request.url.path != "/metrics":
            return _refusal(404, "here is /metrics")
        return Response(await self._numbers(), media_type=CONTENT_TYPE_LATEST)

    async def _numbers(self) -> bytes:
        assert self._source is not None
        self._refresh()
        return await numbers_now(
            self._counters,
            self._source,
            started_at=self._started_at,
            not_after=self._chain()[0].not_after,
            outlook=self._watch.latest(),
            now=self._clock(),
        )


def _refusal(
    status: int, said: str, headers: dict[str, str] | None = None
) -> PlainTextResponse:
    return PlainTextResponse(f"{said}\n", status, headers)
