"""Who may call the API: tokens, scopes, rates and sizes, before any path is looked at.

Rules: without a good token everything is 401, also what is not there. What a call needs
is said by its method and path in ``wanted``, and by nothing else, so no path can be
forgotten: reading needs ``read``, three verbs and what is done with pending phones
``helpdesk``, all else ``admin``. What a token that is limited to groups may call at all
is listed in ``is_for_groups``; a path that is not listed there is not for it. A good
token is never kept out by somebody else's bad ones.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from math import ceil

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from linekey.console.api.problems import ProblemError
from linekey.said import say
from linekey.store.changes import Actor
from linekey.store.token_scope import Scope
from linekey.store.tokens import ApiToken

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request's body: a list of 100,000 MACs has some 1.5 million."""
MAX_KNOWN = 1024
"""Tokens and addresses whose rate is remembered; the one unused longest goes."""

_HELPDESK = re.compile(
    r"/devices/[^/]+/(?:revoke|restore|token)|/pending/(?:bulk|[^/]+/(?:approve|refuse))"
)
_PENDING = re.compile(r"/pending/[^/]+")
_CREDENTIALS = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)", re.ASCII)


def wanted(method: str, path: str) -> Scope:
    """Say which scope a call needs; ``path`` is what follows ``/api/v1``."""
    if method in ("GET", "HEAD", "OPTIONS") or (method, path) == ("POST", "/forecast"):
        return Scope.READ
    if method == "POST" and _HELPDESK.fullmatch(path):
        return Scope.HELPDESK
    if method == "DELETE" and _PENDING.fullmatch(path):
        return Scope.HELPDESK
    return Scope.ADMIN


_PHONE = "/devices/[^/]+"
_FOR_GROUPS = {
    "GET": rf"/openapi\.json|/health|/devices|{_PHONE}(?:/file|/settings)?"
    r"|/layers(?:/[^/]+)?|/groups(?:/[^/]+)?|/vendor-cas(?:/[^/]+)?"
    r"|/decisions(?:/counts)?|/changes|/forecast|/pending(?:/[^/]+)?",
    "PUT": rf"{_PHONE}|/layers/[^/]+",
    "PATCH": rf"{_PHONE}|/layers/[^/]+",
    "DELETE": rf"{_PHONE}|/pending/[^/]+",
    "POST": rf"/forecast|/devices/bulk|{_PHONE}/(?:revoke|restore|token|digest)"
    r"|/pending/(?:bulk|[^/]+/(?:approve|refuse))",
}


def is_for_groups(method: str, path: str) -> bool:
    """Whether a token that is limited to groups may call this at all."""
    calls = _FOR_GROUPS.get("GET" if method == "HEAD" else method)
    return calls is not None and re.fullmatch(calls, path) is not None


def check_allowed(
    who: str, scope: Scope, groups: frozenset[str] | None, method: str, path: str
) -> None:
    """Raise ProblemError unless ``who``, with this scope and groups, may call this."""
    need = wanted(method, path)
    if not scope.covers(need):
        raise ProblemError(
            "token.scope",
            say(
                "%(who)s has the scope %(scope)s, and this needs %(need)s",
                who=who,
                scope=scope.value,
                need=need.value,
            ),
        )
    if groups is not None and not is_for_groups(method, path):
        raise ProblemError("token.groups", say("%(who)s is limited to groups", who=who))


class Rates:
    """Calls a minute for each of some names; after a rest they may come at once."""

    def __init__(self, each_minute: int, clock: Callable[[], float]) -> None:
        self._most, self._clock = each_minute, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> int:
        """Count a call; return 0, or in how many seconds the next may come."""
        now, each_second = self._clock(), self._most / 60
        left, at = self._left.pop(name, (float(self._most), now))
        left = min(float(self._most), left + (now - at) * each_second)
        wait = 0 if left >= 1 else ceil((1 - left) / each_second)
        self._left[name] = (left if wait else left - 1, now)
        if len(self._left) > MAX_KNOWN:
            self._left.popitem(last=False)
        return wait


class Guard:
    """Lets a call through to ``app`` with its ``Actor`` and its token's groups in
    ``state``, or answers it.

    ``find`` looks a token up and notes its use; None: nobody has it. ``is_open`` are
    paths that need no token.
    """

    def __init__(
        self,
        app: ASGIApp,
        find: Callable[[str], Awaitable[ApiToken | None]],
        *,
        clock: Callable[[], datetime],
        each_minute: int,
        refused_each_minute: int,
        open_paths: frozenset[str] = frozenset(),
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._find, self._clock = app, find, clock
        self._rates = Rates(each_minute, ticks)
        self._refused = Rates(refused_each_minute, ticks)
        self._open = open_paths

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Check a call and hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        address = request.client.host if request.client else "a Unix socket"
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        try:
            if path not in self._open:
                token = await self._known(request, address)
                check_allowed(
                    f"the token {token.name!r}", token.scope, token.groups,
                    scope["method"], path,
                )  # fmt: skip
                state = scope.setdefault("state", {})
                state["actor"] = Actor(token.name, address)
                state["groups"] = token.groups
            if int(request.headers.get("content-length") or 0) > MAX_BODY:
                raise ProblemError("too_large", _TOO_LARGE)
        except ProblemError as error:
            await error.response()(scope, receive, send)
            return
        await self._app(scope, _bounded(receive), send)

    async def _known(self, request: Request, address: str) -> ApiToken:
        given = request.headers.getlist("authorization")
        found = _CREDENTIALS.fullmatch(given[0]) if len(given) == 1 else None
        token = await self._find(found[1]) if found else None
        problem = "" if token is None else token.problem(self._clock())
        if token is None or problem:
            if wait := self._refused.take(address):
                raise ProblemError(
                    "rate",
                    say(
                        "too many calls from %(address)s without a good token",
                        address=address,
                    ),
                    Retry_After=str(wait),
                )
            if token is not None:
                code = "token.revoked" if token.revoked_at else "token.expired"
            else:
                code = "token.wrong" if given else "token.missing"
                problem = "this token is nobody's" if given else "a token is needed"
            error = "" if code == "token.missing" else ', error="invalid_token"'
            challenge = f'Bearer realm="linekey"{error}'
            raise ProblemError(code, problem, WWW_Authenticate=challenge)
        if wait := self._rates.take(token.name):
            raise ProblemError(
                "rate",
                say("too many calls with the token %(name)s", name=repr(token.name)),
                say(
                    "wait as long as Retry-After says, or raise "
                    "api.requests_each_minute"
                ),
                Retry_After=str(wait),
            )
        return token


_TOO_LARGE = f"a body may have {MAX_BODY:,} bytes"


def _bounded(receive: Receive) -> Receive:
    """The body as it comes, up to MAX_BODY. What is raised here is answered 413."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return counted
