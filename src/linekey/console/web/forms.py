"""What a browser sends back: bounded, read as UTF-8, and from a page of ours.

A form is believed if it has the word that its page was given: derived from the cookie,
which another site can send along but not read. And where the browser says which site a
request came from (Fetch Metadata, Origin), it has to be this one.
"""

import hashlib
import hmac
import re
from urllib.parse import parse_qsl

from starlette.requests import Request

MAX_FORM = 4 * 1024 * 1024
"""Bytes: a list of 100,000 MACs, one a line, has some 1.5 million."""
MAX_FIELDS = 20_000
WORD = "form_word"
"""The field with the word of the page."""
_NEXT = re.compile(r"/console/[A-Za-z0-9/_.~:%?=&*+,@\[\]-]{0,1000}", re.ASCII)


class FormError(Exception):
    """The form is not to be believed, or not to be read; ``status`` says how."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Form:
    """The fields of a form, each as text."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def get(self, name: str, default: str = "") -> str:
        """The last value of a field, without spaces around it."""
        found = [value for key, value in self._fields if key == name]
        return found[-1].strip() if found else default

    def raw(self, name: str) -> str:
        """It with its spaces, such as a password."""
        found = [value for key, value in self._fields if key == name]
        return found[-1] if found else ""

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return [value.strip() for key, value in self._fields if key == name]

    def names(self) -> list[str]:
        """The fields' names in order."""
        return [key for key, _ in self._fields]


def word_of(cookie: str) -> str:
    """The word of the pages of who has this cookie."""
    return hmac.new(
        cookie.encode(), b"linekey console form", hashlib.sha256
    ).hexdigest()


def is_word(cookie: str, given: str) -> bool:
    """Whether a form came from a page of who has this cookie."""
    right = word_of(cookie).encode()
    return bool(cookie) and hmac.compare_digest(right, given.encode("utf-8", "replace"))


def is_from_here(request: Request, base: str) -> bool:
    """Whether the browser says that a request is from another site's page."""
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    here = (base, f"{request.url.scheme}://{request.headers.get('host', '')}")
    return origin is None or origin in here


async def read_form(request: Request) -> Form:
    """Read a form. Raises FormError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", ""):
        raise FormError(415, "a form of another type")
    try:
        told = int(request.headers.get("content-length") or 0)
    except ValueError:
        raise FormError(400, "no length") from None
    size, pieces = 0, []
    if told > MAX_FORM:
        raise FormError(413, "the form is too large")
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_FORM:
            raise FormError(413, "the form is too large")
        pieces.append(piece)
    try:
        text = b"".join(pieces).decode("ascii")
        fields = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise FormError(400, "the form cannot be read") from None
    if any("\0" in name + value for name, value in fields):
        raise FormError(400, "the form cannot be read")
    return Form(fields)


def safe_next(text: str) -> str:
    """Where to go on: a page of the console, whatever is asked for."""
    plain = ".." not in text and "//" not in text
    return text if plain and _NEXT.fullmatch(text) else "/console/"
