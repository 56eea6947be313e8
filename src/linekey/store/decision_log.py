"""Putting decisions on record before the answer leaves: group commit.

``await log.record(entry)`` returns when the line is on disk. A thread with a
connection of its own is handed everything that waits, writes it in one transaction with
one sync to disk, and wakes all who waited; what comes meanwhile is the next group. So
one phone waits for one sync, and a thousand at once for little more.

::

    record() ──► held ──► thread: [BEGIN] INSERT … COMMIT ──► loop: wake the group
                  ▲                       │
                  └── bounded: StorageError when the disk cannot keep up

A transaction costs the processor several times what a line in it does, most of it for
changing threads. So they begin ``GROUP_EVERY_S`` apart: who comes alone is written at
once, and of many at a time none waits longer than that for its group to begin. Where
nobody else is on the way (``more_come``) waiting for others is in vain: then they may
be ``GROUP_SOON_S`` apart.

What the thread writes, and how, is ``log_writer``'s.

A decision that was made from what is kept in memory (``record_if``) is put on record
only if the registry's counters are still those that it was made with: the transaction
looks, once for all of a group. If not, nothing is written, and it is made anew.

A one-time token is used up in the transaction that puts its use on record
(``record_using_token``): of two requests with the same token, also in two processes,
one succeeds.

Rules: whatever goes wrong in a group is raised from every ``record`` in it; nothing is
written later behind their backs: whoever has waited ``RECORD_WITHIN_S`` gives up, and
his line is not begun any more, or rolled back. Closing writes what waits.
"""

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from linekey.errors import Cause, StorageError
from linekey.mac import Mac
from linekey.settings import LogSettings, PendingSettings
from linekey.store.database import Database
from linekey.store.decisions import LogEntry
from linekey.store.log_writer import GivenUpError, Item, Result, Use, Writer
from linekey.store.registry import Revision
from linekey.wire.faults import log_fault

_log = logging.getLogger("linekey.store")

MAX_WAITING = 8192
"""Lines that may wait at once. The door allows 10,000 connections, few of which wait
for the disk at one moment; precedent: none, a limit of ours."""

GROUP_EVERY_S = 0.016
"""Seconds from the beginning of one transaction to the next, at least. Precedent:
PostgreSQL's ``commit_delay``, which waits as well only where others are about to
commit; a phone waits a hundred times as long for its handshake. Decision 0039."""

GROUP_SOON_S = 0.004
"""The same while nobody else is on the way."""

MAX_GROUP = 512
"""Lines in one transaction, so that the first of a flood do not wait for the last."""

RECORD_WITHIN_S = 2.5
"""Seconds for a line to be on disk. With ``registry.ANSWER_WITHIN_S`` before it a phone
has its answer within 5."""


