"""The console's cookies.

By HTTPS they are ``__Host-`` ones: of this very host, sent by HTTPS alone, and no
neighbour of the name can set them (RFC 6265bis §4.1.3). Plain HTTP is for loopback,
where browsers take no such name; another port of this machine gets them as well.
"""

import secrets

from starlette.requests import Request
from starlette.responses import Response

from linekey.console.web.parts import Parts
from linekey.store.users import CONSOLE


class Cookies:
    """Set, read and ended as the console's address wants it."""

    def __init__(self, parts: Parts) -> None:
        self._secure = parts.is_secure

    def session(self, request: Request) -> str:
        """The token of the session; empty: none."""
        return request.cookies.get(self._name("session"), "")

    def visitor(self, request: Request) -> str:
        """What a form of who is not in yet is bound to; empty: none."""
        found = request.cookies.get(self._name("visitor"), "")
        return found if len(found) == 43 else ""

    def flow(self, request: Request) -> str:
        """What was sealed when the browser went to the identity provider."""
        return request.cookies.get(self._name("flow"), "")

    def language(self, request: Request) -> str:
        """The language that was chosen."""
        return request.cookies.get(self._name("language"), "")

    def begin(self, answer: Response, token: str) -> None:
        """Set the session's."""
        self._set(answer, "session", token)

    def end(self, answer: Response) -> None:
        """Take the session's away."""
        self._set(answer, "session", "", 0)

    def new_visitor(self) -> str:
        """A value for ``visitor``."""
        return secrets.token_urlsafe(32)

    def set_visitor(self, answer: Response, value: str) -> None:
        """Set it."""
        self._set(answer, "visitor", value)

    def set_flow(self, answer: Response, value: str) -> None:
        """Set the provider's; empty: take it away."""
        self._set(answer, "flow", value, 600 if value else 0)

    def set_language(self, answer: Response, code: str) -> None:
        """Remember a language for a year."""
        self._set(answer, "language", code, 31_536_000)

    def _name(self, what: str) -> str:
        return f"__Host-linekey-{what}" if self._secure else f"linekey-{what}"

    def _set(
        self, answer: Response, what: str, value: str, seconds: int | None = None
    ) -> None:
        answer.set_cookie(
            self._name(what), value, max_age=seconds, httponly=True, samesite="lax",
            secure=self._secure, path="/" if self._secure else CONSOLE,
        )  # fmt: skip
