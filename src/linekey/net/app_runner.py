"""Carries the applications' commands out: pages, directory, 802.1X.

``carry_out(phone, command)`` comes back with the event that says what came of it, and
never fails for anything a peer does.
"""

from typing import TYPE_CHECKING

from linekey.errors import LinekeyError
from linekey.net import supplicant
from linekey.net.ldap import look_up
from linekey.phone.app_events import (
    AppCommand,
    AppEvent,
    LogIntoNetwork,
    LookupEnded,
    OpenPage,
    PageFailed,
    PageFetched,
    SearchDirectory,
)
from linekey.phone.directory import LookupResult
from linekey.phone.events import ConnectionEnded
from linekey.phone.minibrowser import LIMITS

if TYPE_CHECKING:
    from linekey.net.phone_runner import VirtualPhone


async def carry_out(phone: "VirtualPhone", command: AppCommand) -> AppEvent:
    """Do it; say what came of it."""
    match command:
        case OpenPage():
            return await _open(phone, command)
        case SearchDirectory():
            return await _search(phone, command)
        case LogIntoNetwork():
            return await supplicant.log_in(command)
    raise AssertionError(f"a command that nobody does: {type(command).__name__}")


async def _open(phone: "VirtualPhone", command: OpenPage) -> AppEvent:
    try:
        answer = await phone.get(command.url, command.purpose, max_bytes=LIMITS.size)
    except LinekeyError as error:
        return PageFailed(command, error.message, error.hint)
    return PageFetched(command, answer.status, answer.url, answer.body)


async def _search(phone: "VirtualPhone", command: SearchDirectory) -> AppEvent:
    try:
        result = await look_up(
            command.settings,
            command.text,
            dial=phone.connect,
            ended=lambda report: phone.happened(ConnectionEnded(report)),
        )
    except LinekeyError as error:
        result = LookupResult(problem=error.message, cure=error.hint)
    return LookupEnded(command.text, result)
