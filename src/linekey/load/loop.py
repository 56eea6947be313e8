"""The phones of one worker: an event loop in a real thread of its own.

Locust is gevent's, the phones are asyncio's, and neither may hold the other up: so the
loop runs in a thread of the operating system, and both meet in a queue (what was done)
and in calls that the loop is handed. Nothing of gevent is imported here.

Rules: phones start evenly (``load.pace``), no more than ``at_once`` at a time; a fault
of linekey's own in one phone is counted as ``load.own_fault`` and ends no other; ticks
for ``load.own_time`` are taken as long as it runs.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.catalog.root_lists import lists_of
from linekey.certs.certificate import Certificate
from linekey.errors import LinekeyError, StorageError
from linekey.load.life import Notes, live, make_state
from linekey.load.order import LoadOrder
from linekey.load.outcome import Outcome
from linekey.load.own_time import OwnTime, Tick
from linekey.load.pace import Pace
from linekey.load.table import Row
from linekey.phone.state import PhoneState
from linekey.wire.descriptors import RESERVE, raise_soft_limit
from linekey.wire.faults import log_fault
from linekey.wire.process import new_loop, settle_garbage

_log = logging.getLogger("linekey.load")
TICK_S: Final = 0.05
DESCRIPTORS: Final = 3
"""That a phone may hold at a time: its SIP connection, one that it fetches by, and one
that is being closed."""
STOP_S: Final = 15.0
"""How long phones may take to unregister at the end."""


class PhoneLoop:
    """Runs phones; its methods are for the other thread, and none of them waits.

    Made of rows of the table, which takes some milliseconds a phone. Raises InputError
    for a file that cannot be read, StorageError where descriptors do not suffice.
    """

    def __init__(
        self,
        order: LoadOrder,
        rows: Sequence[Row],
        authorities: tuple[Certificate, ...],
        rate: float,
    ) -> None:
        _make_room(len(rows))
        self.outcomes: deque[Outcome] = deque()
        self.own = OwnTime()
        """To be read when the loop has ended."""
        self.handed = 0
        """Phones that were told to start; some wait for their turn."""
        self.ended = threading.Event()
        self._order = order
        trusted = _Trusted(authorities)
        self._states = [make_state(row, order, trusted.of(row)) for row in rows]
        self._pace = Pace(rate)
        self._notes = Notes(self.outcomes.append)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._group: asyncio.TaskGroup | None = None
        self._turns: asyncio.Semaphore | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="phones", daemon=True)

    @property
    def started(self) -> int:
        """Phones that were switched on."""
        return self._notes.started

    def begin(self) -> None:
        """Start the thread; return when its loop runs."""
        self._thread.start()
        self._ready.wait()

    def start(self, count: int) -> None:
        """Have so many more phones start; what is beyond the worker's phones is not."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._start, count)

    def finish(self) -> None:
        """Have all phones stop; ``ended`` is set when they have."""
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)

    # --- in the thread

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(self._main())
        except Exception as error:  # noqa: BLE001 - told, with its traceback
            log_fault(_log, "the phones' event loop", error)
        finally:
            self._ready.set()
            self.ended.set()

    async def _main(self) -> None:
        settle_garbage()
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._turns = asyncio.Semaphore(self._order.at_once)
        self._ready.set()
        ticking = asyncio.create_task(self._tick())
        await self._stop.wait()
        ticking.cancel()  # the end, with its unregistering, is no load
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_S)
            for task in late:
                _log.warning("%s did not stop within %g s", task.get_name(), STOP_S)

    def _start(self, count: int) -> None:
        assert self._loop is not None
        for _ in range(min(count, len(self._states) - self.handed)):
            state = self._states[self.handed]
            self.handed += 1
            wait_s = self._pace.wait_s(self._loop.time())
            task = self._loop.create_task(
                self._one(state, wait_s), name=f"phone {state.mac}"
            )
            self._tasks.add(task)

    async def _one(self, state: PhoneState, wait_s: float) -> None:
        assert self._turns is not None
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        begun = time.time()
        try:
            await live(state, self._order, self._notes, self._turns)
        except LinekeyError as error:
            text = error.message
        except Exception as error:  # noqa: BLE001 - told, with its traceback
            log_fault(_log, f"phone {state.mac}", error)
            text = type(error).__name__
        else:
            return
        self._notes.done(Outcome("boot", begun, 0.0, "load.own_fault", text))

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        at, cpu, waited = loop.time(), time.process_time(), _waited_s()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            now, cpu_now, waited_now = loop.time(), time.process_time(), _waited_s()
            self.own.add(
                Tick(
                    now - at,
                    cpu_now - cpu,
                    waited_now - waited,
                    self._notes.under_way,
                    max(0.0, now - due),
                )
            )
            at, cpu, waited = now, cpu_now, waited_now


class _Trusted:
    """The CAs of each firmware, and those that were given, read once."""

    def __init__(self, given: tuple[Certificate, ...]) -> None:
        self._given = given
        self._known: dict[tuple[str, str], tuple[Certificate, ...]] = {}

    def of(self, row: Row) -> tuple[Certificate, ...]:
        key = (row.model, row.firmware)
        if key not in self._known:
            lists = lists_of(find_model(row.model), Firmware.parse(row.firmware))
            self._known[key] = (*lists.newest, *self._given)
        return self._known[key]


def _make_room(phones: int) -> None:
    wanted = phones * DESCRIPTORS + RESERVE
    if (have := raise_soft_limit(wanted)) < wanted:
        raise StorageError(
            f"{phones:,} phones in a process need {wanted:,} file descriptors, and it "
            f"may have {have:,}",
            hint=f"raise the limit (ulimit -Hn {wanted}), or take more --workers",
        )


def _waited_s() -> float:
    """Seconds that this thread was ready to run and had no core (Linux; else 0)."""
    with suppress(OSError, ValueError, IndexError):
        path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
        return int(Path(path).read_text().split()[1]) / 1e9
    return 0.0
