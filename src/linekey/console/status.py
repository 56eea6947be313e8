"""The status page: who was here, what was decided, what is about to expire.

It is for the operator at this machine. It listens on loopback only, has no log-in and
changes nothing. It is in English or German, as the browser asks for it; every page has
a JSON twin at the same path with ``.json``, which is English.

Where the facts cannot be read, it is 503 with a page that says why.

Rules: no page loads anything from elsewhere and none runs a script (the CSP says so);
a request whose Host, read whole, is not a loopback name is refused, so that no website
can read the page through a name that it points at 127.0.0.1 (DNS rebinding); nothing
shown is secret (see ``console.facts``).
"""

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from linekey.console.api.app import PREFIX
from linekey.console.facts import StatusSource
from linekey.console.web.language import choose, environment, languages
from linekey.console.web.reasons import why
from linekey.endpoint import is_loopback
from linekey.errors import InputError, PeerError
from linekey.mac import parse_mac
from linekey.reasons import sentence
from linekey.said import mark
from linekey.store.users import CONSOLE
from linekey.wire.asgi_edge import Edge, Page, Trouble
from linekey.wire.readiness import Readiness
from linekey.wire.request_head import Host, place_target, read_host, target_of

PAGES = (
    ("/", mark("Overview")),
    ("/phones", mark("Phones")),
    ("/decisions", mark("Decisions")),
    ("/authorities", mark("Vendor CAs")),
)
_log = logging.getLogger("linekey.status")

MAX_LINES = 200
"""Lines on one page; ``linekey log`` shows all."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Clock = Callable[[], datetime]


def moment(when: datetime) -> str:
    """Write a time as ``2026-11-23 04:05:06`` in UTC."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


class _Hosts:
    """Sends calls to the API, requests to the console, and to the status pages those
    that name a loopback address."""

    def __init__(
        self,
        pages: ASGIApp,
        api: ASGIApp | None,
        console: ASGIApp | None,
        console_name: str | None,
        shown: bool,
    ) -> None:
        self._pages, self._api, self._shown = pages, api, shown
        self._console, self._console_name = console, console_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        try:
            host = read_host(scope["http_version"], scope["headers"])
        except PeerError as error:
            await _refuse(400, error.message, "send one Host")(scope, receive, send)
            return
        # In absolute form the target says which host is meant (RFC 9112 §3.2.2).
        host = place_target(scope, target_of(scope)) or host
        app = self._pages
        if self._api and f"{scope['path']}/".startswith(f"{PREFIX}/"):
            # Whom it answers, its tokens say, whatever the name it was called by.
            app, scope["root_path"] = self._api, PREFIX
        elif self._console and self._is_for_console(scope["path"]):
            # Beyond loopback it asks for a log-in, by whatever name it is called.
            name = None if host is None else host.name.lower()
            if self._shown and name != self._console_name and not _is_here(host):
                refusal = _refuse(
                    421,
                    "the console does not have this name",
                    "open it at a loopback address, or set console.url",
                )
                await refusal(scope, receive, send)
                return
            await self._console(scope, receive, send)
            return
        elif not self._shown:
            refusal = _refuse(
                403,
                "the status page is shown on loopback only: it has no log-in",
                "set status.host to 127.0.0.1 to see it, or use the API: /api/v1",
            )
            await refusal(scope, receive, send)
            return
        elif not _is_here(host):
            refusal = _refuse(
                421,
                "this page answers loopback names only",
                "open it as http://127.0.0.1:PORT/ or http://localhost:PORT/",
            )
            await refusal(scope, receive, send)
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    *((n.lower().encode(), v.encode()) for n, v in _HEADERS.items()),
                ]
            await send(message)

        await app(scope, receive, send_with_headers)

    def _is_for_console(self, path: str) -> bool:
        """The console's own, and where there is no status page the first one."""
        return f"{path}/".startswith(CONSOLE) or (path == "/" and not self._shown)


def _is_here(host: Host | None) -> bool:
    return host is not None and is_loopback(host.name)


def _refuse(status: int, message: str, hint: str) -> JSONResponse:
    return JSONResponse(
        {"error": message, "hint": hint}, status_code=status, headers=_HEADERS
    )


