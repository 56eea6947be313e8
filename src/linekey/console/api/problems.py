"""What the API says when it does not do what it was asked: problem details (RFC 9457).

Each has a ``code`` that never changes its meaning, the sentence of what is wrong
(``detail``) and its ``cure``, as on the command line. ``PROBLEMS`` is every code.
"""

from http import HTTPStatus
from typing import Any, NamedTuple

from pydantic import BaseModel
from starlette.responses import JSONResponse

from linekey.catalog.known_settings import INSIST
from linekey.errors import Cause, LinekeyError

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """A kind of problem: the status, and its cure where an error brings none."""

    status: int
    cure: str


PROBLEMS: dict[str, Kind] = {
    "token.missing": Kind(
        401, "send Authorization: Bearer TOKEN; linekey token add makes one"
    ),
    "token.wrong": Kind(401, "use a token as linekey token add showed it"),
    "token.expired": Kind(401, "make another: linekey token add"),
    "token.revoked": Kind(401, "make another: linekey token add"),
    "token.scope": Kind(403, "use a token with this scope: linekey token add --scope"),
    "parameter": Kind(400, "see the OpenAPI document"),
    "body": Kind(422, "see the OpenAPI document"),
    "input": Kind(422, "correct it and send it again"),
    "not_found": Kind(404, "see the OpenAPI document for the paths there are"),
    "method": Kind(405, "see the OpenAPI document for the methods of this path"),
    "stale": Kind(412, "read it again, and send the change with its new ETag"),
    "too_large": Kind(413, "send less at once"),
    "media_type": Kind(415, "send JSON, with Content-Type: application/json"),
    "rate": Kind(429, "wait as long as Retry-After says"),
    **{f"storage.{cause}": Kind(503, "look at the server's log") for cause in Cause},
    "fault": Kind(503, "find it in the server's log, and report it"),
}
"""Code → its status and cure."""


class Problem(BaseModel):
    """Problem details (RFC 9457) with linekey's code and cure."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    cure: str


class ProblemError(Exception):
    """Raised where a request ends without what it asked for."""

    def __init__(self, code: str, detail: str, cure: str = "", **headers: str) -> None:
        super().__init__(detail)
        self.code, self.detail, self.cure = code, detail, cure
        self.headers = {k.replace("_", "-"): v for k, v in headers.items()}

    @classmethod
    def of(cls, error: LinekeyError, code: str = "input") -> "ProblemError":
        """An error of linekey's own in the words of the API."""
        cure = error.hint.replace(INSIST, "?allow_unknown=true")
        return cls(code, error.message, cure.replace("--public", '"mark": "public"'))

    def response(self) -> JSONResponse:
        """The answer."""
        return problem(self.code, self.detail, self.cure, self.headers)


def document(code: str, detail: str, cure: str = "") -> dict[str, Any]:
    """Return the JSON of a problem."""
    kind = PROBLEMS[code]
    return Problem(
        title=HTTPStatus(kind.status).phrase,
        status=kind.status,
        detail=detail,
        code=code,
        cure=cure or kind.cure,
    ).model_dump()


def problem(
    code: str, detail: str, cure: str = "", headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return the answer to a request that ends with this problem."""
    return JSONResponse(
        document(code, detail, cure),
        status_code=PROBLEMS[code].status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )
