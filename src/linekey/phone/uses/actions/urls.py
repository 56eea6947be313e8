"""Action URLs: the phone tells a server, by an HTTP(S) GET, that something happened.

``ACTIONS`` maps an event to the setting that holds its URL; ``expand`` puts the values
into it. Nothing here fetches.

Rules (SNOM-SETTING): ``$name`` is a run-time variable, or any setting
(``$user_name1``), or ``$sip_header(NAME)`` (H); **a secret expands to nothing** (H);
what is not known expands to nothing (L); in the path a ``&`` right after a variable
only ends its name, in the query it separates parameters as always (M). Values are
percent-encoded, so a caller's display name cannot change the URL's shape (L: the vendor
does not say; anything else would be a hole).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

from linekey.catalog.secrecy import is_secret, is_secret_value
from linekey.errors import InputError
from linekey.words import choice_hint

_WITH_URL = (
    "incoming outgoing setup offhook onhook missed connected disconnected dnd_on"
    " dnd_off redirection_on redirection_off log_on log_off".split()
)
_WITHOUT_URL = (
    "reg_failed hold unhold transfer blind_transfer attended_transfer".split()
)

_OF_TEMPLATES = ("blacklist", "longpress", "received_subscr_notify")

ACTIONS: Mapping[str, str] = MappingProxyType(
    {event: f"action_{event}_url" for event in (*_WITH_URL, *_OF_TEMPLATES)}
    | {event: f"action_{event}" for event in _WITHOUT_URL}
    | {"received_attended_transfer": "action_received_attended_transfer"}
)
"""Event → setting name (SNOM-SETTING, H; ``_OF_TEMPLATES`` and the last by
PBX-TEMPLATES, M)."""

VARIABLES = frozenset(
    "local remote active_url active_user active_host call-id display_local"
    " display_remote active_key phone_ip local_ip nr_ongoing_calls context_url"
    " cancel_reason longpress_key".split()
)
"""Run-time variables (SNOM-SETTING, H). ``mac`` is a setting to this module."""

_VARIABLE = re.compile(
    r"\$(?:sip_header\((?P<header>[^)]*)\)"
    r"|(?P<name>call-id|[A-Za-z_][A-Za-z0-9_]*))"
    r"(?P<amp>&)?"
)


@dataclass(frozen=True, slots=True)
class Happening:
    """What is known at the moment of an event."""

    variables: Mapping[str, str]
    """Values of ``VARIABLES``; those that are missing expand to nothing."""
    sip_headers: Mapping[str, str]
    """Headers of the SIP message at hand, names in lower case."""


def setting_for(event: str) -> str:
    """Return the name of the setting that holds an event's URL.

    Takes ``incoming``, ``dnd_on`` … or the setting's own name. Raises InputError, with
    all events in the hint, for anything else.
    """
    name = event.strip().lower().replace("-", "_")
    if name in ACTIONS:
        return ACTIONS[name]
    if name in ACTIONS.values():
        return name
    raise InputError(
        f"no such phone event: {event!r}", hint=choice_hint(name, sorted(ACTIONS))
    )


def expand(
    template: str, happening: Happening, setting: Callable[[str], str | None]
) -> str:
    """Put values into an action URL.

    ``setting`` looks a phone setting up by name (``user_name1``, ``mac``), None when
    unknown. Run-time variables win over settings of the same name.
    """
    path_end = template.find("?")
    if path_end < 0:
        path_end = len(template)

    def value_of(match: re.Match[str]) -> str:
        in_path = match.start() < path_end
        ampersand = (match["amp"] or "") if not in_path else ""
        value = _value(match, happening, setting)
        # A display name comes from a stranger; what is no text becomes a "?".
        return quote(value, safe="", errors="replace") + ampersand

    return _VARIABLE.sub(value_of, template)


def _value(
    match: re.Match[str], happening: Happening, setting: Callable[[str], str | None]
) -> str:
    if match["header"] is not None:
        return happening.sip_headers.get(match["header"].strip().lower(), "")
    name = match["name"]
    if name in VARIABLES:
        return happening.variables.get(name, "")
    if is_secret(name):
        return ""
    value = setting(name) or ""
    return "" if is_secret_value(value) else value
