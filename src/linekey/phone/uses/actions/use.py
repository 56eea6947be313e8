"""Action URLs and keys: the phone tells a server, and shows what it answers."""

from collections.abc import Mapping

from linekey.errors import InputError
from linekey.phone.events import Event
from linekey.phone.keys import is_key_name
from linekey.phone.uses.actions import events, handle
from linekey.phone.uses.actions.urls import VARIABLES
from linekey.phone.uses.browser.events import BackPressed, BrowserLeft
from linekey.phone.uses.use import Button, Parameter, Request, Use, Verb, number_in


def action_event(event: str, variables: Mapping[str, str]) -> events.ActionHappened:
    """An event that somebody asks for. Raises InputError for unknown variables."""
    unknown = sorted(variables.keys() - VARIABLES)
    if unknown:
        raise InputError(
            f"no such action URL variable: {unknown[0]!r}",
            hint="one of: " + ", ".join(sorted(VARIABLES)),
        )
    return events.ActionHappened(event, dict(variables), asked=True)


def key_event(key: str) -> Event:
    """What a key's name means: a function key's idx, a key of the minibrowser, or a
    dedicated key (``DIRECTORY``, ``dkey_directory``).

    Raises InputError for anything else.
    """
    name = key.strip().upper()
    if name.isascii() and name.isdigit() and len(name) < 4:
        return events.KeyPressed(int(name))
    if name == "CANCEL":
        return BackPressed()
    if name == "EXIT":
        return BrowserLeft()
    if name in ("*", "#") or (name[:1] == "F" and name[1:].isdigit()):
        return events.SoftKeyPressed(name)
    if is_key_name(name):
        return events.NamedKeyPressed(name.lower().removeprefix("dkey_"))
    raise InputError(
        f"no such key: {key!r}",
        hint="a function key's idx, F1 … F4, *, #, CANCEL, EXIT, or a dedicated key, "
        "such as DIRECTORY for dkey_directory",
    )


def _happening(
    name: str, remote: str, local: str, display_remote: str, variable: list[str]
) -> events.ActionHappened:
    given = {"remote": remote, "local": local, "display_remote": display_remote}
    given |= dict(_pair(text) for text in variable)
    return action_event(name, {k: v for k, v in given.items() if v})


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise InputError(f"not NAME=VALUE: {text!r}", hint="such as call-id=77")
    return name.removeprefix("$"), value


def _in_form(form: Mapping[str, str]) -> events.ActionHappened:
    names = ("remote", "local", "display_remote", "call-id")
    given = {n: form[n] for n in names if form.get(n, "").strip()}
    return action_event(form.get("event", ""), given)


ACTIONS = Use(
    name="actions",
    takes={
        events.ActionHappened: handle.action_happened,
        events.KeyPressed: handle.key_pressed,
        events.NamedKeyPressed: handle.named_key_pressed,
        events.SoftKeyPressed: handle.soft_key_pressed,
    },
    requests=(
        Request(
            "event",
            events.ActionHappened,
            lambda e: action_event(e.event, e.variables),
            frozenset({"sip_headers", "asked"}),
        ),
        Request("press", events.KeyPressed),
        Request("press-named", events.NamedKeyPressed),
        Request("soft-key", events.SoftKeyPressed),
    ),
    verbs=(
        Verb(
            "event",
            "Let something happen, and the phone fetch the action URL that is set for "
            "it.\n\nA page of minibrowser XML in the answer is shown on the phone's "
            "screen.",
            _happening,
            (
                Parameter("name", "incoming, dnd_on, reg_failed …", "EVENT"),
                Parameter(
                    "remote",
                    "Who calls: $remote.",
                    option="--remote",
                    required=False,
                ),
                Parameter(
                    "local",
                    "Who is called: $local.",
                    option="--local",
                    required=False,
                ),
                Parameter(
                    "display_remote",
                    "The caller's name: $display_remote.",
                    option="--display-remote",
                    required=False,
                ),
                Parameter(
                    "variable",
                    "Any other.",
                    "NAME=VALUE",
                    "texts",
                    option="--variable",
                    required=False,
                ),
            ),
        ),
        Verb(
            "press",
            "Press a function key, or a soft key of the page on the screen.",
            key_event,
            (
                Parameter(
                    "key",
                    "A function key's idx (0, 1 …); on a minibrowser page also F1 … "
                    "F4, *, #, CANCEL, EXIT.",
                    "KEY",
                ),
            ),
        ),
    ),
    buttons=(
        Button("key", lambda form, _: events.KeyPressed(number_in(form, "idx"))),
        Button(
            "named-key",
            lambda form, _: events.NamedKeyPressed(form.get("name", "")[:48]),
        ),
        Button(
            "soft-key",
            lambda form, _: events.SoftKeyPressed(form.get("key", "")[:8]),
            on_page=True,
        ),
        Button("event", lambda form, _: _in_form(form), admin=True),
    ),
)
