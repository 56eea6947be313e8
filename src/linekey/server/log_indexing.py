"""The index of the log's texts is filled beside everything else.

It belongs to the process that serves the API, which alone searches texts.

Rules: nothing waits for it; trouble with the database is logged once, and all is tried
again.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from linekey.errors import StorageError
from linekey.store import log_filling
from linekey.store.database import Database
from linekey.store.deadline import within
from linekey.wire.faults import log_fault

_log = logging.getLogger("linekey.log")

EVERY_S: Final = 5.0
"""How often it is looked whether lines wait for it."""
_STEP_S, _WITHIN_S = 10.0, 20.0


class LogIndexing:
    """Keeps the index filled; an async context manager.

    Not while ``is_short_of_room``: what room there is on the disk then is for phones.
    """

    def __init__(
        self,
        database: Database,
        every_s: float = EVERY_S,
        *,
        is_short_of_room: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database, self._every_s = database, every_s
        self._is_short_of_room = is_short_of_room
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self._told = ""

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending = True  # it ends after the piece under way
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                filled = await asyncio.to_thread(self._fill)
            except StorageError as error:
                self._say(f"texts of new decisions are not indexed now: {error}")
            except Exception as error:  # noqa: BLE001 - told, and tried again
                log_fault(_log, "texts of new decisions are not indexed now", error)
            else:
                self._told = ""
                if filled:
                    _log.debug("indexed the texts of %d decisions", filled)
                if filled >= log_filling.WAITS:
                    continue
            await asyncio.sleep(self._every_s)

    def _fill(self) -> int:
        end = time.monotonic() + _STEP_S
        with within(_WITHIN_S):
            if self._is_short_of_room():
                return 0
            return log_filling.fill(
                self._database,
                lambda: (
                    self._ending or time.monotonic() > end or self._is_short_of_room()
                ),
            )

    def _say(self, said: str) -> None:
        if said != self._told:
            self._told = said
            _log.warning("%s", said)
