"""Fetches firmware as this phone: its TLS, its certificate, its judge.

Rule: a file is counted and hashed, and nothing but its beginning is kept of it.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Final

from linekey.errors import LinekeyError
from linekey.phone.document import LIMITS
from linekey.phone.edge.running import Carrier, RunningPhone
from linekey.phone.events import Errand, Event
from linekey.phone.uses.firmware.events import (
    FetchFirmware,
    FirmwareFailed,
    FirmwareFetched,
)
from linekey.phone.uses.firmware.handle import PURPOSE

MAX_FILE: Final = 128 * 1024 * 1024
"""Bytes of a file; a limit of linekey's: no phone has room for more (L)."""
DOCUMENT_LIMIT_S: Final = 15.0
"""Seconds for the document that names the file: whoever asked waits for both."""
_BEGINNING: Final = 4096
_CURE: Final = "look whether the server runs, can be reached, and sends the whole"


async def _fetch(phone: RunningPhone, command: FetchFirmware) -> Event:
    most = MAX_FILE if command.is_file else LIMITS.size
    try:
        async with asyncio.timeout(None if command.is_file else DOCUMENT_LIMIT_S):
            answer = await phone.get(command.url, PURPOSE, max_bytes=most)
    except TimeoutError:
        reason = f"no whole answer within {DOCUMENT_LIMIT_S:g} s"
        return FirmwareFailed(command, reason, "look whether the server is overloaded")
    except LinekeyError as error:
        return FirmwareFailed(command, error.message, error.hint or _CURE)
    body = answer.body
    return FirmwareFetched(
        command,
        answer.status,
        answer.url,
        body[:_BEGINNING] if command.is_file else body,
        len(body),
        (await asyncio.to_thread(hashlib.sha256, body)).hexdigest(),
        answer.content_type,
    )


CARRIES: Mapping[type[Errand], Carrier] = {
    FetchFirmware: Carrier(_fetch, FirmwareFailed)
}
