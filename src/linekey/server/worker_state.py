"""A worker's word on whether it can serve phones now, and how it is asked for.

``WorkerState`` runs in each worker and writes into its row of ``Counters``; ``ready``
runs wherever somebody asks, and reads the rows. So one answer speaks of all workers,
also where the process that answers serves no phone itself.
"""

import asyncio
import contextlib
import logging
from typing import Protocol

from linekey.errors import StorageError
from linekey.server.counters import Counters
from linekey.store.registry import Revision
from linekey.wire.asgi_edge import FAULT
from linekey.wire.faults import log_fault
from linekey.wire.readiness import (
    ASKED_S,
    FRESH_S,
    READY,
    RESERVE,
    SERVING,
    STATES,
    Readiness,
    judge,
    leaving,
    sentence_of,
)

_log = logging.getLogger("linekey.server")

CHECK_EVERY_S = 1.0
_LOOK_EVERY_S = 0.25  # whether somebody asks
_WAIT_S = 3.0  # for the first word, when nobody asked for a while: a bad one takes 2.5
_POLL_S = 0.05


class Looking(Protocol):
    """What is asked of ``store.registry.Registry``."""

    async def revision(self) -> Revision:
        """Return the counters as they are now."""


class Recording(Protocol):
    """What is asked of ``store.decision_log.DecisionLog``."""

    async def probe(self) -> None:
        """Commit a transaction that changes nothing."""

    @property
    def is_short_of_room(self) -> bool:
        """Whether the disk is full, and only decisions about phones are recorded."""


class WorkerState:
    """Says what one worker can do, while somebody asks or something is wrong."""

    def __init__(
        self, counters: Counters, worker: int, registry: Looking, log: Recording
    ) -> None:
        self._counters = counters
        self._worker = worker
        self._registry = registry
        self._log = log
        self._state = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if self._counters.asked_s() <= ASKED_S or self._state not in (0, READY):
                await self.check()
                await asyncio.sleep(CHECK_EVERY_S)
            else:
                await asyncio.sleep(_LOOK_EVERY_S)

    async def check(self) -> None:
        """Look up and record, and write down whether that works."""
        state = await self._find_out()
        self._counters.say(self._worker, state)
        if state not in SERVING and state != self._state:
            _log.error("worker %d cannot serve: %s", self._worker, sentence_of(state))
        elif state in SERVING and self._state not in {0, *SERVING}:
            _log.warning("worker %d can serve again", self._worker)
        self._state = state

    async def _find_out(self) -> int:
        done = await asyncio.gather(
            self._registry.revision(), self._log.probe(), return_exceptions=True
        )
        for found in done:
            if isinstance(found, StorageError):
                return STATES.index(found.cause)
            if isinstance(found, Exception):
                log_fault(_log, "whether phones can be served is not known", found)
                return STATES.index(FAULT)
        # The log itself says that it lives on its reserve, and when that is over.
        return RESERVE if self._log.is_short_of_room else READY


async def ready(counters: Counters) -> Readiness:
    """Ask all workers; the answer comes within some 3 seconds, mostly at once.

    A server that is about to end says so instead.
    """
    if counters.is_leaving:
        return leaving(counters.reports())
    counters.ask()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_WAIT_S):
            while not _has_word(counters):  # noqa: ASYNC110 - other processes write it
                await asyncio.sleep(_POLL_S)
    return judge(counters.reports())


def _has_word(counters: Counters) -> bool:
    return any(r.state and r.age_s <= FRESH_S for r in counters.reports())
