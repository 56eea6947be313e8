"""One request to the console: who asks, in which language, and the answer's frame."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from linekey.console.web.calls import Api
from linekey.console.web.entry import Entry
from linekey.console.web.forms import Form, word_of
from linekey.console.web.language import Language
from linekey.console.web.parts import Parts
from linekey.said import mark
from linekey.store.changes import Actor
from linekey.store.sessions import Session
from linekey.store.token_scope import Scope
from linekey.store.users import CONSOLE, User
from linekey.wire.sources import source_of

RECENT = timedelta(minutes=10)
"""How long a proof holds for what needs a recent one: secrets, users, tokens."""


NAVIGATION = (
    ("", mark("Overview"), "/health"),
    ("phones", mark("Phones"), "/devices"),
    ("pending", mark("Pending"), "/pending"),
    ("decisions", mark("Decisions"), "/decisions"),
    ("forecast", mark("Forecast"), "/forecast"),
    ("layers", mark("Layers"), "/layers"),
    ("authorities", mark("Authorities"), "/vendor-cas"),
    ("changes", mark("Changes"), "/changes"),
    ("users", mark("Users and tokens"), None),
)
"""Pages: path, name, and what of the API they need; None: an administrator of all."""

DONE = {
    "saved": mark("Saved."),
    "added": mark("Added."),
    "removed": mark("Removed."),
    "revoked": mark("Revoked."),
    "restored": mark("Restored."),
    "replaced": mark(
        "Replaced: this phone has the record now, the old one is revoked."
    ),
    "approved": mark("Approved: the phone is registered now."),
    "refused": mark("Refused."),
    "forgotten": mark("Forgotten."),
    "changed": mark("Changed."),
    "language": mark("Language changed."),
}
"""What a page says of what was done before it."""


class ProofWantedError(Exception):
    """The user has to prove to be itself first; then it goes on at ``path``."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(slots=True)
class Visit:
    """A request, and what is needed to answer it."""

    request: Request
    parts: Parts
    entry: Entry
    language: Language
    templates: Environment
    cookie: str
    """The session's, or that of who has none yet."""
    session: Session | None = None
    form: Form = field(default_factory=lambda: Form([]))

    @property
    def user(self) -> User:
        """Who asks."""
        assert self.session is not None
        return self.session.user

    @property
    def address(self) -> str:
        """Where the request came from."""
        client = self.request.client
        return client.host if client and client.host else "a Unix socket"

    @property
    def source(self) -> str:
        """What counts as one place (``wire.sources``)."""
        return source_of(self.address)

    @property
    def actor(self) -> Actor:
        """Who stands on record."""
        return Actor(self.user.name, f"console {self.address}"[:64])

    @property
    def api(self) -> Api:
        """The API for this user."""
        return Api(self.parts.api, self.user, self.actor)

    @property
    def is_keeper(self) -> bool:
        """Whether the user may manage users, tokens and secrets of all phones."""
        return self.user.scope is Scope.ADMIN and self.user.groups is None

    def t(self, text: str) -> str:
        """Translate."""
        return self.language.t(text)

    def query(self, name: str) -> str:
        """A parameter of the address."""
        return self.request.query_params.get(name, "").strip()

    def path_value(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def is_recent(self) -> bool:
        """Whether the user proved to be itself lately."""
        assert self.session is not None
        return self.parts.desk.clock() - self.session.proved_at < RECENT

    def want_proof(self, path: str) -> None:
        """Raise ProofWantedError unless the user proved to be itself lately."""
        if not self.is_recent():
            raise ProofWantedError(path)

    def page(
        self, template: str, title: str, status: int = 200, **values: Any
    ) -> Response:
        """Render a page; ``title`` is in the language already."""
        text = self.templates.get_template(template).render(
            title=title,
            user=self.session.user if self.session else None,
            is_keeper=self.session is not None and self.is_keeper,
            navigation=self._navigation(),
            here=self.request.url.path,
            query=str(self.request.url.query),
            word=word_of(self.cookie),
            now=self.parts.desk.clock(),
            done=self.t(DONE.get(self.query("done"), "")),
            url=url,
            **values,
        )
        return HTMLResponse(text, status_code=status)

    def to(self, path: str, **query: Any) -> Response:
        """Send the browser to another page of the console."""
        return RedirectResponse(url(path, **query), status_code=303)

    def _navigation(self) -> list[tuple[str, str, bool]]:
        if self.session is None:
            return []
        api, path = self.api, self.request.url.path
        found = []
        for name, title, needs in NAVIGATION:
            may = self.is_keeper if needs is None else api.may("GET", needs)
            if may:
                whole = f"{CONSOLE}{name}"
                is_here = path == whole or (bool(name) and path.startswith(f"{whole}/"))
                found.append((whole, self.t(title), is_here))
        return found


def url(path: str, **query: Any) -> str:
    """An address within the console: what is None or empty is left out."""
    asked = {k: v for k, v in query.items() if v not in (None, "", False)}
    whole = f"{CONSOLE}{quote(path, safe='/:@')}"
    return f"{whole}?{urlencode(asked, doseq=True)}" if asked else whole
