"""The phone's own pages: Status, Settings, Certificates, Log, Screen and the rest.

An ASGI app over a ``PhoneDesk``: it shows ``desk.state`` and turns buttons into events
of ``phone.machine``. Each page has a JSON twin (``/status.json``). It needs no script;
the one there is keeps the screen fresh.

Rules: nothing is changed by GET; every form carries its session's token, and a request
with a foreign ``Origin`` is refused; what changes the phone needs admin mode (seed: "In
admin mode, you can manually upload"). Files are limited before they are read.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from linekey.certs.pem import to_pem
from linekey.errors import InputError
from linekey.phone.events import (
    CertificateRemoved,
    CertificateUploaded,
    ExceptionAdded,
    FactoryResetDone,
    ServerAuthenticationActivated,
    SettingEntered,
)
from linekey.phone.pages import screen as phone_screen
from linekey.phone.pages.sessions import (
    Mode,
    Sessions,
    first_mode,
    needs_password,
)
from linekey.phone.pages.visit import HEADERS, Endpoint, Page, PhoneDesk, Visit
from linekey.phone.report import (
    TABS,
    describe_certificates,
    describe_phone,
    describe_settings,
    describe_tab,
    find_in_tab,
)
from linekey.phone.state import PhoneState
from linekey.phone.typed import check_idx
from linekey.phone.uses.all import USES
from linekey.phone.uses.network.events import NetworkCertificateUploaded
from linekey.phone.uses.provisioning.events import ProvisioningWanted
from linekey.trust.store import UPLOAD_LIMIT_BYTES
from linekey.wire.asgi_edge import Edge

_STATIC = {
    "style.css": "text/css",
    "phone.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_LEAST_PASSWORD = 6
_TABS = {
    "unknown": "unknown",
    "server": "server_certificates",
    "8021x": "ieee8021x",
    "authorities": "authorities",
}
"""``?tab=`` of the Certificates page → the tab that it shows (``report.TABS``)."""


def _when(text: str) -> str:
    """An ISO time for people, in UTC."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%d.%m.%Y %H:%M:%S} UTC"


def _log(state: PhoneState) -> list[dict[str, Any]]:
    """The log, newest first."""
    return [entry.as_dict() for entry in reversed(state.log)]


