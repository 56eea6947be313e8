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
once, and of many at a time none waits longer than that for its group to begin.

What strangers bring about is counted in the same transaction instead of written line by
line (``strangers``): a count on disk is on record. When the disk is full, the reserve
(``reserve``) gives its room to decisions about phones; strangers' are refused then.

What a registered phone's visit says of it goes into its row (``sightings``) in the same
transaction, too, and so does that of a pending one (``newcomers``).

A one-time token is used up in the transaction that puts its use on record
(``record_using_token``): of two requests with the same token, also in two processes,
one succeeds.

Rules: whatever goes wrong in a group is raised from every ``record`` in it; nothing is
written later behind their backs: whoever has waited ``RECORD_WITHIN_S`` gives up, and
his line is not begun any more, or rolled back. A connection that broke is replaced and
the group written once more, if it is known that it was not committed. Closing writes
what waits.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from linekey.errors import Cause, StorageError
from linekey.mac import Mac
from linekey.settings import LogSettings, PendingSettings
from linekey.store import newcomers, sightings
from linekey.store.database import Database
from linekey.store.deadline import within
from linekey.store.decisions import MAX_ROWS, LogEntry, counting, statements
from linekey.store.reserve import MIB, Reserve
from linekey.store.schema import decision_log, devices, refusal_lines, revision, to_us
from linekey.store.strangers import (
    ALL,
    NETWORKS_A_MINUTE,
    Minute,
    by_phone,
    is_kept_whole,
    own_lines,
)
from linekey.store.trouble import told_as_storage_error
from linekey.wire.faults import log_fault

_log = logging.getLogger("linekey.store")

MAX_WAITING = 8192
"""Lines that may wait at once. The door allows 10,000 connections, few of which wait
for the disk at one moment; precedent: none, a limit of ours."""

GROUP_EVERY_S = 0.008
"""Seconds from the beginning of one transaction to the next, at least. Precedent:
PostgreSQL's ``commit_delay``, which waits as well only where others are about to
commit; a phone waits a hundred times as long for its handshake. Decision 0039."""

MAX_GROUP = 512
"""Lines in one transaction, so that the first of a flood do not wait for the last."""
SHORT_S = 30.0
"""Seconds without strangers' lines after a write found no room and there is no reserve
to look at."""
_MAX_SPENT = 100_000  # phones whose lines of a day are used up; then asked anew

RECORD_WITHIN_S = 2.5
"""Seconds for a line to be on disk. With ``registry.ANSWER_WITHIN_S`` before it a phone
has its answer within 5."""
_WRITE_WITHIN_S = 2.0
"""Seconds for one transaction, and for another's lock before it."""


@dataclass(slots=True)
class _Use:
    """A token to be used up with a line, and the line if it was used before."""

    mac: Mac
    token_sha256: str
    otherwise: LogEntry


@dataclass(slots=True, eq=False)
class _Item:
    """What waits to be written: a line, or nothing but the proof that one could be."""

    future: "asyncio.Future[bool]"
    until: float
    """When waiting ends, by the loop's clock."""
    entry: LogEntry | None
    use: _Use | None = None
    given_up: bool = False
    """Set by the loop; the thread looks before it begins, and before it commits."""


_Result = bool | StorageError


class _GivenUpError(Exception):
    """Somebody in the group gave up before the commit; never leaves this module."""


