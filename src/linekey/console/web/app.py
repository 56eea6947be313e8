"""The console as one ASGI application, to stand under ``/console/``.

Rules: nothing but log-in answers who is not logged in; a POST needs the word of a page
of ours; a page loads nothing from elsewhere and runs no script but one file; trouble
with the database is a page that says so.
"""

import contextlib
import logging
import zoneinfo
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Scope, Send

from linekey.console.api.problems import PROBLEMS, ProblemError
from linekey.console.web import (
    authorities,
    changes,
    decisions,
    forecast,
    layers,
    log_in,
    oidc,
    overview,
    pending,
    phone,
    phones,
    users,
)
from linekey.console.web.cookies import Cookies
from linekey.console.web.entry import Entry
from linekey.console.web.forms import (
    WORD,
    Form,
    FormError,
    is_from_here,
    is_word,
    read_form,
)
from linekey.console.web.language import choose, environment, languages
from linekey.console.web.parts import Parts
from linekey.console.web.route import Route
from linekey.console.web.visit import ProofWantedError, Visit, url
from linekey.errors import InputError
from linekey.said import mark
from linekey.store.users import CONSOLE
from linekey.wire.asgi_edge import Edge, Page, Trouble

_log = logging.getLogger("linekey.console")

ROUTES: tuple[Route, ...] = tuple(
    route
    for module in (
        log_in, oidc, overview, phones, phone, pending, decisions, forecast, layers,
        authorities, changes, users,
    )
    for route in module.ROUTES
)  # fmt: skip
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # Not "no-referrer": with that, forms of ours would come from "Origin: null".
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_ASSETS = {
    "style.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_STALE = mark("This page is too old, or was not one of ours: load it again.")
_FROM_ELSEWHERE = mark("Another website sent this form.")


def make_console(parts: Parts, stack: contextlib.AsyncExitStack) -> ASGIApp:
    """Return the console; ``stack`` closes it."""
    entry = Entry(parts.database, parts.settings)
    stack.callback(entry.close)
    return Console(parts, entry).app


class Console:
    """The pages over their parts; ``app`` is the ASGI application."""

    def __init__(self, parts: Parts, entry: Entry) -> None:
        self._parts, self._entry = parts, entry
        self._cookies = Cookies(parts)
        zone = zoneinfo.ZoneInfo(parts.settings.time_zone)
        self._languages = languages(zone)
        self._templates = {
            code: environment(language) for code, language in self._languages.items()
        }
        paths = [Path("/", _to_console), Path(CONSOLE.rstrip("/"), _to_console)]
        paths += [Path(f"{CONSOLE}{n}", _asset(n, k)) for n, k in _ASSETS.items()]
        for route in ROUTES:
            methods = [
                name for name, how in (("GET", route.get), ("POST", route.post)) if how
            ]
            here = f"{CONSOLE}{route.path}"
            paths.append(Path(here, self._endpoint(route), methods=methods))
        inner = Starlette(
            routes=paths,
            exception_handlers={HTTPException: self._http},
            middleware=[Middleware(Edge, _log, page=self._trouble)],
        )
        inner.router.redirect_slashes = False
        self.app: ASGIApp = _headed(inner)

    def _endpoint(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            visit, is_new = await self._visit(request)
            try:
                answer = await self._answer(route, visit)
            except ProofWantedError as wanted:
                answer = visit.to("proof", next=wanted.path)
            except FormError as error:
                answer = _say(visit, error.status, error.why, "")
            except ProblemError as error:
                status = PROBLEMS[error.code].status
                answer = _say(visit, status, error.detail, error.cure, error.words)
            except InputError as error:
                answer = _say(visit, 422, error.message, error.hint)
            if is_new:
                self._cookies.set_visitor(answer, visit.cookie)
            return answer

        return endpoint

    async def _answer(self, route: Route, visit: Visit) -> Response:
        request, is_post = visit.request, visit.request.method == "POST"
        if visit.session is None and not route.is_open:
            path = request.url.path if is_post else _whole(request)
            return visit.to(
                "log-in", next=path, ended=self._cookies.session(request) and 1
            )
        if is_post:
            if not is_from_here(request, self._parts.base):
                raise FormError(403, _FROM_ELSEWHERE)
            visit.form = await read_form(request)
            if not is_word(visit.cookie, visit.form.get(WORD)):
                raise FormError(403, _STALE)
        if route.is_keepers and not visit.is_keeper:
            raise FormError(403, mark("This is for administrators of all phones."))
        handler = route.post if is_post else route.get
        assert handler is not None
        return await handler(visit)

    async def _visit(self, request: Request) -> tuple[Visit, bool]:
        token = self._cookies.session(request)
        session = await self._entry.session(token, self._parts.desk.clock())
        cookie, is_new = token, False
        if session is None:
            cookie = self._cookies.visitor(request)
            if not cookie:
                cookie, is_new = self._cookies.new_visitor(), True
        wanted = session.user.language if session else None
        return self._made(request, cookie, wanted, session), is_new

    def _made(
        self, request: Request, cookie: str, wanted: str | None = None,
        session: Any = None,
    ) -> Visit:  # fmt: skip
        header = request.headers.get("accept-language", "")
        code = choose(header, wanted or self._cookies.language(request))
        return Visit(
            request, self._parts, self._entry, self._languages[code],
            self._templates[code], cookie, session, Form([]),
        )  # fmt: skip

    async def _http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        visit, _ = await self._visit(request)
        if visit.session is None:
            return visit.to("log-in")
        told = {404: mark("There is no such page."), 405: mark("Not like that.")}
        why = told.get(error.status_code, str(error.detail))
        answer = _say(visit, error.status_code, why, "")
        answer.headers.update(error.headers or {})
        return answer

    def _trouble(self, scope: Scope, trouble: Trouble) -> Page:
        """The page for what is 503. Who is not in may learn no more than that."""
        visit = self._made(Request(scope), "")
        answer = visit.page(
            "error.html", visit.t("Not now"), 503,
            foreign=False,
            message=visit.t("The database, or linekey itself, is in trouble."),
            cure=visit.t("Find the cause in the server's log."),
        )  # fmt: skip
        return Page(bytes(answer.body), answer.headers["content-type"].encode())


def _say(
    visit: Visit,
    status: int,
    message: str,
    cure: str,
    words: Mapping[str, Any] | None = None,
) -> Response:
    title = visit.t("Not found") if status == 404 else visit.t("That did not work")
    # What a browser cannot send, and trouble of other programs, is told in English.
    shown, foreign = visit.language.in_words(message, words)
    how, _ = visit.language.in_words(cure, words)
    return visit.page(
        "error.html", title, status, message=shown, cure=how, foreign=foreign
    )


def _whole(request: Request) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


async def _to_console(request: Request) -> Response:
    return RedirectResponse(url(""), 303)


def _asset(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    folder = "linekey.console" if name != "console.js" else "linekey.console.web"
    text = (files(folder) / "templates" / name).read_text(encoding="utf-8")

    async def asset(request: Request) -> Response:
        return Response(text, media_type=kind)

    return asset


def _headed(app: ASGIApp) -> ASGIApp:
    added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def headed(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                there = [h for h in message["headers"] if h[0].decode() not in _HEADERS]
                message["headers"] = [*there, *added]
            await send(message)

        await app(scope, receive, send_with_headers)

    return headed
