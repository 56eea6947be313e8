"""Putting decisions on record before the answer leaves: group commit.

``await log.record(entry)`` returns when the line is on disk. A thread with a
connection of its own takes everything that waits, writes it in one transaction with one
sync to disk, and wakes all who waited; what comes meanwhile is the next group. So one
phone waits for one sync, and a thousand at once for little more.

::

    record() ──► queue ──► thread: [BEGIN] INSERT … COMMIT ──► loop: wake the group
                   ▲                       │
                   └── bounded: StorageError when the disk cannot keep up

A one-time token is used up in the transaction that puts its use on record
(``record_using_token``): of two requests with the same token, also in two processes,
one succeeds.

Rules: whatever goes wrong in a group is raised from every ``record`` in it; nothing is
written later behind their backs. Closing writes what waits.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from linekey.errors import StorageError
from linekey.mac import Mac
from linekey.store.database import Database, storage_error
from linekey.store.decisions import MAX_ROWS, LogEntry, statements
from linekey.store.schema import devices, revision, to_us

MAX_WAITING = 8192
"""Lines that may wait at once. The door allows 10,000 connections, few of which wait
for the disk at one moment; precedent: none, a limit of ours."""

MAX_GROUP = 512
"""Lines in one transaction, so that the first of a flood do not wait for the last."""


@dataclass(slots=True)
class _Use:
    """A token to be used up with a line, and the line if it was used before."""

    mac: Mac
    token_sha256: str
    otherwise: LogEntry


_Item = tuple["asyncio.Future[bool]", LogEntry, _Use | None]


class DecisionLog:
    """The writer. One a process and event loop; use it in an ``async with``."""

    def __init__(self, database: Database, *, max_waiting: int = MAX_WAITING) -> None:
        self._database = database
        self._max_waiting = max_waiting
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._waiting = 0
        self._open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="decision-log")
        self._mark = "?" if database.is_sqlite else "%s"
        self.groups = 0
        """Transactions so far."""
        self.written = 0
        """Lines so far."""

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
        self._queue.put(None)
        # Shielded: who cancels the closing must not lose what is being written.
        await asyncio.shield(asyncio.to_thread(self._thread.join))

    @property
    def waiting(self) -> int:
        """Lines that are not on disk yet."""
        return self._waiting

    async def record(self, entry: LogEntry) -> None:
        """Put a line on record; it is on disk when this returns.

        Raises StorageError if it could not be written, or if so much waits that it
        would take too long; then no answer may leave. If the caller is cancelled, the
        line is written all the same.
        """
        await self._put(entry, None)

    async def record_using_token(
        self, entry: LogEntry, *, mac: Mac, token_sha256: str, otherwise: LogEntry
    ) -> bool:
        """Use up a device's one-time token and put that on record, in one step.

        Returns True if the token was this device's and unused: then ``entry`` is on
        record. Else ``otherwise`` is, and the answer must be that one's. Raises
        StorageError as ``record`` does; then the token is not used up.
        """
        return await self._put(entry, _Use(mac, token_sha256, otherwise))

    def _put(self, entry: LogEntry, use: _Use | None) -> "asyncio.Future[bool]":
        if not self._open or self._loop is None:
            raise StorageError(
                "the decision log is closed", hint="start the server anew"
            )
        if self._waiting >= self._max_waiting:
            raise StorageError(
                f"{self._waiting} decisions wait for the disk",
                hint="the disk is too slow or stuck; look at its load",
            )
        self._waiting += 1
        future: asyncio.Future[bool] = self._loop.create_future()
        self._queue.put((future, entry, use))
        return future

    # ---- the thread ----

    def _run(self) -> None:
        writer = _Writer(self._database, self._mark)
        closing = False
        while not closing:
            first = self._queue.get()
            if first is None:
                break
            group = [first]
            while len(group) < MAX_GROUP:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    closing = True
                    break
                group.append(item)
            try:
                results = writer.write(group)
            except Exception as error:  # noqa: BLE001 - raised from every waiter
                self._tell(self._failed, group, error)
            else:
                self._tell(self._done, group, results)
        writer.close()

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    # ---- the loop ----

    def _done(self, group: list[_Item], results: list[bool]) -> None:
        self._waiting -= len(group)
        self.groups += 1
        self.written += len(group)
        for (future, _, _), result in zip(group, results, strict=True):
            if not future.done():
                future.set_result(result)

    def _failed(self, group: list[_Item], error: Exception) -> None:
        self._waiting -= len(group)
        if not isinstance(error, StorageError):
            error = storage_error(self._database.name, error)
        for future, _, _ in group:
            if not future.done():
                # One exception a waiter: tracebacks must not pile up on a shared one.
                future.set_exception(StorageError(error.message, hint=error.hint))


class _Writer:
    """The thread's connection; opened when it is needed, dropped after an error."""

    def __init__(self, database: Database, mark: str) -> None:
        self._database = database
        self._mark = mark
        self._connection: Any = None
        self._use_token = (
            f"UPDATE {devices.name} SET token_used_at = {mark}, "  # noqa: S608
            f"version = (SELECT registry FROM {revision.name}) "
            f"WHERE mac = {mark} AND token_sha256 = {mark} AND token_used_at IS NULL"
        )
        self._count = f"UPDATE {revision.name} SET registry = registry + 1"  # noqa: S608

    def write(self, group: list[_Item]) -> list[bool]:
        """Write a group in one transaction; for each, whether its token was good."""
        if self._connection is None:
            self._connection = self._database.raw_connection()
        try:
            if self._database.is_sqlite:
                return self._write_sqlite(group)
            return self._write_postgresql(group)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; whatever it had begun is rolled back."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def _write_sqlite(self, group: list[_Item]) -> list[bool]:
        execute = self._connection.execute
        if len(group) <= MAX_ROWS and not any(use for _, _, use in group):
            # A single statement is a transaction of its own, and the cheapest.
            rows = [entry.values() for _, entry, _ in group]
            for statement, values in statements(rows, self._mark):
                execute(statement, values)
            return [True] * len(group)
        execute("BEGIN IMMEDIATE")
        results = self._fill(execute, group)
        execute("COMMIT")
        return results

    def _write_postgresql(self, group: list[_Item]) -> list[bool]:
        with self._connection.cursor() as cursor:
            results = self._fill(cursor.execute, group, cursor)
        self._connection.commit()
        return results

    def _fill(
        self, execute: Callable[..., Any], group: list[_Item], cursor: Any = None
    ) -> list[bool]:
        rows = []
        results = []
        counted = False
        for _, entry, use in group:
            good = True
            if use is not None:
                if not counted:
                    # First, as in every change: this row's lock makes writers queue.
                    execute(self._count)
                    counted = True
                values = (to_us(entry.at), use.mac.digits, use.token_sha256)
                answer = execute(self._use_token, values)
                good = (cursor or answer).rowcount == 1
            rows.append((entry if good or use is None else use.otherwise).values())
            results.append(good)
        for statement, flat in statements(rows, self._mark):
            execute(statement, flat)
        return results
