"""Action URLs and keys: the URL that is set for what happened is opened.

Rules: a secret expands to nothing in any URL (SNOM-SETTING, H); a URL is masked in log
and screen; this phone has no speech, and says of a key that would call somebody what a
real phone would do (SNOM-KEYS, M for the types).
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from linekey.catalog.secrecy import mask_url
from linekey.errors import InputError
from linekey.phone.display import tell
from linekey.phone.document import FunctionKey
from linekey.phone.events import Event, Reply
from linekey.phone.keys import KEY_TYPES, find_named_key, is_key_name, settings_of
from linekey.phone.state import PhoneState
from linekey.phone.uses import words
from linekey.phone.uses.actions.events import (
    ActionHappened,
    KeyPressed,
    NamedKeyPressed,
    SoftKeyPressed,
)
from linekey.phone.uses.actions.urls import VARIABLES, Happening, expand, setting_for
from linekey.phone.uses.browser.browsing import Browsing
from linekey.phone.uses.browser.events import BackPressed, BrowserLeft
from linekey.phone.uses.browser.handle import back_pressed, open_page, take_step
from linekey.phone.uses.sip.lines import Lines
from linekey.phone.uses.sip.states import LineState
from linekey.phone.uses.use import (
    Button,
    Request,
    Result,
    Use,
    Verb,
    number_in,
)
from linekey.trust.connection import Purpose
from linekey.words import choice_hint

_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


def _expand(state: PhoneState, url: str, happening: Happening) -> str:
    def setting(name: str) -> str | None:
        return str(state.mac) if name == "mac" else state.setting(name)

    return expand(url, happening, setting)


def _variables(state: PhoneState, given: Mapping[str, str]) -> dict[str, str]:
    """What the phone knows by itself, under what the event brings."""
    known: dict[str, str] = {}
    lines = state.part(Lines).lines
    if lines:
        line = next(
            (x for x in lines if x.state is LineState.REGISTERED),
            lines[0],
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


def action_happened(state: PhoneState, event: ActionHappened, now: datetime) -> Result:
    """Fetch the action URL that is set for it."""
    try:
        name = setting_for(event.event)
    except InputError as error:
        return state, [Reply(False, error.message, error.hint)]
    template = state.setting(name).strip()
    if not template:
        if not event.asked:
            return state, []
        hint = f"set it: linekey phone set {name} https://…"
        return state, [Reply(False, f"{name} is not set on this phone", hint)]
    happening = Happening(_variables(state, event.variables), event.sip_headers)
    return open_page(
        state, _expand(state, template, happening), Purpose.ACTION_URL, now
    )


def key_pressed(state: PhoneState, event: KeyPressed, now: datetime) -> Result:
    """Do what the function key is set to."""
    key = state.function_key(event.idx)
    if key is None:
        have = ", ".join(str(k.idx) for k in state.function_keys[:20]) or "none"
        return state, [
            Reply(False, f"function key {event.idx} is not set", f"set are: {have}")
        ]
    label = key.label or key.type
    return _pressed(state, key, str(event.idx), f"key {event.idx} ({label})", now)


def named_key_pressed(
    state: PhoneState, event: NamedKeyPressed, now: datetime
) -> Result:
    """Do what the dedicated key is set to."""
    name = event.name
    if not is_key_name(name):
        hint = "a dedicated key's name, such as directory for dkey_directory"
        return state, [Reply(False, f"no such key: {name[:40]!r}", hint)]
    found = find_named_key(name, state.setting)
    if found is None:
        wanted = " or ".join(
            n if idx is None else f"{n}[{idx}]" for n, idx in settings_of(name)
        )
        hint = f"set {wanted}, as url https://…"
        return state, [Reply(False, f"the key {name} is not set on this phone", hint)]
    return _pressed(state, found.key, found.key.label, f"key {found.setting}", now)


def _pressed(
    state: PhoneState, key: FunctionKey, active: str, said: str, now: datetime
) -> Result:
    """Do what a key does; ``active`` is what ``$active_key`` stands for."""
    kind = key.type.lower()
    if kind in ("url", "action_url"):
        happening = Happening(_variables(state, {"active_key": active}), _NOBODY)
        url = _expand(state, key.value.strip(), happening)
        return open_page(state, url, Purpose.FUNCTION_KEY, now)
    does = KEY_TYPES.get(kind, f"would do what {kind!r} means to it")
    value = mask_url(key.value.strip())
    if kind == "line" and not value:
        does = "would take a free line"
    text = does.format(value=value or "of its own")
    reply = Reply(True, f"{said}: a real phone {text}")
    return tell(state, Purpose.FUNCTION_KEY, reply, now)


def soft_key_pressed(state: PhoneState, event: SoftKeyPressed, now: datetime) -> Result:
    """Do what the page that is shown makes of it; without one, what is set."""
    key, browser = event.key, state.part(Browsing).browser
    meant = browser.page is not None and any(
        link.key.upper() == key.upper() for link in browser.page.soft_keys
    )
    if key.upper() == "CANCEL" and not meant:
        return back_pressed(state, BackPressed(), now)
    if browser.page is None and find_named_key(key, state.setting) is not None:
        pressed = NamedKeyPressed(key)
        return named_key_pressed(
            state, pressed, now
        )  # a key under the screen, outside of pages
    return take_step(state, browser.press(key), now)


def action_event(event: str, variables: Mapping[str, str]) -> ActionHappened:
    """An event that somebody asks for. Raises InputError for unknown variables."""
    unknown = sorted(variables.keys() - VARIABLES)
    if unknown:
        raise InputError(
            f"no such action URL variable: {unknown[0]!r}",
            hint=choice_hint(unknown[0], sorted(VARIABLES)),
        )
    return ActionHappened(event, dict(variables), asked=True)


def key_event(key: str) -> Event:
    """What a key's name means: a function key's idx, a key of the minibrowser, or a
    dedicated key (``DIRECTORY``, ``dkey_directory``).

    Raises InputError for anything else.
    """
    name = key.strip().upper()
    if name.isascii() and name.isdigit() and len(name) < 4:
        return KeyPressed(int(name))
    if name == "CANCEL":
        return BackPressed()
    if name == "EXIT":
        return BrowserLeft()
    if name in ("*", "#") or (name[:1] == "F" and name[1:].isdigit()):
        return SoftKeyPressed(name)
    if is_key_name(name):
        return NamedKeyPressed(name.lower().removeprefix("dkey_"))
    raise InputError(
        f"no such key: {key!r}",
        hint="a function key's idx, F1 … F4, *, #, CANCEL, EXIT, or a dedicated key, "
        "such as DIRECTORY for dkey_directory",
    )


def _happening(
    name: str, remote: str, local: str, display_remote: str, variable: list[str]
) -> ActionHappened:
    given = {"remote": remote, "local": local, "display_remote": display_remote}
    given |= dict(_pair(text) for text in variable)
    return action_event(name, {k: v for k, v in given.items() if v})


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise InputError(f"not NAME=VALUE: {text!r}", hint="such as call-id=77")
    return name.removeprefix("$"), value


def _in_form(form: Mapping[str, str]) -> ActionHappened:
    names = ("remote", "local", "display_remote", "call-id")
    given = {n: form[n] for n in names if form.get(n, "").strip()}
    return action_event(form.get("event", ""), given)


ACTIONS = Use(
    name="actions",
    takes={
        ActionHappened: action_happened,
        KeyPressed: key_pressed,
        NamedKeyPressed: named_key_pressed,
        SoftKeyPressed: soft_key_pressed,
    },
    requests=(
        Request(
            "event",
            ActionHappened,
            lambda e: action_event(e.event, e.variables),
            frozenset({"sip_headers", "asked"}),
        ),
        Request("press", KeyPressed),
        Request("press-named", NamedKeyPressed),
        Request("soft-key", SoftKeyPressed),
    ),
    verbs=(
        Verb(words.EVENT, _happening),
        Verb(words.PRESS, key_event),
    ),
    buttons=(
        Button("key", lambda form, _: KeyPressed(number_in(form, "idx"))),
        Button(
            "named-key",
            lambda form, _: NamedKeyPressed(form.get("name", "")[:48]),
        ),
        Button(
            "soft-key",
            lambda form, _: SoftKeyPressed(form.get("key", "")[:8]),
            on_page=True,
        ),
        Button("event", lambda form, _: _in_form(form), admin=True),
    ),
)
