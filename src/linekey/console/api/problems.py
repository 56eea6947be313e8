"""What the API says when it does not do what it was asked: problem details (RFC 9457).

Each has a ``code`` that never changes its meaning, the sentence of what is wrong
(``detail``) and its ``cure``, as on the command line. ``PROBLEMS`` is every code.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from starlette.responses import JSONResponse

from linekey.catalog.known_settings import INSIST, PUBLIC
from linekey.errors import Cause, LinekeyError
from linekey.reasons import Row
from linekey.said import swapped, words_of

MEDIA_TYPE = "application/problem+json"


def _row(status: int, sentence: str, cure: str) -> Row:
    return Row(sentence, cure, statuses=(status,))


PROBLEMS: dict[str, Row] = {
    "token.missing": _row(
        401,
        "the request has no token",
        "send Authorization: Bearer TOKEN; linekey token add makes one",
    ),
    "token.wrong": _row(
        401, "the token is nobody's", "use a token as linekey token add showed it"
    ),
    "token.expired": _row(
        401, "the token has expired", "make another: linekey token add"
    ),
    "token.revoked": _row(
        401, "the token is revoked", "make another: linekey token add"
    ),
    "token.scope": _row(
        403,
        "the token's scope is not enough",
        "use a token with this scope: linekey token add --scope",
    ),
    "token.groups": _row(
        403,
        "the token is limited to groups, and this is for all phones",
        "use a token without --group; docs/howto/groups.md lists what is for groups",
    ),
    "parameter": _row(
        400,
        "a parameter is not known, given twice, or not right",
        "see the OpenAPI document",
    ),
    "body": _row(
        422,
        "the body, or a member of it, is not of the right form",
        "see the OpenAPI document",
    ),
    "input": _row(422, "what was sent cannot be right", "correct it and send it again"),
    "not_found": _row(
        404, "it is not there", "see the OpenAPI document for the paths there are"
    ),
    "method": _row(
        405,
        "the path does not know the method",
        "see the OpenAPI document for the methods of this path",
    ),
    "stale": _row(
        412,
        "it is not as If-Match or If-None-Match wants it",
        "read it again, and send the change with its new ETag",
    ),
    "too_large": _row(413, "the body is too large", "send less at once"),
    "media_type": _row(
        415,
        "the body is of another type",
        "send JSON, with Content-Type: application/json",
    ),
    "rate": _row(
        429,
        "too many calls with this token, or without a good one from this address",
        "wait as long as Retry-After says",
    ),
    **{
        f"storage.{cause}": _row(503, cause.sentence, "look at the server's log")
        for cause in Cause
    },
    "fault": _row(
        503,
        "linekey itself has a fault",
        "find it in the server's log, and report it",
    ),
}
"""By code. An error may bring a sentence and a cure of its own, which say more."""


class Problem(BaseModel):
    """Problem details (RFC 9457) with linekey's code and cure."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    cure: str
    words: dict[str, dict[str, Any]] | None = None
    """What these sentences were made of, by sentence, for another language."""


class ProblemError(Exception):
    """Raised where a request ends without what it asked for."""

    words: Mapping[str, Any] | None = None
    """What the sentences were made of, where they came as JSON."""

    def __init__(self, code: str, detail: str, cure: str = "", **headers: str) -> None:
        super().__init__(detail)
        self.code, self.detail, self.cure = code, detail, cure
        self.headers = {k.replace("_", "-"): v for k, v in headers.items()}

    @classmethod
    def of(cls, error: LinekeyError, code: str = "input") -> "ProblemError":
        """An error of linekey's own in the words of the API."""
        cure = swapped(error.hint, INSIST, "?allow_unknown=true")
        return cls(code, error.message, swapped(cure, PUBLIC, '"mark": "public"'))

    def response(self) -> JSONResponse:
        """The answer."""
        return problem(self.code, self.detail, self.cure, self.headers)


def document(code: str, detail: str, cure: str = "") -> dict[str, Any]:
    """Return the JSON of a problem."""
    row = PROBLEMS[code]
    made = Problem(
        title=HTTPStatus(row.status).phrase,
        status=row.status,
        detail=detail,
        code=code,
        cure=cure or row.cure,
        words=words_of([detail, cure]) or None,
    )
    return made.model_dump(exclude_none=True)


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
