"""Several virtual phones in one process, each for itself.

``run_several`` runs them until they are told to stop, or each has had its round.

Rules: what ends one phone ends no other, and comes back as its ``failure``; no more
than ``AT_ONCE`` boot at the same time, as many as bench/phones.py was measured with;
whoever stops them stops all, and each has written its state down by then.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from linekey.errors import LinekeyError, StorageError
from linekey.phone.edge.runner import Keeper, Service, VirtualPhone
from linekey.phone.state import LogEntry, PhoneState
from linekey.wire.faults import log_fault

_log = logging.getLogger("linekey.phone")

AT_ONCE: Final = 16
"""Phones that boot at the same time; the others wait for their turn."""
DESCRIPTORS: Final = 6
"""File descriptors that a phone may hold at a time: its lock, its socket for the other
commands and one command there, its pages, its SIP connection, and one it fetches by."""


@dataclass(frozen=True, slots=True)
class Start:
    """One phone to run: as ``VirtualPhone`` takes it."""

    state: PhoneState
    keeper: Keeper | None = None
    clock: datetime | None = None
    services: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a phone was when it stopped."""

    state: PhoneState
    failure: LinekeyError | None = None
    """What ended it by itself; None where it was stopped."""


async def run_several(
    starts: Sequence[Start],
    *,
    stop: asyncio.Event,
    once: bool = False,
    tell: Callable[[PhoneState, LogEntry], None] | None = None,
    failed: Callable[[PhoneState, LinekeyError], None] | None = None,
) -> list[Ended]:
    """Run the phones until ``stop`` is set, or none runs any more; how each ended.

    With ``once`` a phone stops when its first round is over. ``tell`` is called with
    every new log line, ``failed`` at the moment a phone ends by itself.
    """
    turns = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                _one(start, turns, stop, once, tell, failed),
                name=f"phone {start.state.mac}",
            )
            for start in starts
        ]
    return [task.result() for task in tasks]


async def _one(
    start: Start,
    turns: asyncio.Semaphore,
    stop: asyncio.Event,
    once: bool,
    tell: Callable[[PhoneState, LogEntry], None] | None,
    failed: Callable[[PhoneState, LinekeyError], None] | None,
) -> Ended:
    phone = VirtualPhone(
        start.state,
        keeper=start.keeper,
        clock=start.clock,
        tell=None if tell is None else partial(tell, start.state),
        services=start.services,
    )
    await turns.acquire()
    boots = True
    try:
        if stop.is_set():
            return Ended(start.state)
        async with phone:
            await _until(stop, phone.round_ended())
            turns.release()
            boots = False
            if not once:
                await _until(stop, phone.wait_closed())
    except LinekeyError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - told, with its traceback
        cause = _innermost(error)
        log_fault(_log, f"phone {start.state.mac}", cause)
        failure = StorageError(
            f"a fault of linekey's own ended the phone: {type(cause).__name__}",
            hint="report it, with the traceback above; its folder has its log",
        )
    else:
        return Ended(phone.state)
    finally:
        if boots:
            turns.release()
    if failed is not None:
        failed(start.state, failure)
    return Ended(phone.state, failure)


def _innermost(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def _until(stop: asyncio.Event, over: Coroutine[Any, Any, object]) -> None:
    """Wait for ``stop`` or the end of ``over``; raises what ``over`` ended with."""
    waits = asyncio.ensure_future(stop.wait())
    ends = asyncio.ensure_future(over)
    try:
        await asyncio.wait({waits, ends}, return_when=asyncio.FIRST_COMPLETED)
        if ends.done():
            ends.result()
    finally:
        waits.cancel()
        ends.cancel()
