"""The minibrowser's pages: what is opened, shown, left and renewed.

Rules: what a server's page asks for is followed only as ``minibrowser.follow`` allows;
a URL is masked in log and screen; of what needs speech this phone says what a real one
would do (L).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from linekey.catalog.secrecy import mask_url
from linekey.errors import InputError
from linekey.phone.display import Display, Message, tell, with_message
from linekey.phone.events import Command, Reply, Save, SendLater
from linekey.phone.own_refusal import cure_of_answer
from linekey.phone.state import PhoneState
from linekey.phone.urls import parse_url
from linekey.phone.uses import words
from linekey.phone.uses.browser.browsing import (
    Browsing,
    describe_browsing,
    image_type,
    in_front,
)
from linekey.phone.uses.browser.events import (
    BackPressed,
    BrowserLeft,
    EntryChosen,
    FetchTimeCame,
    FormSubmitted,
    OpenPage,
    PageFailed,
    PageFetched,
)
from linekey.phone.uses.browser.minibrowser import (
    Dial,
    Leave,
    Minibrowser,
    Open,
    Page,
    PageError,
    Stay,
    Step,
    parse_page,
)
from linekey.phone.uses.directory.handle import Directory
from linekey.phone.uses.use import (
    Button,
    Document,
    Request,
    Result,
    Use,
    Verb,
    number_in,
)
from linekey.trust.connection import Purpose
from linekey.trust.http_refusal import HttpRefusal, read_http_refusal
from linekey.xmldoc import XmlError

_RETRY_FETCH_S: Final = 30.0
"""A page's own ``<Fetch>`` that failed is tried again after this, or its own time."""
_LATE: Final = "another page was asked for meanwhile"


def open_page(
    state: PhoneState,
    url: str,
    purpose: Purpose,
    now: datetime,
    *,
    by_timer: bool = False,
    typed: tuple[str, ...] = (),
) -> Result:
    """Have a URL fetched; a page that comes is shown."""
    shown = mask_url(url, typed)
    try:
        parse_url(url)
    except InputError as error:
        text = f"{shown}: {mask_url(error.message, typed)}"
        return tell(state, purpose, Reply(False, text, error.hint), now)
    number = 0
    if purpose is not Purpose.ACTION_URL:
        browsing = state.part(Browsing)
        number = browsing.asked + 1
        said = state.part(Display).message if _is_behind(state, by_timer) else None
        state = state.with_part(replace(browsing, asked=number))
        state = state.with_part(Display(said, shown))
    return state, [OpenPage(url, purpose, number, by_timer=by_timer, typed=typed)]


def take_step(
    state: PhoneState, step: Step, now: datetime, *, by_timer: bool = False
) -> Result:
    """Do what the page that is shown makes of a key."""
    match step:
        case Open(url=url, typed=typed):
            return open_page(
                state, url, Purpose.MINIBROWSER, now, by_timer=by_timer, typed=typed
            )
        case Leave(actions=actions):
            if actions:
                what = f"a real phone would do: {', '.join(actions)[:200]}"
                state = state.with_log(now, Purpose.MINIBROWSER, what)
            return _leave(state)
        case Dial(number=number):
            reply = Reply(True, f"a real phone would call {number[:80]}")
            return tell(state, Purpose.MINIBROWSER, reply, now)
        case Stay(reason=reason):
            return with_message(state, Message(False, reason)), [Reply(False, reason)]


def back_pressed(state: PhoneState, event: BackPressed, now: datetime) -> Result:
    """Close the last look-up, else the page."""
    if state.part(Directory).found is not None:
        state = with_message(state.with_part(Directory()), None)
        return state, [Reply(True, "the directory was closed")]
    if state.part(Browsing).browser.page is None:
        return state, [Reply(False, "no page is shown")]
    state = _left_for(state, state.part(Browsing).browser.back())
    page = state.part(Browsing).browser.page
    if page is None:
        return state, [Reply(True, "the minibrowser was closed")]
    return state, [*_page_needs(state), Reply(True, _title(page))]


def browser_left(state: PhoneState, event: BrowserLeft, now: datetime) -> Result:
    """Close everything."""
    return _leave(state.with_part(Directory()))