class StatusPages:
    """The pages over one source; ``app`` is the ASGI application.

    ``api`` and ``console`` stand beside them, under their prefixes; without ``shown``
    alone. ``console_name`` is a name that the console has beside those of loopback.
    """

    def __init__(
        self,
        source: StatusSource,
        *,
        clock: Clock,
        metrics: Callable[[], Awaitable[bytes]] | None = None,
        ready: Callable[[], Awaitable[Readiness]] | None = None,
        api: ASGIApp | None = None,
        console: ASGIApp | None = None,
        console_name: str | None = None,
        shown: bool = True,
    ) -> None:
        self._source = source
        self._clock = clock
        self._text_of_metrics = metrics
        self._ready = ready
        self._console = "" if console is None else CONSOLE
        self._languages = languages(UTC)
        self._templates = {
            code: environment(language, "linekey.console")
            for code, language in self._languages.items()
        }
        for code, templates in self._templates.items():
            templates.filters.update(
                moment=moment, why=partial(why, language=self._languages[code])
            )
        folder = files("linekey.console") / "templates"
        self._style = (folder / "style.css").read_text(encoding="utf-8")
        self._icon = (folder / "icon.svg").read_text(encoding="utf-8")
        routes = [
            Route("/style.css", self._asset(self._style, "text/css")),
            Route("/icon.svg", self._asset(self._icon, "image/svg+xml")),
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
        ]
        for path, _ in PAGES:
            name = path[1:] or "overview"
            method, twin = getattr(self, f"_{name}"), f"/{name}.json"
            routes += [Route(path, method), Route(twin, method)]
        pages: ASGIApp = Starlette(
            routes=routes,
            exception_handlers={
                HTTPException: self._error,
                InputError: self._input_error,
            },
            middleware=[Middleware(Edge, _log, page=self._trouble)],
        )
        self.app: ASGIApp = _Hosts(pages, api, console, console_name, shown)

    @staticmethod
    def _asset(text: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
        async def asset(request: Request) -> Response:
            return Response(text, media_type=kind)

        return asset

    async def _healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _readyz(self, request: Request) -> Response:
        if self._ready is None:
            raise HTTPException(404, "readiness is not known here")
        found = await self._ready()
        return JSONResponse(found.as_json(), status_code=200 if found.ready else 503)

    async def _metrics(self, request: Request) -> Response:
        if self._text_of_metrics is None:
            raise HTTPException(404, "metrics are off")
        return Response(
            await self._text_of_metrics(),
            headers={"Content-Type": CONTENT_TYPE_LATEST},
        )

    async def _overview(self, request: Request) -> Response:
        now = self._clock()
        overview = await self._source.overview(now)
        return self._answer(request, "/", "Overview", now, overview, o=overview)

    async def _phones(self, request: Request) -> Response:
        lines = await self._source.phones(MAX_LINES)
        return self._answer(
            request, "/phones", "Phones", self._clock(), {"phones": lines}, lines=lines
        )

    async def _decisions(self, request: Request) -> Response:
        refused = request.query_params.get("refused", "") in ("1", "true", "on")
        given = request.query_params.get("mac", "").strip()
        problem, mac = "", None
        if given:
            try:
                mac = str(parse_mac(given))
            except InputError as error:
                if request.url.path.endswith(".json"):
                    raise
                problem = f"{sentence(error.message)} {sentence(error.hint)}"
        lines = (
            []
            if problem
            else await self._source.decisions(mac=mac, refused=refused, limit=MAX_LINES)
        )
        return self._answer(
            request,
            "/decisions",
            "Decisions",
            self._clock(),
            {"decisions": lines},
            lines=lines,
            mac=given,
            refused=refused,
            problem=problem,
        )

    async def _authorities(self, request: Request) -> Response:
        now = self._clock()
        lines = await self._source.authorities(now)
        return self._answer(
            request,
            "/authorities",
            "Vendor CAs",
            now,
            {"authorities": lines},
            lines=lines,
        )

    async def _error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self._say_error(request, error.status_code, error.detail, "")

    async def _input_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, InputError)
        return self._say_error(request, 400, error.message, error.hint)

    def _trouble(self, scope: Scope, trouble: Trouble) -> Page:
        """The page for what is 503: the operator may see what a phone may not."""
        answer = self._say_error(Request(scope), 503, trouble.message, trouble.hint)
        return Page(bytes(answer.body), answer.headers["content-type"].encode())

    def _say_error(
        self, request: Request, status: int, message: str, hint: str
    ) -> Response:
        if request.url.path.endswith(".json"):
            return JSONResponse({"error": message, "hint": hint}, status_code=status)
        return self._page(
            request,
            "error.html",
            "",
            f"Error {status}",
            self._clock(),
            status,
            message=f"{sentence(message)} {sentence(hint)}",
        )

    def _answer(
        self,
        request: Request,
        path: str,
        title: str,
        now: datetime,
        plain: Any,
        **values: Any,
    ) -> Response:
        if request.url.path.endswith(".json"):
            return JSONResponse(to_plain(plain))
        name = f"{path[1:] or 'overview'}.html"
        return self._page(request, name, path, title, now, 200, **values)

    def _page(
        self,
        request: Request,
        template: str,
        here: str,
        title: str,
        now: datetime,
        status: int,
        **values: Any,
    ) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        twin = "/overview.json" if here in ("", "/") else f"{here}.json"
        code = choose(request.headers.get("accept-language", ""), None)
        text = (
            self._templates[code]
            .get_template(template)
            .render(
                pages=PAGES,
                here=here,
                console=self._console,
                title=self._languages[code].t(title),
                now=now,
                twin=f"{twin}{query}",
                request_path=f"{request.url.path}{query}",
                **values,
            )
        )
        return HTMLResponse(text, status_code=status)


def to_plain(value: Any) -> Any:
    """Turn the facts into what JSON holds; times are ISO 8601 in UTC."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_plain(item) for item in value]
    return value
