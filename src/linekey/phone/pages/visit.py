"""One visit to the phone's pages: who it is, what was sent, and how to answer.

Shared by all pages (``phone_pages``, ``phone_screen``).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from jinja2 import Environment
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from linekey.phone.events import Answer, Event
from linekey.phone.pages.sessions import Mode, Session, Sessions, first_mode
from linekey.phone.report import describe_phone
from linekey.phone.state import PhoneState
from linekey.phone.typed import untypable

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none';"
        " base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
_MAX_BODY = 3 * 1024 * 1024
"""Bytes of a form; an upload over the phone's own limit still gets its reason."""
_MAX_FIELDS = 120
"""A minibrowser page may ask for many lines; its XML bounds them."""


class PhoneDesk(Protocol):
    """What the pages need of a running phone."""

    @property
    def state(self) -> PhoneState:
        """The phone as it is now."""

    def now(self) -> datetime:
        """The phone's clock."""

    async def tell(self, event: Event) -> Answer | None:
        """Hand an event to the phone; what came of it, if it says so."""


class Pages(Protocol):
    """What a visit needs of the app that it goes to."""

    desk: PhoneDesk
    sessions: Sessions
    cookie_name: str
    templates: Environment
    monotonic: Callable[[], float]


Page = Callable[["Visit"], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Visit:
    """One request."""

    def __init__(self, pages: "Pages", request: Request) -> None:
        self.pages = pages
        self.request = request
        self.now = pages.monotonic()
        self.cookie = request.cookies.get(pages.cookie_name)
        # A page that only keeps itself fresh is no sign that somebody is there.
        self.by_itself = "fresh" in request.query_params
        self.session = pages.sessions.find(
            self.cookie, self.now, used=not self.by_itself
        )
        self.new_cookie = ""
        if self.session is None:
            mode = first_mode(pages.desk.state)
            # A session is kept only for those who press something.
            self.session = Session(mode, used_at=self.now)
            if request.method == "POST" or request.url.path in _WITH_FORMS:
                self.new_cookie, self.session = pages.sessions.begin(mode, self.now)
        self.form: dict[str, str] = {}
        self.upload: bytes = b""

    @property
    def state(self) -> PhoneState:
        """The phone as it is now."""
        return self.pages.desk.state

    def respond(self, response: Response) -> Response:
        """Finish an answer: headers, and the cookie of a new session."""
        response.headers.update(HEADERS)
        if self.new_cookie:
            response.set_cookie(
                self.pages.cookie_name,
                self.new_cookie,
                secure=True,
                httponly=True,
                samesite="strict",
            )
        return response

    def page(self, name: str, status: int = 200, **values: Any) -> Response:
        """Show a template; what was last said is shown with it, once."""
        assert self.session is not None
        flash = None
        if not self.by_itself:
            flash, self.session.flash = self.session.flash, None
        text = self.pages.templates.get_template(f"{name}.html").render(
            here=self.request.url.path,
            here_again=self._here_again(),
            mode=self.session.mode,
            admin=self.session.mode is Mode.ADMIN,
            token=self.session.token,
            phone=describe_phone(self.state),
            clock=self.pages.desk.now(),
            flash=flash,
            **values,
        )
        return self.respond(
            Response(text, status, media_type="text/html; charset=utf-8")
        )

    def _here_again(self) -> str:
        """This page without what was said on it; after a form, the page before it."""
        url = self.request.url
        if self.request.method != "GET":
            return "/status"
        return f"{url.path}?{url.query}" if url.query else url.path

    async def read(self) -> str:
        """Read a form; return why it is refused, or nothing."""
        request = self.request
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get(
            "host"
        ):
            return "the form comes from another site"
        length = request.headers.get("content-length", "")
        if not length.isdigit() or int(length) > _MAX_BODY:
            return f"a form may have at most {_MAX_BODY} bytes, and must say how many"
        async with request.form(max_files=1, max_fields=_MAX_FIELDS) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    self.upload = await value.read()
                else:
                    self.form[name] = value
        assert self.session is not None
        if self.form.get("token") != self.session.token:
            return "the form is out of date, or does not come from this page"
        if odd := untypable("".join(self.form.values()), lines=True):
            return f"the form holds the character {odd}, which nobody can type"
        return ""

    def back_to(self, path: str) -> Response:
        """Go to a page after a form (303)."""
        return self.respond(RedirectResponse(path, 303))

    def say(self, ok: bool, text: str, hint: str = "") -> None:
        """Have the next page say what came of it."""
        assert self.session is not None
        self.session.flash = (ok, text, hint)

    async def tell(self, event: Event, done: str) -> None:
        """Hand an event to the phone, and say what came of it."""
        answer = await self.pages.desk.tell(event)
        if answer is None:
            self.say(True, done)
        else:
            self.say(answer.ok, answer.text, answer.hint)


_WITH_FORMS = {
    "/status", "/settings", "/certificates", "/server-authentication", "/maintenance",
    "/screen", "/login",
}  # fmt: skip
