"""The phone's applications as a state machine: events in, commands out.

Theory of operation: ``handle_app(state, event, now)`` gives the state afterwards and
what is to be done. Every command (``OpenPage``, ``SearchDirectory``, …) is answered by
an event that comes back here, so that whoever pressed the key learns in the end what it
came to, in an ``Answer``. Nothing here waits or fails.

Rules: what a server's page asks for is followed only as ``browser.minibrowser.follow``
allows; a secret expands to nothing in any URL (SNOM-SETTING, H); a URL is masked in
log and screen; this phone has no speech, and says of a key that would call somebody
what a real phone would do (L).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from linekey.catalog.secrecy import mask_url
from linekey.errors import CertificateError, InputError
from linekey.phone.app_events import (
    ActionHappened,
    AppEvent,
    BackPressed,
    BrowserLeft,
    EntryChosen,
    FetchTimeCame,
    FormSubmitted,
    KeyPressed,
    LineMoved,
    LineNoted,
    LinesRead,
    LookupEnded,
    LookupWanted,
    MessageRead,
    NamedKeyPressed,
    NetworkCertificateUploaded,
    NetworkLoginEnded,
    NetworkLoginWanted,
    OpenPage,
    PageFailed,
    PageFetched,
    ReopenAfter,
    SearchDirectory,
    SoftKeyPressed,
)
from linekey.phone.apps import (
    Apps,
    DirectoryView,
    Message,
    describe_lookup,
    image_type,
)
from linekey.phone.document import FunctionKey
from linekey.phone.events import Answer, Command, Save
from linekey.phone.keys import KEY_TYPES, find_named_key, is_key_name, settings_of
from linekey.phone.own_refusal import cure_of_answer
from linekey.phone.state import Level, PhoneState
from linekey.phone.urls import parse_url
from linekey.phone.uses.actions.urls import Happening, expand, setting_for
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
from linekey.phone.uses.directory.look_up import LookupResult
from linekey.phone.uses.directory.settings import filter_for, read_directory
from linekey.phone.uses.network.login import begin_login, end_login
from linekey.phone.uses.sip.registration import LineState
from linekey.phone.wording import counted
from linekey.trust.connection import Purpose
from linekey.trust.http_refusal import HttpRefusal, read_http_refusal
from linekey.trust.store import read_upload
from linekey.xmldoc import XmlError

_RETRY_FETCH_S: Final = 30.0
"""A page's own ``<Fetch>`` that failed is tried again after this, or its own time."""
_FAILED_LINES: Final = frozenset({LineState.WAITING})
_LATE: Final = "another page was asked for meanwhile"
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})

Result = tuple[PhoneState, list[Command]]
"""What a real phone does with a key that needs speech or its own menus (SNOM-KEYS,
M for the types)."""


def handle_app(state: PhoneState, event: AppEvent, now: datetime) -> Result:
    """Take one event of the applications; return the state and what to do."""
    match event:
        case LinesRead():
            return _lines_read(state, event, now)
        case LineMoved():
            return _line_moved(state, event, now)
        case LineNoted(index=index, text=text):
            text = f"line {index}: {text}"
            return state.with_log(now, Purpose.SIP, text, level="warning"), [Save()]
        case ActionHappened():
            return _action(state, event, now)
        case KeyPressed():
            return _key(state, event, now)
        case NamedKeyPressed(name=name):
            return _named_key(state, name, now)
        case EntryChosen(number=number):
            return _step(state, state.apps.browser.choose(number), now)
        case SoftKeyPressed(key=key):
            return _soft_key(state, key, now)
        case FormSubmitted(values=values):
            return _step(state, state.apps.browser.submit(values), now)
        case BackPressed():
            return _back(state)
        case BrowserLeft():
            return _leave(_apps(state, replace(state.apps, directory=None)))
        case FetchTimeCame(serial=serial):
            return _fetch_time(state, serial, now)
        case PageFetched():
            return _page_fetched(state, event, now)
        case PageFailed():
            return _page_failed(state, event, now)
        case MessageRead():
            return _apps(state, replace(state.apps, message=None)), [
                Answer(True, "read")
            ]
        case LookupWanted(text=text):
            return _lookup(state, text, now)
        case LookupEnded():
            return _lookup_ended(state, event, now)
        case NetworkCertificateUploaded():
            return _network_upload(state, event, now)
        case NetworkLoginWanted():
            return begin_login(state, event, now)
        case NetworkLoginEnded():
            return end_login(state, event, now)
    raise AssertionError(f"an event that nobody takes: {type(event).__name__}")


