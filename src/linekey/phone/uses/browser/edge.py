"""Fetches the minibrowser's pages, for keys and action URLs as well."""

from collections.abc import Mapping

from linekey.errors import LinekeyError
from linekey.phone.edge.running import Carrier, RunningPhone
from linekey.phone.events import Errand, Event
from linekey.phone.uses.browser.events import OpenPage, PageFailed, PageFetched
from linekey.phone.uses.browser.minibrowser import LIMITS


async def _open(phone: RunningPhone, command: OpenPage) -> Event:
    try:
        answer = await phone.get(command.url, command.purpose, max_bytes=LIMITS.size)
    except LinekeyError as error:
        return PageFailed(command, error.message, error.hint)
    return PageFetched(command, answer.status, answer.url, answer.body)


CARRIES: Mapping[type[Errand], Carrier] = {OpenPage: Carrier(_open, PageFailed)}
