"""Carries a use's errands out: ``uses/NAME/edge.py`` holds how, as ``CARRIES``.

``carry_out(phone, errand)`` comes back with the event that says what came of it, and
never fails: also a fault of linekey's own is such an event, with its traceback in the
log of Python (``linekey.phone``).
"""

import logging
from importlib import import_module
from typing import Final

from linekey.phone.edge.running import Carrier, RunningPhone
from linekey.phone.events import Errand, Event
from linekey.phone.uses.all import USES
from linekey.phone.wording import own_fault
from linekey.wire.faults import log_fault

_log = logging.getLogger("linekey.phone")


def _carriers() -> dict[type[Errand], Carrier]:
    found: dict[type[Errand], Carrier] = {}
    for use in USES:
        if use.errands:
            edge = import_module(f"linekey.phone.uses.{use.name}.edge")
            found |= edge.CARRIES
    return found


CARRIERS: Final = _carriers()
"""How each errand of each use is done."""


async def carry_out(phone: RunningPhone, errand: Errand) -> Event:
    """Do it; say what came of it."""
    carrier = CARRIERS[type(errand)]
    try:
        return await carrier.carry(phone, errand)
    except Exception as error:  # noqa: BLE001 - told, with its traceback
        log_fault(_log, f"phone {phone.state.mac}: {type(errand).__name__}", error)
        return carrier.failed(errand, *own_fault(type(error).__name__))