def _apps(state: PhoneState, apps: Apps) -> PhoneState:
    return replace(state, apps=apps)


def _tell(
    state: PhoneState,
    purpose: Purpose,
    answer: Answer,
    now: datetime,
    *details: str,
    level: Level | None = None,
) -> Result:
    """Say it in the log, on the screen and to whoever asked."""
    level = level or ("info" if answer.ok else "error")
    message = Message(answer.ok, answer.text, answer.hint)
    state = _apps(state, replace(state.apps, message=message, opening=""))
    return state.with_log(now, purpose, answer.text, *details, level=level), [
        Save(),
        answer,
    ]


# --- lines -----------------------------------------------------------------------


def _lines_read(state: PhoneState, event: LinesRead, now: datetime) -> Result:
    before = state.apps
    lines = []
    for line in event.lines:
        old = before.line(line.index)
        same = old is not None and (old.account, old.peer, old.encrypted) == (
            line.account,
            line.peer,
            line.encrypted,
        )
        lines.append(
            replace(
                line,
                state=old.state,
                reason=old.reason,
                until=old.until,
                local_host=old.local_host,
            )
            if old is not None and same
            else line
        )
    state = _apps(state, replace(before, lines=tuple(lines)))
    for problem in event.problems:
        state = state.with_log(now, Purpose.SIP, problem, level="error")
    return state, [Save()] if event.problems else []


def _line_moved(state: PhoneState, event: LineMoved, now: datetime) -> Result:
    line = state.apps.line(event.index)
    if line is None:
        return state, []
    was = line.state
    line = replace(
        line,
        state=event.state,
        reason=event.reason,
        until=event.until,
        local_host=event.local_host or line.local_host,
    )
    state = _apps(state, state.apps.with_line(line))
    text = f"line {event.index}, {line.account}: {event.reason}"
    quiet = event.state in (LineState.CONNECTING, LineState.REGISTERING)
    if quiet and was not in (LineState.IDLE, LineState.WAITING):
        return state, []  # a refresh that goes well is told by its end
    failed = event.state in _FAILED_LINES
    state = state.with_log(
        now, Purpose.SIP, text, level="warning" if failed else "info"
    )
    if failed and event.failed:
        variables = {"local": line.account.removeprefix("sip:")}
        state, commands = _action(state, ActionHappened("reg_failed", variables), now)
        return state, [Save(), *commands]
    return state, [Save()]


# --- action URLs and function keys -------------------------------------------------


def _expand(state: PhoneState, url: str, happening: Happening) -> str:
    def setting(name: str) -> str | None:
        return str(state.mac) if name == "mac" else state.setting(name)

    return expand(url, happening, setting)


def _variables(state: PhoneState, given: Mapping[str, str]) -> dict[str, str]:
    """What the phone knows by itself, under what the event brings."""
    known: dict[str, str] = {}
    if state.apps.lines:
        line = next(
            (x for x in state.apps.lines if x.state is LineState.REGISTERED),
            state.apps.lines[0],
        )
        address = line.account.removeprefix("sip:")
        known = {
            "local": address,
            "active_url": address,
            "active_user": address.partition("@")[0],
            "active_host": address.partition("@")[2],
            "display_local": line.label,
            "phone_ip": line.local_host,
            "local_ip": line.local_host,
        }
    return {**known, **{k: v for k, v in given.items() if v}}


def _action(state: PhoneState, event: ActionHappened, now: datetime) -> Result:
    try:
        name = setting_for(event.event)
    except InputError as error:
        return state, [Answer(False, error.message, error.hint)]
    template = state.setting(name).strip()
    if not template:
        if not event.asked:
            return state, []
        hint = f"set it: linekey phone set {name} https://…"
        return state, [Answer(False, f"{name} is not set on this phone", hint)]
    happening = Happening(_variables(state, event.variables), event.sip_headers)
    return _open(state, _expand(state, template, happening), Purpose.ACTION_URL, now)


