"""Carries the applications' commands out: pages, directory, 802.1X.

``carry_out(phone, command)`` comes back with the event that says what came of it, and
never fails: also a fault of linekey's own is such an event, with its traceback in the
log of Python (``linekey.phone``).
"""

import logging
from typing import TYPE_CHECKING

from linekey.errors import LinekeyError
from linekey.phone.app_events import (
    AppCommand,
    AppEvent,
    LogIntoNetwork,
    LookupEnded,
    NetworkLoginEnded,
    OpenPage,
    PageFailed,
    PageFetched,
    SearchDirectory,
)
from linekey.phone.events import ConnectionEnded
from linekey.phone.uses.browser.minibrowser import LIMITS
from linekey.phone.uses.directory.edge import look_up
from linekey.phone.uses.directory.look_up import LookupResult
from linekey.phone.uses.network import edge as supplicant
from linekey.phone.wording import own_fault
from linekey.wire.faults import log_fault

if TYPE_CHECKING:
    from linekey.phone.edge.runner import VirtualPhone


_log = logging.getLogger("linekey.phone")


async def carry_out(phone: "VirtualPhone", command: AppCommand) -> AppEvent:
    """Do it; say what came of it."""
    try:
        return await _carry_out(phone, command)
    except Exception as error:  # noqa: BLE001 - told, with its traceback
        log_fault(_log, f"phone {phone.state.mac}: {type(command).__name__}", error)
        return _gave_up(command, *own_fault(type(error).__name__))


def _gave_up(command: AppCommand, reason: str, hint: str) -> AppEvent:
    match command:
        case OpenPage():
            return PageFailed(command, reason, hint)
        case SearchDirectory():
            return LookupEnded(command.text, LookupResult(problem=reason, cure=hint))
        case LogIntoNetwork():
            return NetworkLoginEnded(command, False, reason, hint)
    raise AssertionError(f"a command that nobody does: {type(command).__name__}")


async def _carry_out(phone: "VirtualPhone", command: AppCommand) -> AppEvent:
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