def _leave(state: PhoneState) -> Result:
    state = _left_for(state, Minibrowser())
    return state, [Reply(True, "the minibrowser was closed")]


def _left_for(state: PhoneState, browser: Minibrowser) -> PhoneState:
    browsing = state.part(Browsing).with_browser(browser)
    # Whatever is under way belongs to the page that was left.
    browsing = replace(browsing, asked=browsing.asked + 1)
    return state.with_part(browsing).with_part(Display())


def fetch_time_came(state: PhoneState, event: FetchTimeCame, now: datetime) -> Result:
    """Renew the page, if it is still the one that is shown."""
    browsing = state.part(Browsing)
    if event.serial != browsing.serial or browsing.browser.due is None:
        return state, []
    if state.part(Display).opening:
        # Somebody pressed a key in the same moment; the page goes anyway.
        return state, [_fetch_again(state)]
    return take_step(state, browsing.browser.timer(), now, by_timer=True)


def _fetch_again(state: PhoneState) -> SendLater:
    browsing = state.part(Browsing)
    page = browsing.browser.due
    wanted = page.fetch_after_ms / 1000 if page is not None else 0.0
    return SendLater(max(wanted, _RETRY_FETCH_S), FetchTimeCame(browsing.serial))


def _page_needs(state: PhoneState) -> list[Command]:
    """What the page that is now shown wants by itself: its image, its next page."""
    browsing = state.part(Browsing)
    page, due, serial = browsing.browser.page, browsing.browser.due, browsing.serial
    commands: list[Command] = []
    if due is not None and due.fetch_url:
        commands.append(SendLater(due.fetch_after_ms / 1000, FetchTimeCame(serial)))
    if page is not None and page.image_url and not browsing.image:
        image, browser = page.image_url, Purpose.MINIBROWSER
        commands.append(OpenPage(image, browser, serial, image=True, typed=page.typed))
    return commands


def _title(page: Page) -> str:
    if page.kind == "silent":
        return "a page that shows nothing"
    name = page.title or page.prompt or (page.lines[0] if page.lines else "")
    return f"on the screen: {name}" if name else f"on the screen: a page of {page.kind}"


def _is_late(state: PhoneState, request: OpenPage) -> bool:
    browsing = state.part(Browsing)
    if request.image:
        return request.number != browsing.serial
    return request.number not in (0, browsing.asked)


def page_fetched(state: PhoneState, event: PageFetched, now: datetime) -> Result:
    """Show what came, if it is a page, and still wanted."""
    request = event.request
    shown, purpose = request.shown(event.url), request.purpose
    if not 200 <= event.status < 300:
        text = f"{shown}: the server answered {event.status}"
        hint = "look at the server's log for this request"
        said = read_http_refusal(event.status, event.body)
        if said is not None:
            text += f": {said.refusal.sentence}"
            hint = said.refusal.cure
            if said.refusal is HttpRefusal.CERTIFICATE_REFUSED:
                hint = cure_of_answer(state, event.url, now) or hint
        return _problem(state, request, Reply(False, text, hint), now)
    if _is_late(state, request):
        return state, [Reply(False, _LATE)]
    if request.image:
        return _image_fetched(state, event, now)
    if not event.body.strip():
        text = f"{shown}: the server answered, without a page"
        return tell(state, purpose, Reply(True, text), now)
    try:
        page = parse_page(event.body, event.url, request.typed)
    except (XmlError, PageError) as error:
        if purpose is Purpose.MINIBROWSER or _looks_like_page(event.body):
            text = f"{shown}: {request.shown(error.message)}"
            return _problem(state, request, Reply(False, text, error.hint), now)
        text = f"{shown}: the server answered {event.status}; it is no page to show"
        return tell(state, purpose, Reply(True, text), now)
    browsing = state.part(Browsing)
    said_last = None
    if _is_behind(state, request.by_timer):
        said_last = state.part(Display).message
    else:
        state = state.with_part(Directory())
    state = state.with_part(browsing.with_browser(browsing.browser.show(page)))
    state = state.with_part(Display(said_last))
    state = state.with_log(now, purpose, f"{shown}: {_title(page)}")
    return state, [Save(), *_page_needs(state), Reply(True, _title(page))]