class DecisionLog:
    """The writer. One a process and event loop; use it in an ``async with``.

    ``on_short`` is told, in the writer's thread, that a write found the disk full.
    """

    def __init__(
        self,
        database: Database,
        *,
        rules: LogSettings | None = None,
        pending: PendingSettings | None = None,
        max_waiting: int = MAX_WAITING,
        on_short: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._writer = Writer(
            database, rules or LogSettings(), pending or PendingSettings(), on_short
        )
        self._max_waiting = max_waiting
        self._queue: queue.SimpleQueue[list[Item] | None] = queue.SimpleQueue()
        self._waiting: deque[Item] = deque()  # in the order in which they came
        self._held: list[Item] = []  # the last of them, that the thread has not yet
        self._is_writing = False
        self._began = float("-inf")  # the last transaction, by the loop's clock
        self._begins: asyncio.Handle | None = None
        self._begins_at = 0.0  # the next one, if it is planned
        self._timer: asyncio.TimerHandle | None = None
        self._open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="decision-log")
        self.groups = 0
        """Transactions so far."""
        self.written = 0
        """Lines so far."""
        self.counters: Revision | None = None
        """The registry's, as the last transaction that looked found them; None before,
        and where they cannot be what they were."""
        self.more_come: Callable[[], bool] = lambda: True
        """Whether others may have a line at any moment, as far as is known."""

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Write what waits, then stop. ``record`` raises StorageError from now on."""
        if not self._open:
            return
        self._open = False
        if self._begins is not None:
            self._begins.cancel()
        while self._held:
            self._hand_over()
        self._queue.put(None)
        # Shielded: who cancels the closing must not lose what is being written.
        await asyncio.shield(asyncio.to_thread(self._thread.join))
        if self._timer is not None:
            self._timer.cancel()

    @property
    def waiting(self) -> int:
        """Lines that are not on disk yet."""
        return len(self._waiting)

    @property
    def is_short_of_room(self) -> bool:
        """Whether the disk is full, and only decisions about phones are recorded."""
        return self._writer.is_short

    async def record(self, entry: LogEntry) -> None:
        """Put a line on record; it is on disk when this returns.

        Raises StorageError if it could not be written, or if so much waits that it
        would take too long; then no answer may leave. If the caller is cancelled, the
        line is written all the same.
        """
        await self._put(entry)

    async def record_if(self, entry: LogEntry, seen: Revision) -> bool:
        """Put a line on record if the registry's counters still are ``seen``.

        Returns False if they are not; then nothing is on record, and ``counters`` says
        what they are. Raises StorageError as ``record`` does.
        """
        return await self._put(entry, seen=seen)

    async def record_using_token(
        self, entry: LogEntry, *, mac: Mac, token_sha256: str, otherwise: LogEntry
    ) -> bool:
        """Use up a device's one-time token and put that on record, in one step.

        Returns True if the token was this device's and unused: then ``entry`` is on
        record. Else ``otherwise`` is, and the answer must be that one's. Raises
        StorageError as ``record`` does; then the token is not used up.
        """
        return await self._put(entry, Use(mac, token_sha256, otherwise))

    async def probe(self) -> None:
        """Commit a transaction that changes nothing, as ``record`` would its line.

        Raises StorageError where ``record`` would.
        """
        await self._put(None)

    def _put(
        self,
        entry: LogEntry | None,
        use: Use | None = None,
        seen: Revision | None = None,
    ) -> "asyncio.Future[bool]":
        if not self._open or self._loop is None:
            raise StorageError(
                "the decision log is closed", hint="start the server anew"
            )
        if len(self._waiting) >= self._max_waiting:
            raise StorageError(
                f"{len(self._waiting)} decisions wait for the disk",
                hint="the disk is too slow or stuck; look at its load",
                cause=Cause.OVERLOADED,
            )
        until = self._loop.time() + RECORD_WITHIN_S
        item = Item(self._loop.create_future(), until, entry, use, seen)
        self._waiting.append(item)
        if self._timer is None:  # one for all, since who came first gives up first
            self._timer = self._loop.call_at(until, self._give_up)
        self._held.append(item)
        self._plan_group()
        return item.future

    def _plan_group(self) -> None:
        """Let the thread begin with what is held as soon as it may."""
        if self._is_writing or not self._held:
            return
        assert self._loop is not None
        begins_at = self._began + (GROUP_EVERY_S if self.more_come() else GROUP_SOON_S)
        if self._begins is not None:
            if self._begins_at <= begins_at:
                return
            self._begins.cancel()
        self._begins_at = begins_at
        if self._loop.time() >= begins_at:
            # At the end of this turn: what else came in it is of the same group.
            self._begins = self._loop.call_soon(self._hand_over)
        else:
            self._begins = self._loop.call_at(begins_at, self._may_begin)

    def _may_begin(self) -> None:
        """Begin, unless others are on the way meanwhile and there is time for them."""
        assert self._loop is not None
        self._begins = None
        if self._loop.time() < self._began + GROUP_EVERY_S and self.more_come():
            self._plan_group()
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        assert self._loop is not None
        self._begins, self._is_writing = None, True
        self._began = self._loop.time()
        group, self._held = self._held[:MAX_GROUP], self._held[MAX_GROUP:]
        self._queue.put(group)

    def _give_up(self) -> None:
        """Let go who has waited long enough, and look again when the next one has."""
        assert self._loop is not None
        self._timer = None
        now = self._loop.time()
        for item in self._waiting:
            if item.until > now:
                self._timer = self._loop.call_at(item.until, self._give_up)
                return
            item.given_up = True
            if not item.future.done():
                item.future.set_exception(
                    StorageError(
                        f"{self._database.name} has not taken a line within"
                        f" {RECORD_WITHIN_S:g} s",
                        hint="look at its load, at its disk, and at the network before"
                        " it",
                        cause=Cause.SLOW,
                    )
                )

    # ---- the thread ----

    def _run(self) -> None:
        writer = self._writer
        while (group := self._queue.get()) is not None:
            try:
                results = self._write_group(writer, group)
            except Exception as error:  # noqa: BLE001 - raised from every waiter
                self._tell(self._failed, group, error)
            else:
                self._tell(self._done, group, results, writer.counters)
        writer.close()

    def _write_group(self, writer: "Writer", group: list[Item]) -> list[Result]:
        """Write those who still wait; for each in the group, whether it was good."""
        while True:
            wanted = [item for item in group if not item.given_up]
            try:
                good = dict(zip(wanted, writer.write(wanted), strict=True))
            except GivenUpError:
                continue  # one fewer
            return [good.get(item, False) for item in group]

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    # ---- the loop ----

    def _done(
        self, group: list[Item], results: list[Result], counters: Revision | None
    ) -> None:
        self._is_writing = False
        self.counters = counters
        self._plan_group()
        self.groups += 1
        self.written += len(group)
        for item, result in zip(group, results, strict=True):
            self._waiting.popleft()
            if item.future.done():
                continue
            if isinstance(result, StorageError):
                item.future.set_exception(result)
            else:
                item.future.set_result(result)

    def _failed(self, group: list[Item], error: Exception) -> None:
        self._is_writing = False
        self.counters = None
        self._plan_group()
        if isinstance(error, StorageError):
            told = error
        else:
            log_fault(_log, "decisions are not on record", error)
            told = StorageError(
                f"a fault of linekey's own: {type(error).__name__}",
                hint="see the log, and report it",
            )
        for item in group:
            self._waiting.popleft()
            if not item.future.done():
                # One exception a waiter: tracebacks must not pile up on a shared one.
                item.future.set_exception(
                    StorageError(told.message, hint=told.hint, cause=told.cause)
                )