def _no_room() -> StorageError:
    return StorageError(
        "the disk is full, and what room is left is for decisions about phones",
        hint="free some space, or prune the log: linekey log prune --older-than 90d",
        cause=Cause.FULL,
    )


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
        self._writer = _Writer(
            database, rules or LogSettings(), pending or PendingSettings(), on_short
        )
        self._max_waiting = max_waiting
        self._queue: queue.SimpleQueue[list[_Item] | None] = queue.SimpleQueue()
        self._waiting: deque[_Item] = deque()  # in the order in which they came
        self._held: list[_Item] = []  # the last of them, that the thread has not yet
        self._is_writing = False
        self._next = 0.0  # when the next transaction may begin, by the loop's clock
        self._begins: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="decision-log")
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

    async def record_using_token(
        self, entry: LogEntry, *, mac: Mac, token_sha256: str, otherwise: LogEntry
    ) -> bool:
        """Use up a device's one-time token and put that on record, in one step.

        Returns True if the token was this device's and unused: then ``entry`` is on
        record. Else ``otherwise`` is, and the answer must be that one's. Raises
        StorageError as ``record`` does; then the token is not used up.
        """
        return await self._put(entry, _Use(mac, token_sha256, otherwise))

    async def probe(self) -> None:
        """Commit a transaction that changes nothing, as ``record`` would its line.

        Raises StorageError where ``record`` would.
        """
        await self._put(None)

    def _put(
        self, entry: LogEntry | None, use: _Use | None = None
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
        item = _Item(self._loop.create_future(), until, entry, use)
        self._waiting.append(item)
        if self._timer is None:  # one for all, since who came first gives up first
            self._timer = self._loop.call_at(until, self._give_up)
        self._held.append(item)
        self._plan_group()
        return item.future

    def _plan_group(self) -> None:
        """Let the thread begin with what is held as soon as it may."""
        if self._is_writing or self._begins is not None or not self._held:
            return
        assert self._loop is not None
        if self._loop.time() >= self._next:
            # At the end of this turn: what else came in it is of the same group.
            self._begins = self._loop.call_soon(self._hand_over)
        else:
            self._begins = self._loop.call_at(self._next, self._hand_over)

    def _hand_over(self) -> None:
        assert self._loop is not None
        self._begins, self._is_writing = None, True
        self._next = self._loop.time() + GROUP_EVERY_S
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
                self._tell(self._done, group, results)
        writer.close()

    def _write_group(self, writer: "_Writer", group: list[_Item]) -> list[_Result]:
        """Write those who still wait; for each in the group, whether it was good."""
        while True:
            wanted = [item for item in group if not item.given_up]
            try:
                good = dict(zip(wanted, writer.write(wanted), strict=True))
            except _GivenUpError:
                continue  # one fewer
            return [good.get(item, False) for item in group]

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    # ---- the loop ----

    def _done(self, group: list[_Item], results: list[_Result]) -> None:
        self._is_writing = False
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

    def _failed(self, group: list[_Item], error: Exception) -> None:
        self._is_writing = False
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


class _Writer:
    """The thread's connection; opened when it is needed, dropped after an error."""

    def __init__(
        self,
        database: Database,
        rules: LogSettings,
        pending: PendingSettings,
        on_short: Callable[[], None],
    ) -> None:
        self._database = database
        self._rules = rules
        self._keep_pending = pending.keep
        self._on_short = on_short
        self._mark = mark = "?" if database.is_sqlite else "%s"
        self._connection: Any = None
        size = rules.reserve_mb * MIB if database.is_sqlite else 0
        self._reserve = Reserve(database.state.root, size)
        self._short_until = 0.0
        self._minute = Minute()
        self._lately = sightings.Lately()
        self._newcomers = newcomers.Newcomers()
        self._spent: set[tuple[int, str]] = set()
        self._use_token = (
            f"UPDATE {devices.name} SET token_used_at = {mark}, "  # noqa: S608
            f"version = (SELECT registry FROM {revision.name}) "
            f"WHERE mac = {mark} AND token_sha256 = {mark} AND token_used_at IS NULL"
        )
        self._committing = False
        self._prove = f"UPDATE {revision.name} SET id = id"  # noqa: S608
        self._count = f"UPDATE {revision.name} SET registry = registry + 1"  # noqa: S608
        self._ask_lines = (
            f"INSERT INTO {refusal_lines.name} (day, who, lines) "  # noqa: S608
            f"VALUES ({mark}, {mark}, {mark}) ON CONFLICT (day, who) DO UPDATE "
            f"SET lines = {refusal_lines.name}.lines + excluded.lines RETURNING lines"
        )
        self._counting = counting(mark)
        all_others = "LIMIT -1 OFFSET" if database.is_sqlite else "OFFSET"
        self._trim = (
            f"DELETE FROM {decision_log.name} WHERE id IN "  # noqa: S608
            f"(SELECT id FROM {decision_log.name} WHERE network IS NOT NULL "
            f"ORDER BY minute DESC, id DESC {all_others} {mark})"
        )

    @property
    def is_short(self) -> bool:
        """Whether only decisions about phones are written."""
        return time.monotonic() < self._short_until or self._reserve.is_lent

    def write(self, group: list[_Item]) -> list[_Result]:
        """Write a group in one transaction; for each, whether its token was good.

        StorageError for what a stranger brought about while there is no room for it.
        """
        if not group:
            return []
        self._database.check_file()
        with within(_WRITE_WITHIN_S):
            try:
                return self._try(group)
            except StorageError as error:
                if not self._reserve.lacks_room(error):
                    raise
            self._short_until = time.monotonic() + SHORT_S
            self._reserve.lend()
            self._on_short()
            return self._attempt(group)

    def _try(self, group: list[_Item]) -> list[_Result]:
        was_open = self._connection is not None
        try:
            return self._attempt(group)
        except StorageError as error:
            # A connection that nobody has used since the server was restarted: what
            # was not committed there is not there.
            safe = was_open and not self._committing
            if not safe or error.cause is not Cause.UNREACHABLE:
                raise
        return self._attempt(group)

    def _attempt(self, group: list[_Item]) -> list[_Result]:
        self._committing = False
        if self._connection is None:
            self._connection = self._database.raw_connection(busy_s=_WRITE_WITHIN_S)
        try:
            with told_as_storage_error(self._database.name):
                if self._database.is_sqlite:
                    results = self._write_sqlite(group)
                else:
                    results = self._write_postgresql(group)
        except BaseException:
            self._drop()
            raise
        self._lately.commit()
        self._newcomers.commit()
        return results

    def close(self) -> None:
        """Close the connection; whatever it had begun is rolled back."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def _drop(self) -> None:
        """Close it for good: no pool is to lend it again."""
        if self._connection is not None and not self._database.is_sqlite:
            self._connection.invalidate()
            self._connection = None
        self.close()

    def _write_sqlite(self, group: list[_Item]) -> list[_Result]:
        execute = self._connection.execute
        if all(item.entry is None for item in group):
            # A single statement is a transaction of its own, and the cheapest.
            self._committing = True
            self._fill(execute, group)
            return [True] * len(group)
        execute("BEGIN IMMEDIATE")
        results = self._fill(execute, group)
        self._begin_commit(group)
        execute("COMMIT")
        return results

    def _write_postgresql(self, group: list[_Item]) -> list[_Result]:
        with self._connection.cursor() as cursor:
            results = self._fill(cursor.execute, group, cursor)
        self._begin_commit(group)
        self._connection.commit()
        return results

    def _begin_commit(self, group: list[_Item]) -> None:
        if any(item.given_up for item in group):
            raise _GivenUpError
        self._committing = True

    def _fill(
        self, execute: Callable[..., Any], group: list[_Item], cursor: Any = None
    ) -> list[_Result]:
        whole: list[LogEntry] = []
        refused: list[LogEntry] = []
        recorded: list[LogEntry] = []  # both, in the order they came
        results: list[_Result] = []
        counted = short = False
        for entry, use in ((item.entry, item.use) for item in group):
            if entry is None:
                results.append(True)
                continue
            if use is not None:
                if not counted:
                    # First, as in every change: this row's lock makes writers queue.
                    execute(self._count)
                    counted = True
                values = (to_us(entry.at), use.mac.digits, use.token_sha256)
                answer = execute(self._use_token, values)
                good = (cursor or answer).rowcount == 1
                entry = entry if good else use.otherwise
                whole.append(entry)
                results.append(good)
            elif is_kept_whole(entry):
                whole.append(entry)
                results.append(True)
            elif entry.mac is None and (short or self.is_short):
                short = True
                results.append(_no_room())
                continue
            else:
                refused.append(entry)
                results.append(True)
            recorded.append(entry)
        if refused:
            whole += self._refusals(execute, refused, cursor)
        rows = [entry.values() for entry in whole]
        for statement, flat in statements(rows, self._mark):
            execute(statement, flat)
        seen = self._lately.rows(recorded)
        for start in range(0, len(seen), MAX_ROWS):
            part = seen[start : start + MAX_ROWS]
            flat = [value for row in part for value in row]
            execute(sightings.statement(len(part), self._mark), flat)
        self._note_newcomers(execute, recorded)
        if not rows and not refused:
            execute(self._prove)
        return results

    def _note_newcomers(
        self, execute: Callable[..., Any], recorded: list[LogEntry]
    ) -> None:
        rows = self._newcomers.rows(recorded)
        for start in range(0, len(rows), MAX_ROWS):
            part = rows[start : start + MAX_ROWS]
            flat = [value for row in part for value in row]
            execute(newcomers.statement(len(part), self._mark), flat)
        if rows and self._newcomers.begun >= newcomers.TRIM_EVERY:
            self._newcomers.begun = 0
            execute(newcomers.trim(self._mark), (self._keep_pending,))

    def _refusals(
        self, execute: Callable[..., Any], refused: list[LogEntry], cursor: Any
    ) -> list[LogEntry]:
        """Count what strangers brought about; return what has a line of its own."""

        def ask(statement: str, values: Sequence[Any]) -> list[Any]:
            answer = execute(statement, values)
            return list((cursor or answer).fetchall())

        macs = {mac.digits for entry in refused for mac in entry.macs}
        registered: set[str] = set()
        if macs:
            marks = ",".join([self._mark] * len(macs))
            found = f"SELECT mac FROM {devices.name} WHERE mac IN ({marks})"  # noqa: S608
            registered = {row[0] for row in ask(found, sorted(macs))}
        own, asked, counted = by_phone(refused, registered)
        more: list[tuple[int, LogEntry]] = []
        for wanted in asked:
            key = (wanted.day, wanted.who)
            if key in self._spent:
                counted += wanted.entries
                continue
            number = len(wanted.entries)
            lines = ask(self._ask_lines, (*key, number))[0][0]
            each = self._rules.refused_lines_each
            first, further, rest = own_lines(wanted, lines - number, each)
            if lines >= each:
                if len(self._spent) >= _MAX_SPENT:
                    self._spent.clear()
                self._spent.add(key)
            own += first
            more += [(wanted.day, entry) for entry in further]
            counted += rest
        for day in sorted({day for day, _ in more}):
            entries = [entry for at, entry in more if at == day]
            lines = ask(self._ask_lines, (day, ALL, len(entries)))[0][0]
            left = self._rules.refused_lines - (lines - len(entries))
            own += entries[: max(0, left)]
            counted += entries[max(0, left) :]
        self._add_up(execute, counted)
        return own

    def _add_up(self, execute: Callable[..., Any], counted: list[LogEntry]) -> None:
        for (minute, network, _, _), line in self._minute.sums(counted):
            last = (line.times, line.last_at, network, minute)
            # It counts others' refusals, too, whatever group the first one is of.
            first = replace(line.first, group=None)
            execute(self._counting, (*first.values(), *last))
        if self._minute.begun >= NETWORKS_A_MINUTE:
            self._minute.begun = 0
            execute(self._trim, (self._rules.stranger_lines,))