def _key(state: PhoneState, event: KeyPressed, now: datetime) -> Result:
    key = state.function_key(event.idx)
    if key is None:
        have = ", ".join(str(k.idx) for k in state.function_keys[:20]) or "none"
        return state, [
            Answer(False, f"function key {event.idx} is not set", f"set are: {have}")
        ]
    label = key.label or key.type
    return _pressed(state, key, str(event.idx), f"key {event.idx} ({label})", now)


def _named_key(state: PhoneState, name: str, now: datetime) -> Result:
    if not is_key_name(name):
        hint = "a dedicated key's name, such as directory for dkey_directory"
        return state, [Answer(False, f"no such key: {name[:40]!r}", hint)]
    found = find_named_key(name, state.setting)
    if found is None:
        wanted = " or ".join(
            n if idx is None else f"{n}[{idx}]" for n, idx in settings_of(name)
        )
        hint = f"set {wanted}, as url https://…"
        return state, [Answer(False, f"the key {name} is not set on this phone", hint)]
    return _pressed(state, found.key, found.key.label, f"key {found.setting}", now)


def _pressed(
    state: PhoneState, key: FunctionKey, active: str, said: str, now: datetime
) -> Result:
    """Do what a key does; ``active`` is what ``$active_key`` stands for."""
    kind = key.type.lower()
    if kind in ("url", "action_url"):
        happening = Happening(_variables(state, {"active_key": active}), _NOBODY)
        url = _expand(state, key.value.strip(), happening)
        return _open(state, url, Purpose.FUNCTION_KEY, now)
    does = KEY_TYPES.get(kind, f"would do what {kind!r} means to it")
    value = mask_url(key.value.strip())
    if kind == "line" and not value:
        does = "would take a free line"
    text = does.format(value=value or "of its own")
    answer = Answer(True, f"{said}: a real phone {text}")
    return _tell(state, Purpose.FUNCTION_KEY, answer, now)


def _open(
    state: PhoneState,
    url: str,
    purpose: Purpose,
    now: datetime,
    *,
    by_timer: bool = False,
    typed: tuple[str, ...] = (),
) -> Result:
    shown = mask_url(url, typed)
    try:
        parse_url(url)
    except InputError as error:
        text = f"{shown}: {mask_url(error.message, typed)}"
        return _tell(state, purpose, Answer(False, text, error.hint), now)
    number = 0
    if purpose is not Purpose.ACTION_URL:
        number = state.apps.asked + 1
        said = state.apps.message if _is_behind(state, by_timer) else None
        state = _apps(
            state, replace(state.apps, asked=number, opening=shown, message=said)
        )
    return state, [OpenPage(url, purpose, number, by_timer=by_timer, typed=typed)]


# --- minibrowser -------------------------------------------------------------------


def _step(
    state: PhoneState, step: Step, now: datetime, *, by_timer: bool = False
) -> Result:
    match step:
        case Open(url=url, typed=typed):
            return _open(
                state, url, Purpose.MINIBROWSER, now, by_timer=by_timer, typed=typed
            )
        case Leave(actions=actions):
            if actions:
                what = f"a real phone would do: {', '.join(actions)[:200]}"
                state = state.with_log(now, Purpose.MINIBROWSER, what)
            return _leave(state)
        case Dial(number=number):
            answer = Answer(True, f"a real phone would call {number[:80]}")
            return _tell(state, Purpose.MINIBROWSER, answer, now)
        case Stay(reason=reason):
            state = _apps(state, replace(state.apps, message=Message(False, reason)))
            return state, [Answer(False, reason)]


def _soft_key(state: PhoneState, key: str, now: datetime) -> Result:
    browser = state.apps.browser
    meant = browser.page is not None and any(
        link.key.upper() == key.upper() for link in browser.page.soft_keys
    )
    if key.upper() == "CANCEL" and not meant:
        return _back(state)
    if browser.page is None and find_named_key(key, state.setting) is not None:
        return _named_key(state, key, now)  # a key under the screen, outside of pages
    return _step(state, browser.press(key), now)


