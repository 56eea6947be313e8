"""The API, asked from inside for a user: each page asks what a script could ask.

Rule: a call is checked like one with a token (``guard.check_allowed``): by the user's
role and groups. It goes through the same application, so the same checks, the same
record of changes and the same errors are behind a page and a script.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message

from linekey.console.api.guard import check_allowed
from linekey.console.api.problems import MEDIA_TYPE, PROBLEMS, ProblemError
from linekey.store.changes import Actor
from linekey.store.users import User


@dataclass(frozen=True, slots=True)
class Said:
    """What the API answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document."""
        return json.loads(self.body)


class Api:
    """The API for one user at one address."""

    def __init__(self, app: ASGIApp, user: User, actor: Actor) -> None:
        self._app, self._user, self._actor = app, user, actor

    def may(self, method: str, path: str) -> bool:
        """Whether the user may ask this."""
        try:
            self.check(method, path)
        except ProblemError:
            return False
        return True

    def check(self, method: str, path: str) -> None:
        """Raise ProblemError where the user may not ask this."""
        who = f"the user {self._user.name!r}"
        check_allowed(who, self._user.scope, self._user.groups, method, path)

    async def get(self, path: str, **query: Any) -> Any:
        """Ask for a document. What is None or empty is not asked for. Raises
        ProblemError."""
        return (await self.call("GET", path, query)).json

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        *,
        if_match: str = "",
        none_match: bool = False,
    ) -> Said:
        """Call the API. Raises ProblemError where it refuses or is in trouble."""
        self.check(method, path)
        asked = {k: v for k, v in (query or {}).items() if v not in (None, "")}
        data = b"" if body is None else json.dumps(body).encode()
        headers = [(b"host", b"console")]
        if body is not None:
            headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", b"%d" % len(data)))
        if if_match:
            headers.append((b"if-match", if_match.encode("latin-1", "replace")))
        if none_match:
            headers.append((b"if-none-match", b"*"))
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1",
            "method": method, "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": urlencode(asked).encode(),
            "root_path": "", "headers": headers, "client": (self._actor.place, 0),
            "server": ("console", 80),
            "state": {"actor": self._actor, "groups": self._user.groups},
        }  # fmt: skip
        said = await _run(self._app, scope, data)
        if said.status >= 400:
            raise _error(said)
        return said


async def _run(app: ASGIApp, scope: dict[str, Any], data: bytes) -> Said:
    status, sent = 0, False
    headers: dict[str, str] = {}
    pieces: list[bytes] = []

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.update(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in message["headers"]
            )
        else:
            pieces.append(message.get("body", b""))

    await app(scope, receive, send)
    return Said(status, headers, b"".join(pieces))


def _error(said: Said) -> ProblemError:
    assert said.headers["content-type"] == MEDIA_TYPE
    document = said.json
    assert document["code"] in PROBLEMS
    error = ProblemError(document["code"], document["detail"], document["cure"])
    error.words = document.get("words", {})
    return error
