"""What somebody asks of a running phone from another process, as JSON and as events.

``linekey phone upload …`` and its like talk to the process that runs the phone, one
JSON object a line; this module reads and writes them. Nothing here opens a socket.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from linekey.errors import InputError
from linekey.phone.app_events import AppEvent
from linekey.phone.app_requests import parse_app_request, to_app_request
from linekey.phone.events import (
    Answer,
    CertificateRemoved,
    CertificateUploaded,
    Event,
    ExceptionAdded,
    FactoryResetDone,
    NotificationDismissed,
    PatchInstalled,
    ProvisioningWanted,
    ServerAuthenticationActivated,
    SettingEntered,
)
from linekey.phone.typed import check_idx, check_typed

MAX_REQUEST: Final = 4 * 1024 * 1024
"""Bytes of one request: an upload of two megabytes must reach the phone to be refused
with its reason."""


def to_request(event: Event) -> dict[str, Any]:
    """The JSON object for an event. Raises ValueError for one that nobody may send."""
    match event:
        case ExceptionAdded(sha256=sha256):
            return {"do": "exception", "sha256": sha256}
        case CertificateRemoved(sha256=sha256):
            return {"do": "remove", "sha256": sha256}
        case CertificateUploaded(data=data, admin=admin):
            return {"do": "upload", "data": _encode(data), "admin": admin}
        case PatchInstalled(data=data):
            return {"do": "patch", "data": _encode(data)}
        case ServerAuthenticationActivated():
            return {"do": "activate"}
        case SettingEntered(name=name, value=value, idx=idx):
            return {"do": "set", "name": name, "value": value, "idx": idx}
        case NotificationDismissed(index=index):
            return {"do": "dismiss", "index": index}
        case ProvisioningWanted(reason=reason):
            return {"do": "provision", "reason": reason}
        case FactoryResetDone():
            return {"do": "factory-reset"}
        case AppEvent():
            return to_app_request(event)
        case _:
            raise ValueError(f"no request: {type(event).__name__}")


def parse_request(document: Any) -> Event:
    """Read what ``to_request`` wrote. Raises InputError for anything else."""
    if not isinstance(document, Mapping):
        raise InputError("a request is a JSON object")
    what = document.get("do")
    match what:
        case "exception":
            return ExceptionAdded(_text(document, "sha256"))
        case "remove":
            return CertificateRemoved(_text(document, "sha256"))
        case "upload":
            return CertificateUploaded(_data(document), document.get("admin") is True)
        case "patch":
            return PatchInstalled(_data(document))
        case "activate":
            return ServerAuthenticationActivated()
        case "set":
            name, idx = _text(document, "name"), _idx(document, "idx")
            if idx is not None:
                check_idx(name, idx)
            return SettingEntered(name, _text(document, "value"), idx)
        case "dismiss":
            return NotificationDismissed(_idx(document, "index") or 0)
        case "provision":
            return ProvisioningWanted(_text(document, "reason")[:200])
        case "factory-reset":
            return FactoryResetDone()
        case _ if (found := parse_app_request(document)) is not None:
            return found
        case _:
            raise InputError(f"no such request: {str(what)[:40]!r}")


def answer_as_dict(answer: Answer) -> dict[str, Any]:
    """For JSON."""
    return {
        "ok": answer.ok,
        "text": answer.text,
        "hint": answer.hint,
        "details": dict(answer.details),
    }


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise InputError(f"a request without {name!r}")
    return check_typed(repr(name), value, lines=True)


def _idx(document: Mapping[str, Any], name: str) -> int | None:
    value = document.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise InputError(f"{name!r} is no number")


def _data(document: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(_text(document, "data"), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("the request's data is not base64") from None