def _back(state: PhoneState) -> Result:
    if state.apps.directory is not None:
        state = _apps(state, replace(state.apps, directory=None, message=None))
        return state, [Answer(True, "the directory was closed")]
    if state.apps.browser.page is None:
        return state, [Answer(False, "no page is shown")]
    apps = state.apps.with_browser(state.apps.browser.back())
    # Whatever is under way belongs to the page that was left.
    state = _apps(state, replace(apps, asked=apps.asked + 1, message=None))
    page = apps.browser.page
    if page is None:
        return state, [Answer(True, "the minibrowser was closed")]
    return state, [*_page_needs(state), Answer(True, _title(page))]


def _leave(state: PhoneState) -> Result:
    apps = state.apps.with_browser(Minibrowser())
    state = _apps(state, replace(apps, asked=apps.asked + 1, message=None))
    return state, [Answer(True, "the minibrowser was closed")]


def _fetch_time(state: PhoneState, serial: int, now: datetime) -> Result:
    apps = state.apps
    if serial != apps.serial or apps.browser.due is None:
        return state, []
    if apps.opening:  # somebody pressed a key in the same moment; the page goes anyway
        return state, [ReopenAfter(_fetch_again_s(state), serial)]
    return _step(state, apps.browser.timer(), now, by_timer=True)


def _fetch_again_s(state: PhoneState) -> float:
    page = state.apps.browser.due
    wanted = page.fetch_after_ms / 1000 if page is not None else 0.0
    return max(wanted, _RETRY_FETCH_S)


def _page_needs(state: PhoneState) -> list[Command]:
    """What the page that is now shown wants by itself: its image, its next page."""
    page, due = state.apps.browser.page, state.apps.browser.due
    commands: list[Command] = []
    if due is not None and due.fetch_url:
        commands.append(ReopenAfter(due.fetch_after_ms / 1000, state.apps.serial))
    if page is None:
        return commands
    if page.image_url and not state.apps.image:
        number = state.apps.serial
        commands.append(
            OpenPage(
                page.image_url,
                Purpose.MINIBROWSER,
                number,
                image=True,
                typed=page.typed,
            )
        )
    return commands


def _title(page: Page) -> str:
    if page.kind == "silent":
        return "a page that shows nothing"
    name = page.title or page.prompt or (page.lines[0] if page.lines else "")
    return f"on the screen: {name}" if name else f"on the screen: a page of {page.kind}"


def _is_late(state: PhoneState, request: OpenPage) -> bool:
    if request.image:
        return request.number != state.apps.serial
    return request.number not in (0, state.apps.asked)


def _page_fetched(state: PhoneState, event: PageFetched, now: datetime) -> Result:
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
        return _page_problem(state, request, Answer(False, text, hint), now)
    if _is_late(state, request):
        return state, [Answer(False, _LATE)]
    if request.image:
        return _image_fetched(state, event, now)
    if not event.body.strip():
        text = f"{shown}: the server answered, without a page"
        return _tell(state, purpose, Answer(True, text), now)
    try:
        page = parse_page(event.body, event.url, request.typed)
    except (XmlError, PageError) as error:
        if purpose is Purpose.MINIBROWSER or _looks_like_page(event.body):
            text = f"{shown}: {request.shown(error.message)}"
            answer = Answer(False, text, error.hint)
            return _page_problem(state, request, answer, now)
        text = f"{shown}: the server answered {event.status}; it is no page to show"
        return _tell(state, purpose, Answer(True, text), now)
    apps = state.apps.with_browser(state.apps.browser.show(page))
    if not _is_behind(state, request.by_timer):
        apps = replace(apps, directory=None, message=None)
    state = _apps(state, apps)
    state = state.with_log(now, purpose, f"{shown}: {_title(page)}")
    return state, [Save(), *_page_needs(state), Answer(True, _title(page))]


def _is_behind(state: PhoneState, by_timer: bool) -> bool:
    """Whether a page renews itself behind what somebody asked for since."""
    return by_timer and state.apps.in_front == "directory"


