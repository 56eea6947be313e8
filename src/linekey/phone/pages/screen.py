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
from linekey.phone.device import DEVICE
from linekey.phone.display import Display
from linekey.phone.pages.sessions import Mode
from linekey.phone.pages.visit import Page, Visit
from linekey.phone.report import describe_phone, screen_of
from linekey.phone.state import PhoneState
from linekey.phone.uses.actions.urls import ACTIONS
from linekey.phone.uses.all import USES
from linekey.phone.uses.browser.browsing import Browsing, image_type
from linekey.phone.uses.use import Button

KEYS_SHOWN = 24
"""Function keys on the page; the largest desk phone of the catalogue has as many on
its own face, without side cars (L)."""


def describe_screen(state: PhoneState) -> dict[str, Any]:
    """What the phone's display and keys show."""
    document = screen_of(describe_phone(state))
    for use in USES:
        document |= use.offers(state)
    return document


async def show(visit: Visit) -> Response:
    """The page."""
    state = visit.state
    set_events = [e for e, name in ACTIONS.items() if state.setting(name).strip()]
    return visit.page(
        "screen",
        screen=describe_screen(state),
        keys_shown=KEYS_SHOWN,
        events=set_events,
        serial=state.part(Browsing).serial,
    )


async def image(visit: Visit) -> Response:
    """The image of the minibrowser's page."""
    data = visit.state.part(Browsing).image
    kind = image_type(data)
    if not kind:
        return visit.page("refused", 404, reason="no image is on the screen")
    return visit.respond(Response(data, media_type=kind))


LOOKS: dict[str, Page] = {"/screen": show, "/screen/image": image}


def _press(button: Button) -> Page:
    """Press it; what came of it is on the display, or said where it is not."""
    back = "/maintenance" if button.label else "/screen"

    async def press(visit: Visit) -> Response:
        if button.on_page and not _is_current(visit):
            return visit.back_to(back)
        try:
            event = button.event(visit.form, visit.state)
        except InputError as error:
            visit.say(False, error.message, error.hint)
            return visit.back_to(back)
        answer = await visit.pages.desk.tell(event)
        if answer is not None and (button.told or not answer.ok):
            said = visit.state.part(Display).message
            shown = answer.details or (said is not None and said.text == answer.text)
            if button.told or not shown:
                visit.say(answer.ok, answer.text, answer.hint)
        return visit.back_to(back)

    return press


def _is_current(visit: Visit) -> bool:
    """Whether the form was made for the page that is on the display."""
    if visit.form.get("serial") == str(visit.state.part(Browsing).serial):
        return True
    visit.say(False, "the page has changed meanwhile", "look at it, and choose again")
    return False


PRESSES: dict[str, tuple[Mode, Page]] = {
    f"/screen/{button.path}": (
        Mode.ADMIN if button.admin else Mode.USER,
        _press(button),
    )
    for use in (DEVICE, *USES)
    for button in use.buttons
}
