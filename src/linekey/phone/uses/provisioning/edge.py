"""Fetches what a provisioning round asks for."""

from collections.abc import Mapping
from typing import Final

from linekey.errors import LinekeyError
from linekey.phone.edge import http
from linekey.phone.edge.running import Carrier, RunningPhone
from linekey.phone.events import Errand, Event
from linekey.phone.uses.provisioning.events import (
    DocumentFetched,
    Fetch,
    FetchFailed,
    LogAnswered,
    SendLog,
)
from linekey.trust.connection import Purpose
from linekey.trust.store import UPLOAD_LIMIT_BYTES

_MOST: Final = {"document": http.MAX_BYTES, "certificate": UPLOAD_LIMIT_BYTES * 2}


async def _fetch(phone: RunningPhone, fetch: Fetch) -> Event:
    most = _MOST[fetch.kind]
    try:
        answer = await phone.get(fetch.url, Purpose.PROVISIONING, max_bytes=most)
    except http.HttpError as failed:
        return FetchFailed(fetch, failed.message, failed.refused)
    except LinekeyError as error:
        return FetchFailed(fetch, error.message)
    return DocumentFetched(
        fetch, answer.status, answer.body, answer.url, answer.unknown_login
    )


def _failed(fetch: Fetch, reason: str, hint: str) -> Event:
    return FetchFailed(fetch, reason)


async def _send_log(phone: RunningPhone, errand: SendLog) -> Event:
    data = errand.text.encode("utf-8", "replace")
    try:
        status = await phone.put(errand.url, data, Purpose.PROVISIONING)
    except LinekeyError as error:
        return LogAnswered(errand, 0, error.message)
    return LogAnswered(errand, status)


def _log_not_sent(errand: SendLog, reason: str, hint: str) -> Event:
    return LogAnswered(errand, 0, reason)


CARRIES: Mapping[type[Errand], Carrier] = {
    Fetch: Carrier(_fetch, _failed),
    SendLog: Carrier(_send_log, _log_not_sent),
}
