"""The phone's screen as a page: display, keys, minibrowser, directory, 802.1X.

Whoever stands before a phone may press its keys, so user mode suffices for those; what
no key does (letting a call arrive, a RADIUS secret) needs admin mode.

Rules: what a server's page brings is shown as text, never as markup; its image is given
out only if it is a format the phone shows, under that type; a form says which page it
was made for, and does nothing when another is shown by now.
"""

from typing import Any

from starlette.responses import Response

from linekey.errors import InputError
from linekey.phone.app_events import (
    AppEvent,
    BackPressed,
    BrowserLeft,
    EntryChosen,
    FormSubmitted,
    KeyPressed,
    LookupWanted,
    MessageRead,
    NamedKeyPressed,
    SoftKeyPressed,
)
from linekey.phone.app_requests import action_event, network_login
from linekey.phone.apps import image_type
from linekey.phone.events import NotificationDismissed
from linekey.phone.pages.sessions import Mode
from linekey.phone.pages.visit import Page, Visit
from linekey.phone.report import describe_phone, screen_of
from linekey.phone.state import PhoneState
from linekey.phone.uses.actions.urls import ACTIONS
from linekey.phone.uses.network.ieee8021x import EapMethod, read_method

KEYS_SHOWN = 24
"""Function keys on the page; the largest desk phone of the catalogue has as many on
its own face, without side cars (L)."""


def describe_screen(state: PhoneState) -> dict[str, Any]:
    """What the phone's display and keys show."""
    return {
        **screen_of(describe_phone(state)),
        "has_directory": bool(state.setting("ldap_server")),
        "has_8021x": _has_8021x(state),
    }


def _has_8021x(state: PhoneState) -> bool:
    try:
        method = read_method(state.setting("ieee8021x_eap_auth_method"))
    except InputError:
        return True  # its form then says what is wrong with the setting
    return method is not EapMethod.OFF


async def show(visit: Visit) -> Response:
    """The page."""
    state = visit.state
    set_events = [e for e, name in ACTIONS.items() if state.setting(name).strip()]
    return visit.page(
        "screen",
        screen=describe_screen(state),
        keys_shown=KEYS_SHOWN,
        events=set_events,
        serial=state.apps.serial,
    )


async def image(visit: Visit) -> Response:
    """The image of the minibrowser's page."""
    data = visit.state.apps.image
    kind = image_type(data)
    if not kind:
        return visit.page("refused", 404, reason="no image is on the screen")
    return visit.respond(Response(data, media_type=kind))


LOOKS: dict[str, Page] = {"/screen": show, "/screen/image": image}


async def _tell(visit: Visit, event: AppEvent) -> Response:
    """Press it; what came of it is on the display, or said where it is not."""
    answer = await visit.pages.desk.tell(event)
    if answer is not None and not answer.ok:
        said = visit.state.apps.message
        looked_up = isinstance(event, LookupWanted) and "lookup" in answer.details
        if not looked_up and (said is None or said.text != answer.text):
            visit.say(False, answer.text, answer.hint)
    return visit.back_to("/screen")


def _is_current(visit: Visit) -> bool:
    """Whether the form was made for the page that is on the display."""
    if visit.form.get("serial") == str(visit.state.apps.serial):
        return True
    visit.say(False, "the page has changed meanwhile", "look at it, and choose again")
    return False


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1


async def _key(visit: Visit) -> Response:
    return await _tell(visit, KeyPressed(_number(visit.form.get("idx", ""))))


async def _named_key(visit: Visit) -> Response:
    return await _tell(visit, NamedKeyPressed(visit.form.get("name", "")[:48]))


async def _choose(visit: Visit) -> Response:
    if not _is_current(visit):
        return visit.back_to("/screen")
    return await _tell(visit, EntryChosen(_number(visit.form.get("number", ""))))


async def _soft_key(visit: Visit) -> Response:
    if not _is_current(visit):
        return visit.back_to("/screen")
    return await _tell(visit, SoftKeyPressed(visit.form.get("key", "")[:8]))


async def _submit(visit: Visit) -> Response:
    page = visit.state.apps.browser.page
    if not _is_current(visit) or page is None:
        return visit.back_to("/screen")
    values = tuple(
        visit.form.get(f"value{n}", "")[:4096] for n in range(len(page.fields))
    )
    return await _tell(visit, FormSubmitted(values))


async def _back(visit: Visit) -> Response:
    return await _tell(visit, BackPressed())


async def _leave(visit: Visit) -> Response:
    return await _tell(visit, BrowserLeft())


async def _read_message(visit: Visit) -> Response:
    return await _tell(visit, MessageRead())


async def _lookup(visit: Visit) -> Response:
    return await _tell(visit, LookupWanted(visit.form.get("text", "")[:256]))


async def _event(visit: Visit) -> Response:
    names = ("remote", "local", "display_remote", "call-id")
    given = {n: visit.form[n] for n in names if visit.form.get(n, "").strip()}
    try:
        event = action_event(visit.form.get("event", ""), given)
    except InputError as error:
        visit.say(False, error.message, error.hint)
        return visit.back_to("/screen")
    return await _tell(visit, event)


async def _network_login(visit: Visit) -> Response:
    host, _, port = visit.form.get("radius", "").strip().rpartition(":")
    try:
        secret = visit.form.get("secret", "")
        event = network_login(host.strip("[]"), _number(port), secret)
    except InputError as error:
        visit.say(False, error.message, error.hint)
        return visit.back_to("/screen")
    await visit.tell(event, "logged in")
    return visit.back_to("/screen")


async def _dismiss(visit: Visit) -> Response:
    index = _number(visit.form.get("index", "0"))
    await visit.tell(NotificationDismissed(index), "dismissed")
    return visit.back_to("/screen")


PRESSES: dict[str, tuple[Mode, Page]] = {
    "/screen/dismiss": (Mode.USER, _dismiss),
    "/screen/key": (Mode.USER, _key),
    "/screen/named-key": (Mode.USER, _named_key),
    "/screen/choose": (Mode.USER, _choose),
    "/screen/soft-key": (Mode.USER, _soft_key),
    "/screen/submit": (Mode.USER, _submit),
    "/screen/back": (Mode.USER, _back),
    "/screen/leave": (Mode.USER, _leave),
    "/screen/message": (Mode.USER, _read_message),
    "/screen/lookup": (Mode.USER, _lookup),
    "/screen/event": (Mode.ADMIN, _event),
    "/screen/802.1x": (Mode.ADMIN, _network_login),
}