def _looks_like_page(body: bytes) -> bool:
    return b"ipphone" in body[:2048].lower()


def _image_fetched(state: PhoneState, event: PageFetched, now: datetime) -> Result:
    shown = event.request.shown(event.url)
    if not image_type(event.body):
        answer = Answer(
            False,
            f"{shown} is no image that the phone can show",
            "give it as PNG, JPEG, GIF or BMP",
        )
        return _tell(state, Purpose.MINIBROWSER, answer, now)
    state = _apps(state, replace(state.apps, image=event.body))
    return state, [Answer(True, "the image is on the screen")]


def _page_failed(state: PhoneState, event: PageFailed, now: datetime) -> Result:
    request = event.request
    text = f"{request.shown()}: {request.shown(event.reason)}"
    return _page_problem(state, request, Answer(False, text, event.hint), now)


def _page_problem(
    state: PhoneState, request: OpenPage, answer: Answer, now: datetime
) -> Result:
    """Say it; a page that renews itself tries again later.

    Where another page was asked for meanwhile, the screen is that one's.
    """
    if _is_late(state, request):
        state = state.with_log(now, request.purpose, answer.text, _LATE, level="error")
        text = f"{answer.text}; {_LATE}"
        return state, [Save(), Answer(False, text, answer.hint)]
    state, commands = _tell(state, request.purpose, answer, now)
    if request.by_timer and state.apps.browser.page is not None:
        commands.insert(1, ReopenAfter(_fetch_again_s(state), state.apps.serial))
    return state, commands


# --- directory -----------------------------------------------------------------------


def _lookup(state: PhoneState, text: str, now: datetime) -> Result:
    text = text.strip()
    try:
        settings = read_directory(
            state.setting, substrings=state.profile.ldap_substrings
        )
        if settings is not None and text:
            filter_for(settings, text)  # what cannot be a filter shows now
    except InputError as error:
        return _tell(state, Purpose.LDAP, Answer(False, error.message, error.hint), now)
    if settings is None:
        answer = Answer(
            False,
            "this phone has no directory: ldap_server is not set",
            "provision ldap_server, ldap_over_tls, ldap_base",
        )
        return state, [answer]
    if not text or len(text) > 128:
        answer = Answer(False, "type a name or a number, of at most 128 characters")
        return state, [answer]
    return state, [SearchDirectory(settings, text)]


def _lookup_ended(state: PhoneState, event: LookupEnded, now: datetime) -> Result:
    result: LookupResult = event.result
    view = DirectoryView(event.text, result, now)
    state = _apps(state, replace(state.apps, directory=view, message=None))
    details = {"lookup": describe_lookup(result)}
    if result.problem:
        state = state.with_log(
            now, Purpose.LDAP, result.problem, *result.notes, level="error"
        )
        return state, [Save(), Answer(False, result.problem, result.cure, details)]
    text = f"{counted(len(result.entries), 'hit')} in the directory"
    state = _apps(state, replace(state.apps, message=Message(True, text)))
    state = state.with_log(now, Purpose.LDAP, text, *result.notes)
    return state, [Save(), Answer(True, text, "", details)]


# --- the 802.1X shelf ----------------------------------------------------------------


def _network_upload(
    state: PhoneState, event: NetworkCertificateUploaded, now: datetime
) -> Result:
    """Put an authority on the 802.1X shelf: DER, in admin mode (L: as server ones)."""
    reason, hint, accepted = "only in admin mode", "log in as administrator", False
    if event.admin:
        try:
            certificate = read_upload(event.data)
        except CertificateError as error:
            reason, hint = error.message, error.hint
        else:
            trust = state.trust.with_ieee8021x(certificate).without_unknown(certificate)
            state = replace(state, trust=trust)
            accepted, hint = True, ""
            reason = f"{certificate.label} is on the 802.1X shelf"
    text = f"802.1X upload{'' if accepted else ' refused'}: {reason}"
    state = state.with_log(
        now, "certificates", text, level="info" if accepted else "error"
    )
    return state, [Save(), Answer(accepted, text, hint)]