def _is_behind(state: PhoneState, by_timer: bool) -> bool:
    """Whether a page renews itself behind what somebody asked for since."""
    return by_timer and in_front(state) == "directory"


def _looks_like_page(body: bytes) -> bool:
    return b"ipphone" in body[:2048].lower()


def _image_fetched(state: PhoneState, event: PageFetched, now: datetime) -> Result:
    if not image_type(event.body):
        text = f"{event.request.shown(event.url)} is no image that the phone can show"
        reply = Reply(False, text, "give it as PNG, JPEG, GIF or BMP")
        return tell(state, Purpose.MINIBROWSER, reply, now)
    state = state.with_part(replace(state.part(Browsing), image=event.body))
    return state, [Reply(True, "the image is on the screen")]


def page_failed(state: PhoneState, event: PageFailed, now: datetime) -> Result:
    """Say why no answer came."""
    request = event.request
    text = f"{request.shown()}: {request.shown(event.reason)}"
    return _problem(state, request, Reply(False, text, event.hint), now)


def _problem(
    state: PhoneState, request: OpenPage, reply: Reply, now: datetime
) -> Result:
    """Say it; a page that renews itself tries again later.

    Where another page was asked for meanwhile, the screen is that one's.
    """
    if _is_late(state, request):
        state = state.with_log(now, request.purpose, reply.text, _LATE, level="error")
        text = f"{reply.text}; {_LATE}"
        return state, [Save(), Reply(False, text, reply.hint)]
    state, commands = tell(state, request.purpose, reply, now)
    if request.by_timer and state.part(Browsing).browser.page is not None:
        commands.insert(1, _fetch_again(state))
    return state, commands


def _values(form: Mapping[str, str], state: PhoneState) -> FormSubmitted:
    page = state.part(Browsing).browser.page
    count = 0 if page is None else len(page.fields)
    return FormSubmitted(tuple(form.get(f"value{n}", "")[:4096] for n in range(count)))


def page_lines(document: Document) -> list[str]:
    """The page that is shown, as lines of text."""
    page = document["apps"]["minibrowser"]
    lines = [text for text in (page["title"], page["prompt"]) if text]
    lines += [f"  {text}" for text in page["lines"]]
    if page["kind"] == "image":
        lines.append(f"  an image ({page['image'] or 'not there'})")
    for entry in page["entries"]:
        telephone = f"  {entry['telephone']}" if entry["telephone"] else ""
        lines.append(f"  {entry['number'] + 1}  {entry['label']}{telephone}")
    lines += [f"  [{field['label']}] {field['value']}" for field in page["fields"]]
    soft = [f"{key['key']} {key['label']}" for key in page["soft_keys"]]
    lines.append("soft keys: " + ", ".join([*soft, "CANCEL", "EXIT"]))
    return lines


BROWSER = Use(
    name="browser",
    takes={
        EntryChosen: lambda state, event, now: take_step(
            state, state.part(Browsing).browser.choose(event.number), now
        ),
        FormSubmitted: lambda state, event, now: take_step(
            state, state.part(Browsing).browser.submit(event.values), now
        ),
        BackPressed: back_pressed,
        BrowserLeft: browser_left,
        FetchTimeCame: fetch_time_came,
        PageFetched: page_fetched,
        PageFailed: page_failed,
    },
    errands=(OpenPage,),
    requests=(
        Request("choose", EntryChosen),
        Request("submit", FormSubmitted),
        Request("back", BackPressed),
        Request("leave", BrowserLeft),
    ),
    verbs=(
        Verb(words.CHOOSE, lambda number: EntryChosen(number - 1)),
        Verb(words.SUBMIT, lambda values: FormSubmitted(tuple(values))),
    ),
    buttons=(
        Button(
            "choose",
            lambda form, _: EntryChosen(number_in(form, "number")),
            on_page=True,
        ),
        Button("submit", _values, on_page=True),
        Button("back", lambda *_: BackPressed()),
        Button("leave", lambda *_: BrowserLeft()),
    ),
    describe=describe_browsing,
    in_front={"page": page_lines},
)
