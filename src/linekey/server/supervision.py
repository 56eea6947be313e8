"""What the service manager is told of a whole server, by the process it started.

``Supervision`` runs in that process: beside the workers, or, where there is one only,
in it. Each worker writes down every second that its event loop turns (``beating``), in
its row of ``Counters``.

Rules: READY=1 waits until every worker has said that it can look up and record, so a
service that is started is one that serves. WATCHDOG=1 is sent only while every worker
has given a sign of life lately, or is being started: a worker that hangs brings the
whole service down and up again, as one hanging process would. Trouble with the database
is told (STATUS=) and never ends the service: a restart cures nothing there, and phones
get 503 and come again. Where there is no service manager nothing of this runs.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from linekey.errors import StorageError
from linekey.server.counters import Counters
from linekey.server.worker_state import ready
from linekey.store.database import Database
from linekey.store.deadline import within
from linekey.store.devices import Devices
from linekey.wire.faults import log_fault
from linekey.wire.readiness import Readiness
from linekey.wire.service_manager import ServiceManager, status
from linekey.words import counted

_log = logging.getLogger("linekey.service")

BEAT_EVERY_S = 1.0
START_S = 60.0
"""Seconds that a worker has from its start to its first sign of life."""
STATUS_EVERY_S = 15.0
_TROUBLED_S = 2.0
_UNTIL_READY_S = 0.2
_AGAIN_S = 0.5
_COUNT_S = 5.0
_ENDS_S = 35.0  # for what comes after that: databases and threads that hang


@contextlib.asynccontextmanager
async def beating(counters: Counters, worker: int) -> AsyncIterator[None]:
    """Give signs of life for a worker while inside."""

    async def beat() -> None:
        while True:
            counters.beat(worker)
            await asyncio.sleep(BEAT_EVERY_S)

    counters.beat(worker)
    task = asyncio.get_running_loop().create_task(beat())
    try:
        yield
    finally:
        await _cancel(task)


def silent(silences_s: Sequence[float], watchdog_s: float) -> list[int]:
    """Return the workers that hang: silent for half of the watchdog's time.

    The other half is for the service manager to learn of it in time.
    """
    return [n for n, s in enumerate(silences_s) if s > watchdog_s / 2]


def status_text(
    found: Readiness,
    *,
    workers: int,
    started: bool,
    phones: int | None,
    expires: datetime,
    kept: str = "",
) -> str:
    """Return what an operator reads in ``systemctl status``.

    ``started``: whether all have served already. ``phones`` are those registered, None
    where that is not known; ``kept`` is why the last reload changed nothing.
    """
    before = f"kept the old certificate: {kept}; " if kept else ""
    if not found.ready and found.workers:
        return f"{before}cannot serve phones: {found.reason}"
    if not found.ready or found.workers < workers:
        said = f"{found.workers} of {workers} workers can serve"
        return f"{before}{'' if started else 'starting: '}{said}"
    known = "" if phones is None else f", {counted(phones, 'phone')} registered"
    trouble = f"; {found.reason}" if found.reason else ""
    each = counted(workers, "worker")
    return (
        f"{before}serving: {each}{known}, certificate until {expires:%Y-%m-%d}{trouble}"
    )


class Supervision:
    """Keeps the service manager informed while inside; an async context manager.

    ``expires`` says until when the certificate in use is valid.
    """

    def __init__(
        self,
        manager: ServiceManager,
        counters: Counters,
        database: Database,
        *,
        workers: int,
        expires: Callable[[], datetime],
    ) -> None:
        self._manager = manager
        self._counters = counters
        self._database = database
        self._workers = workers
        self._expires = expires
        self._kept = ""
        self._started = False
        self._stopping = False
        self._hanging: list[int] = []
        self._news = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        if self._manager:
            loop = asyncio.get_running_loop()
            self._stack.push_async_callback(_cancel, loop.create_task(self._inform()))
            if self._manager.watchdog_s is not None:
                guard = loop.create_task(self._guard(self._manager.watchdog_s))
                self._stack.push_async_callback(_cancel, guard)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    # What happens

    def reloading(self) -> None:
        """Certificate and key are being read anew."""
        if not self._started:
            return  # READY=1, which ends this, would say too much
        now_us = time.monotonic_ns() // 1000  # CLOCK_MONOTONIC, which systemd wants
        self._manager.tell("RELOADING=1", f"MONOTONIC_USEC={now_us}")

    def reloaded(self, kept: str = "") -> None:
        """That is done; ``kept`` says why the old ones stay in use."""
        self._kept = kept
        if self._started:
            said = f"kept the old certificate: {kept}" if kept else "reloaded"
            self._manager.tell("READY=1", status(said))
        self._news.set()

    def stopping(self, announced_s: float = 0.0, finish_s: float = 0.0) -> None:
        """Balancers are told for so long, then the answers under way are finished."""
        self._stopping = True
        said = "finishing the answers under way"
        if announced_s:
            said = f"telling load balancers for {announced_s:g} s, then {said}"
        # Or it would end the service within TimeoutStopSec=, however long this takes.
        longer_us = round((announced_s + finish_s + _ENDS_S) * 1e6)
        self._manager.tell(
            "STOPPING=1", f"EXTEND_TIMEOUT_USEC={longer_us}", status(said)
        )

    # What is told by the clock

    async def _inform(self) -> None:
        while not self._stopping:
            self._news.clear()
            try:
                pause = await self._look()
            except Exception as error:  # noqa: BLE001 - told, and looked at again
                log_fault(_log, "how the service is, is not known", error)
                pause = STATUS_EVERY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()

    async def _look(self) -> float:
        """Tell how the service is; return for how many seconds that will do."""
        found = await ready(self._counters)
        everybody = found.ready and found.workers >= self._workers
        phones = await asyncio.to_thread(self._count) if everybody else None
        if self._stopping or self._hanging:
            return _TROUBLED_S  # the guard has said what there is to say
        text = status_text(
            found,
            workers=self._workers,
            started=self._started,
            phones=phones,
            expires=self._expires(),
            kept=self._kept,
        )
        if everybody and not self._started:
            self._started = self._manager.tell("READY=1", status(text))
        else:
            self._manager.tell(status(text))
        if everybody and self._started:
            return STATUS_EVERY_S
        return _TROUBLED_S if self._started else _UNTIL_READY_S

    def _count(self) -> int | None:
        try:
            with within(_COUNT_S):
                return Devices(self._database).count()
        except StorageError:
            return None  # the workers say what is wrong with it

    async def _guard(self, watchdog_s: float) -> None:
        while True:
            hanging = silent(self._counters.silences(), watchdog_s)
            if not hanging:
                self._manager.tell("WATCHDOG=1")
            elif hanging != self._hanging:
                numbers = ", ".join(map(str, hanging))
                said = f"no sign of life from worker {numbers}: restart is due"
                _log.error("%s", said)
                self._manager.tell(status(said))
            self._hanging = hanging
            await asyncio.sleep(_AGAIN_S if hanging else watchdog_s / 4)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except Exception as error:  # noqa: BLE001 - the server ends in order all the same
        log_fault(_log, "the service manager was not told any more", error)
