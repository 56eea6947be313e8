"""What somebody asks of a running phone's applications, as JSON and as events.

The part of ``phone.requests`` that speaks of keys, pages, directory and 802.1X.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from linekey.errors import InputError
from linekey.phone.app_events import (
    ActionHappened,
    AppEvent,
    BackPressed,
    BrowserLeft,
    EntryChosen,
    FormSubmitted,
    KeyPressed,
    LookupWanted,
    MessageRead,
    NamedKeyPressed,
    NetworkCertificateUploaded,
    NetworkLoginWanted,
    SoftKeyPressed,
)
from linekey.phone.typed import check_typed
from linekey.phone.urls import is_host
from linekey.phone.uses.actions.urls import VARIABLES

_MOST_TEXT = 4096
"""Characters of one text; a form's field or a display name."""
_PLAIN: dict[str, type[BackPressed | BrowserLeft | MessageRead]] = {
    "back": BackPressed,
    "leave": BrowserLeft,
    "read-message": MessageRead,
}


def to_app_request(event: AppEvent) -> dict[str, Any]:
    """The JSON object for an event. Raises ValueError for one that nobody may send."""
    match event:
        case ActionHappened(event=name, variables=variables):
            return {"do": "event", "event": name, "variables": dict(variables)}
        case KeyPressed(idx=idx):
            return {"do": "press", "idx": idx}
        case NamedKeyPressed(name=name):
            return {"do": "press-named", "name": name}
        case EntryChosen(number=number):
            return {"do": "choose", "number": number}
        case SoftKeyPressed(key=key):
            return {"do": "soft-key", "key": key}
        case FormSubmitted(values=values):
            return {"do": "submit", "values": list(values)}
        case LookupWanted(text=text):
            return {"do": "lookup", "text": text}
        case NetworkCertificateUploaded(data=data, admin=admin):
            return {
                "do": "upload-8021x",
                "data": base64.b64encode(data).decode("ascii"),
                "admin": admin,
            }
        case NetworkLoginWanted(host=host, port=port, secret=secret):
            return {"do": "dot1x", "host": host, "port": port, "secret": secret}
    for name, kind in _PLAIN.items():
        if isinstance(event, kind):
            return {"do": name}
    raise ValueError(f"no request: {type(event).__name__}")


def parse_app_request(document: Mapping[str, Any]) -> AppEvent | None:
    """Read what ``to_app_request`` wrote; None for a request of another kind.

    Raises InputError for one of these whose parts are wrong.
    """
    what = document.get("do")
    match what:
        case "event":
            return ActionHappened(
                _text(document, "event"), _variables(document), asked=True
            )
        case "press":
            return KeyPressed(_number(document, "idx"))
        case "press-named":
            return NamedKeyPressed(_text(document, "name"))
        case "choose":
            return EntryChosen(_number(document, "number"))
        case "soft-key":
            return SoftKeyPressed(_text(document, "key"))
        case "submit":
            return FormSubmitted(_texts(document, "values"))
        case "lookup":
            return LookupWanted(_text(document, "text"))
        case "upload-8021x":
            try:
                data = base64.b64decode(_raw(document, "data"), validate=True)
            except (binascii.Error, ValueError):
                raise InputError("the request's data is not base64") from None
            return NetworkCertificateUploaded(data, document.get("admin") is True)
        case "dot1x":
            return network_login(
                _text(document, "host"),
                _number(document, "port"),
                _text(document, "secret"),
            )
    plain = _PLAIN.get(str(what))
    return None if plain is None else plain()


def network_login(host: str, port: int, secret: str) -> NetworkLoginWanted:
    """Check what a login is asked with. Raises InputError."""
    if not is_host(host) or not 0 < port < 65536:
        raise InputError(
            f"no host and port of a RADIUS server: {host[:80]!r}, {port}",
            hint="write HOST:1812, or [ADDRESS]:1812 for IPv6",
        )
    check_typed("the RADIUS server's address", host)
    if not secret or not secret.isascii() or not secret.isprintable():
        raise InputError(
            "the RADIUS secret is empty or not printable ASCII",
            hint="give the file that holds what switch and server share",
        )
    return NetworkLoginWanted(host, port, secret)


def action_event(event: str, variables: Mapping[str, str]) -> ActionHappened:
    """An event that somebody asks for. Raises InputError for unknown variables."""
    unknown = sorted(variables.keys() - VARIABLES)
    if unknown:
        raise InputError(
            f"no such action URL variable: {unknown[0]!r}",
            hint="one of: " + ", ".join(sorted(VARIABLES)),
        )
    return ActionHappened(event, dict(variables), asked=True)


def _raw(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise InputError(f"a request without {name!r}")
    return value


def _text(document: Mapping[str, Any], name: str) -> str:
    value = _raw(document, name)
    if len(value) > _MOST_TEXT:
        raise InputError(f"{name!r} has {len(value)} characters; at most {_MOST_TEXT}")
    return check_typed(repr(name), value)


def _texts(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = document.get(name)
    if not isinstance(values, list) or len(values) > 100:
        raise InputError(f"{name!r} is no list of texts")
    return tuple(_text({name: value}, name) for value in values)


def _number(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f"{name!r} is no number")
    return value


def _variables(document: Mapping[str, Any]) -> dict[str, str]:
    value = document.get("variables", {})
    if not isinstance(value, Mapping):
        raise InputError("'variables' is no object")
    names = {str(name): _text(value, name) for name in value}
    return dict(action_event("", names).variables)
