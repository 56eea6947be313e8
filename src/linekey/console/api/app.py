"""The API as one ASGI application, to stand under ``/api/v1``.

Rules: what a path does not know is refused with the nearest it knows, never ignored.
Whatever goes wrong is problem details, also where the database is gone.
"""

import difflib
import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response

from linekey import __version__
from linekey.console.api.alerts import alert_routes
from linekey.console.api.desk import Desk
from linekey.console.api.devices import device_routes
from linekey.console.api.forecast import forecast_routes
from linekey.console.api.groups import group_routes
from linekey.console.api.guard import Guard
from linekey.console.api.layers import ca_routes, layer_routes
from linekey.console.api.pending import pending_routes, rule_routes
from linekey.console.api.problems import (
    MEDIA_TYPE,
    PROBLEMS,
    Problem,
    ProblemError,
    document,
    problem,
)
from linekey.console.api.records import record_routes
from linekey.errors import Cause, InputError
from linekey.said import say
from linekey.settings import ApiSettings
from linekey.store.tokens import ApiToken, ApiTokens
from linekey.wire.asgi_edge import FAULT, Edge, Page, Trouble

_log = logging.getLogger("linekey.api")

PREFIX = "/api/v1"
_SCHEMA = "/openapi.json"
_TITLES = {
    400: "A parameter that is not known, or not right.",
    401: "No good token.",
    403: "The token's scope is not enough, or it is limited to groups.",
    404: "It is not there.",
    412: "It is not as If-Match or If-None-Match wants it.",
    413: "Too large.",
    422: "What was sent cannot be right.",
    429: "Too many calls.",
    503: "The database, or linekey itself, is in trouble.",
}


def make_api(desk: Desk, settings: ApiSettings, app: FastAPI | None = None) -> Edge:
    """Return the API, ``app`` unless it is to be made, behind its guard."""

    async def find(token: str) -> ApiToken | None:
        found = await desk.look_up(lambda database: ApiTokens(database).find(token))
        now = desk.clock()
        if found is not None and not found.problem(now) and found.is_use_news(now):
            desk.note(
                f"the use of the token {found.name!r}",
                lambda database: ApiTokens(database).used(found, now),
            )
        return found

    guard = Guard(
        app or api_app(desk),
        find,
        clock=desk.clock,
        each_minute=settings.requests_each_minute,
        refused_each_minute=settings.refused_each_minute,
        open_paths=frozenset({_SCHEMA} if settings.public_schema else ()),
    )
    return Edge(guard, _log, page=_trouble_page)


def api_app(desk: Desk) -> FastAPI:
    """Return the API without its guard; its OpenAPI document is the reference."""
    app = FastAPI(
        title="linekey",
        version=__version__,
        summary="Phones, their settings, who vouches for them, and what was decided.",
        openapi_url=_SCHEMA,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": PREFIX}],
        root_path_in_servers=False,
        redirect_slashes=False,
        # So that a generated client's functions have the names of these.
        generate_unique_id_function=lambda route: route.name,
        middleware=[Middleware(Edge, _log, page=_trouble_page)],
        exception_handlers={
            ProblemError: _told,
            InputError: _input,
            HTTPException: _http,
            RequestValidationError: _invalid,
        },
    )
    routes = APIRouter(
        dependencies=[
            Depends(HTTPBearer(auto_error=False, description="linekey token add")),
            Depends(_refuse_unknown),
        ],
        responses={
            status: {
                "model": Problem,
                "description": title,
                "content": {MEDIA_TYPE: {"schema": _PROBLEM_SCHEMA}},
            }
            for status, title in _TITLES.items()
        },
    )
    for router in (
        device_routes, pending_routes, rule_routes, group_routes, layer_routes,
        ca_routes, record_routes, forecast_routes, alert_routes,
    ):  # fmt: skip
        routes.include_router(router(desk))
    app.include_router(routes)
    return app


_PROBLEM_SCHEMA = {"$ref": "#/components/schemas/Problem"}


async def _refuse_unknown(request: Request) -> None:
    """Refuse parameters that the path does not know, and one given twice."""
    route = request.scope.get("route")
    assert isinstance(route, APIRoute)
    known = [
        param.alias
        for part in (route.dependant, *route.dependant.dependencies)
        for param in part.query_params
    ]
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            raise ProblemError(
                "parameter",
                say("no parameter %(name)s here", name=repr(name[:64])),
                say("did you mean %(near)s?", near=near[0])
                if near
                else say("there are: %(listed)s", listed=", ".join(known) or "none"),
            )
        if len(request.query_params.getlist(name)) > 1:
            raise ProblemError(
                "parameter",
                say("the parameter %(name)s is given twice", name=name),
                say("give it once"),
            )


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return error.response()


async def _input(request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    return ProblemError.of(error).response()


_CODES = {404: "not_found", 405: "method", 413: "too_large", 415: "media_type"}


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "body")
    detail = str(error.detail)
    if code == "not_found":
        detail = f"nothing is at {request.url.path[:200]!r}"
    headers = dict(error.headers or {})
    if code == "method":
        headers["Allow"] = ", ".join(_methods(request))
    return problem(code, detail, headers=headers)


def _methods(request: Request) -> list[str]:
    """Every method of a path: the router names those of its first match only."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    paths = request.app.openapi()["paths"]
    if path in paths:  # ``/devices/bulk``, which is no MAC
        return sorted(map(str.upper, paths[path]))
    return sorted(
        method.upper()
        for template, calls in paths.items()
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path)
        for method in calls
    )


async def _invalid(request: Request, error: Exception) -> Response:
    """Say what is wrong with a parameter or a member, without repeating its value."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where, *path = [str(part) for part in first["loc"]]
    in_body = where == "body"
    name = ".".join(path) or where
    cure = ""
    if first["type"] != "extra_forbidden" and (where == "header" or not in_body):
        cure = say("see the OpenAPI document")
    what = say("%(name)s: %(what)s", name=name, what=_rule_broken(first))
    return problem("body" if in_body else "parameter", what, cure)


def _rule_broken(error: Mapping[str, Any]) -> str:
    """What pydantic has against a value, in words of ours for what people type."""
    limits = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return say("there is no such member")
        case "missing":
            return say("it is missing")
        case "string_too_short" | "too_short" if limits.get("min_length") == 1:
            return say("it is empty")
        case "string_too_short":
            return say(
                "it has fewer than %(count)s characters", count=limits["min_length"]
            )
        case "string_too_long":
            return say(
                "it has more than %(count)s characters", count=limits["max_length"]
            )
        case "too_long":
            return say("it has more than %(count)s items", count=limits["max_length"])
        case "int_parsing" | "int_type" | "int_from_float":
            return say("it is not a whole number")
        case "greater_than_equal":
            return say("it is less than %(least)s", least=limits["ge"])
        case "less_than_equal":
            return say("it is more than %(most)s", most=limits["le"])
        case "literal_error" | "enum":
            return say("it is not one of %(names)s", names=limits["expected"])
    return str(error["msg"]).removeprefix("Value error, ")


def _trouble_page(scope: Any, trouble: Trouble) -> Page:
    cause = trouble.cause
    code = FAULT if cause == FAULT else f"storage.{Cause(cause)}"
    assert code in PROBLEMS
    text = json.dumps(document(code, trouble.message, trouble.hint))
    return Page(text.encode(), MEDIA_TYPE.encode())