class PhonePages:
    """The ASGI app; ``monotonic`` is a clock in seconds, for sessions."""

    def __init__(
        self, desk: PhoneDesk, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.desk = desk
        self.monotonic = monotonic
        self.sessions = Sessions()
        # Browsers tell ports of one host no apart: each phone has a name of its own.
        self.cookie_name = f"__Host-linekey-{desk.state.mac}"
        self.templates = Environment(
            loader=PackageLoader("linekey.phone.pages"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters["when"] = _when
        looks: dict[str, Page] = {
            "/status": self._status,
            "/settings": self._settings,
            "/certificates": self._certificates,
            "/server-authentication": self._authentication,
            "/log": self._log,
            **phone_screen.LOOKS,
            "/maintenance": self._maintenance,
            "/status.json": self._json(describe_phone),
            "/settings.json": self._json(describe_settings),
            "/certificates.json": self._json(describe_certificates),
            "/log.json": self._json(_log),
            "/screen.json": self._json(phone_screen.describe_screen),
            "/certificate.pem": self._own_certificate,
        }
        presses: dict[str, tuple[Mode, Page]] = {
            "/settings": (Mode.ADMIN, self._set),
            "/certificates/exception": (Mode.ADMIN, self._add_exception),
            "/certificates/remove": (Mode.ADMIN, self._remove),
            "/certificates/upload": (Mode.USER, self._upload),
            "/server-authentication/activate": (Mode.ADMIN, self._activate),
            "/maintenance/provision": (Mode.ADMIN, self._provision),
            "/maintenance/factory-reset": (Mode.ADMIN, self._reset),
            **phone_screen.PRESSES,
            "/login": (Mode.NOBODY, self._log_in),
            "/login/first": (Mode.NOBODY, self._first_password),
            "/logout": (Mode.NOBODY, self._log_out),
        }
        self.app = Starlette(
            middleware=[Middleware(Edge, logging.getLogger("linekey.phone"))],
            routes=[
                Route("/", self._home),
                Route("/static/{name}", self._static),
                Route("/login", self._look(Mode.NOBODY, self._login)),
                *(Route(p, self._look(Mode.USER, f)) for p, f in looks.items()),
                *(
                    Route(p, self._press(m, f), methods=["POST"])
                    for p, (m, f) in presses.items()
                ),
            ],
            exception_handlers={404: self._not_found, 405: self._not_found},
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request (ASGI 3)."""
        await self.app(scope, receive, send)

    # --- who may -----------------------------------------------------------------

    def _look(
        self, least: Mode, page: Page
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            visit = Visit(self, request)
            assert visit.session is not None
            if visit.session.mode < least:
                if request.url.path.endswith(".json"):
                    error = {"error": "log in first", "hint": "POST /login"}
                    return visit.respond(JSONResponse(error, 401))
                return visit.back_to("/login")
            return await page(visit)

        return endpoint

    def _press(self, least: Mode, page: Page) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            visit = Visit(self, request)
            assert visit.session is not None
            problem = await visit.read()
            if problem:
                return visit.page("refused", 403, reason=problem)
            if visit.session.mode < least:
                visit.say(False, "this needs the administrator", "log in first")
                return visit.back_to("/login")
            return await page(visit)

        return endpoint

    # --- pages -------------------------------------------------------------------

    async def _home(self, request: Request) -> Response:
        return RedirectResponse("/status", 303, headers=HEADERS)

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return await self._not_found(request, None)
        text = self.templates.loader.get_source(self.templates, name)[0]  # type: ignore[union-attr]
        headers = {**HEADERS, "cache-control": "max-age=3600"}
        return Response(text, media_type=_STATIC[name], headers=headers)

    async def _not_found(self, request: Request, error: Any) -> Response:
        visit = Visit(self, request)
        return visit.page("refused", 404, reason="the phone has no such page")

    async def _status(self, visit: Visit) -> Response:
        report = {"running": True, **describe_phone(visit.state)}
        cards = {use.title: use.rows(report) for use in USES if use.title}
        return visit.page("status", cards=cards)

    async def _settings(self, visit: Visit) -> Response:
        return visit.page("settings", rows=describe_settings(visit.state))

    async def _certificates(self, visit: Visit) -> Response:
        tab = visit.request.query_params.get("tab", "unknown")
        tab = tab if tab in _TABS else "unknown"
        wanted = visit.request.query_params.get("find", "").strip()[:200]
        rows = describe_tab(visit.state, _TABS[tab], laid_out=True)
        return visit.page(
            "certificates",
            tab=tab,
            find=wanted,
            all_rows=len(rows),
            tabs={tab: (name, TABS[name]) for tab, name in _TABS.items()},
            rows=find_in_tab(rows, wanted),
        )

    async def _authentication(self, visit: Visit) -> Response:
        return visit.page("authentication")

    async def _log(self, visit: Visit) -> Response:
        return visit.page("log", rows=_log(visit.state))

    async def _maintenance(self, visit: Visit) -> Response:
        buttons = [b for use in USES for b in use.buttons if b.label]
        return visit.page("maintenance", buttons=buttons)

    async def _login(self, visit: Visit) -> Response:
        return visit.page("login", first=needs_password(visit.state))

    async def _own_certificate(self, visit: Visit) -> Response:
        identity = visit.state.identity.identity
        if identity is None:
            return visit.page("refused", 404, reason="this phone has no certificate")
        name = f"{visit.state.mac}.pem"
        return visit.respond(
            Response(
                to_pem(identity.leaf),
                media_type="application/x-pem-file",
                headers={"content-disposition": f'attachment; filename="{name}"'},
            )
        )

    def _json(self, view: Callable[[PhoneState], Any]) -> Page:
        async def page(visit: Visit) -> Response:
            return visit.respond(JSONResponse(view(visit.state)))

        return page

    # --- buttons -----------------------------------------------------------------

    async def _log_in(self, visit: Visit) -> Response:
        form = visit.form
        pause = self.sessions.pause_s(visit.now)
        mode = self.sessions.log_in(
            visit.state, form.get("user", ""), form.get("password", ""), visit.now
        )
        if mode is Mode.NOBODY:
            if pause:
                visit.say(
                    False,
                    "too many wrong passwords",
                    f"wait {pause:.0f} s, then try again",
                )
            else:
                visit.say(False, "user name or password is wrong")
            return visit.back_to("/login")
        return self._enter(visit, mode)

    def _enter(self, visit: Visit, mode: Mode) -> Response:
        # A new cookie: one that was known before logging in opens nothing.
        self.sessions.end(visit.cookie)
        self.sessions.end(visit.new_cookie)
        visit.new_cookie, visit.session = self.sessions.begin(mode, visit.now)
        visit.say(True, "administrator mode" if mode is Mode.ADMIN else "logged in")
        return visit.back_to("/status")

    async def _first_password(self, visit: Visit) -> Response:
        password = visit.form.get("password", "")
        if not needs_password(visit.state):
            visit.say(False, "the administrator's password is set already", "log in")
            return visit.back_to("/login")
        if len(password) < _LEAST_PASSWORD or password != visit.form.get("again"):
            visit.say(
                False,
                "the password was not set",
                f"type the same {_LEAST_PASSWORD} characters or more twice",
            )
            return visit.back_to("/login")
        event = SettingEntered("admin_mode_password", password)
        answer = await self.desk.tell(event)
        if answer is not None and not answer.ok:
            visit.say(False, answer.text, answer.hint)
            return visit.back_to("/login")
        return self._enter(visit, Mode.ADMIN)

    async def _log_out(self, visit: Visit) -> Response:
        self.sessions.end(visit.cookie)
        visit.new_cookie, visit.session = self.sessions.begin(
            first_mode(visit.state), visit.now
        )
        visit.say(True, "logged out")
        return visit.back_to("/login")

    async def _set(self, visit: Visit) -> Response:
        name, value = visit.form.get("name", "").strip(), visit.form.get("value", "")
        idx = visit.form.get("idx", "").strip()
        if not name or (idx and not (idx.isascii() and idx.isdigit() and len(idx) < 6)):
            visit.say(False, "a setting needs a name, and an idx that is a number")
            return visit.back_to("/settings")
        try:
            number = check_idx(name, int(idx)) if idx else None
        except InputError as error:
            visit.say(False, error.message, error.hint)
            return visit.back_to("/settings")
        event = SettingEntered(name, value, number)
        await visit.tell(event, f"{name} was set")
        return visit.back_to("/settings")

    async def _add_exception(self, visit: Visit) -> Response:
        event = ExceptionAdded(visit.form.get("sha256", ""))
        await visit.tell(event, "the exception was added")
        return visit.back_to("/certificates?tab=server")

    async def _remove(self, visit: Visit) -> Response:
        event = CertificateRemoved(visit.form.get("sha256", ""))
        await visit.tell(event, "the certificate was removed")
        tab = visit.form.get("tab", "")
        tab = tab if tab in _TABS else "server"
        return visit.back_to(f"/certificates?tab={tab}")

    async def _upload(self, visit: Visit) -> Response:
        assert visit.session is not None
        # Beyond its limit only the beginning is needed to say why it is refused.
        data = visit.upload[: UPLOAD_LIMIT_BYTES + 1]
        admin = visit.session.mode is Mode.ADMIN
        network = visit.form.get("tab") == "8021x"
        kind = NetworkCertificateUploaded if network else CertificateUploaded
        await visit.tell(kind(data, admin), "the certificate was uploaded")
        return visit.back_to(f"/certificates?tab={'8021x' if network else 'server'}")

    async def _activate(self, visit: Visit) -> Response:
        await visit.tell(ServerAuthenticationActivated(), "activated")
        return visit.back_to("/server-authentication")

    async def _provision(self, visit: Visit) -> Response:
        event = ProvisioningWanted("a button on the phone's pages")
        await visit.tell(event, "provisioning started")
        return visit.back_to("/status")

    async def _reset(self, visit: Visit) -> Response:
        if visit.form.get("sure", "").strip().lower() != "reset":
            visit.say(False, "nothing was reset", "type the word reset to be sure")
            return visit.back_to("/maintenance")
        await visit.tell(FactoryResetDone(), "the phone has its factory defaults")
        flash = visit.session.flash if visit.session else None
        self.sessions.end_all()
        visit.new_cookie, visit.session = self.sessions.begin(
            first_mode(visit.state), visit.now
        )
        visit.session.flash = flash
        return visit.back_to("/status")
