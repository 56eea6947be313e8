"""What somebody asks of a running phone from another process, as JSON and as events.

``linekey phone upload …`` and its like talk to the process that runs the phone, one
JSON object a line; this module reads and writes them. Nothing here opens a socket.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from linekey.errors import InputError
from linekey.phone.device import DEVICE
from linekey.phone.events import Answer, Event
from linekey.phone.uses.all import USES
from linekey.phone.uses.use import Request

MAX_REQUEST: Final = 4 * 1024 * 1024
"""Bytes of one request: an upload of two megabytes must reach the phone to be refused
with its reason."""
REQUESTS: Final = tuple(r for use in (DEVICE, *USES) for r in use.requests)
_BY_EVENT: Final = {request.event: request for request in REQUESTS}
_BY_NAME: Final = {request.do: request for request in REQUESTS}


@cache
def _schema(request: Request) -> TypeAdapter[Event]:
    return TypeAdapter(request.event)


def to_request(event: Event) -> dict[str, Any]:
    """The JSON object for an event. Raises ValueError for one that nobody may send."""
    request = _BY_EVENT.get(type(event))
    if request is None:
        raise ValueError(f"no request: {type(event).__name__}")
    fields = _schema(request).dump_python(
        event, mode="json", exclude=set(request.apart)
    )
    return {"do": request.do, **fields}


def parse_request(document: Any) -> Event:
    """Read what ``to_request`` wrote. Raises InputError for anything else."""
    if not isinstance(document, Mapping):
        raise InputError("a request is a JSON object")
    what = str(document.get("do"))
    request = _BY_NAME.get(what)
    if request is None:
        raise InputError(f"no such request: {what[:40]!r}")
    apart = {"do", *request.apart}
    fields = {k: v for k, v in document.items() if k not in apart}
    try:
        event = _schema(request).validate_python(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else what
        lacks = first["type"] == "missing"
        text = f"a request without {name!r}" if lacks else f"{name!r}: {first['msg']}"
        raise InputError(text) from None
    return event if request.meant is None else request.meant(event)


def answer_as_dict(answer: Answer) -> dict[str, Any]:
    """For JSON."""
    return {
        "ok": answer.ok,
        "text": answer.text,
        "hint": answer.hint,
        "details": dict(answer.details),
    }
