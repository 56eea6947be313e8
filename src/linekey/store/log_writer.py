"""A group of the log's lines in one transaction: what ``decision_log``'s thread does.

What strangers bring about is counted in the same transaction instead of written line by
line (``strangers``): a count on disk is on record. When the disk is full, the reserve
(``reserve``) gives its room to decisions about phones; strangers' are refused then.

What a registered phone's visit says of it goes into its row (``sightings``) in the same
transaction, too, and so does that of a pending one (``newcomers``).

Rules: all of a group is committed, or none of it. Who gave up waiting before the commit
is not written. A connection that broke is replaced and the group written once more, if
it is known that it was not committed.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from linekey.errors import Cause, StorageError
from linekey.mac import Mac
from linekey.settings import LogSettings, PendingSettings
from linekey.store import newcomers, sightings
from linekey.store.database import Database
from linekey.store.deadline import within
from linekey.store.decisions import MAX_ROWS, LogEntry, counting, statements
from linekey.store.registry import Revision, counters_of
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

SHORT_S = 30.0
"""Seconds without strangers' lines after a write found no room and there is no reserve
to look at."""
_MAX_SPENT = 100_000  # phones whose lines of a day are used up; then asked anew

_WRITE_WITHIN_S = 2.0
"""Seconds for one transaction, and for another's lock before it."""


@dataclass(slots=True)
class Use:
    """A token to be used up with a line, and the line if it was used before."""

    mac: Mac
    token_sha256: str
    otherwise: LogEntry


@dataclass(slots=True, eq=False)
class Item:
    """What waits to be written: a line, or nothing but the proof that one could be."""

    future: "asyncio.Future[bool]"
    until: float
    """When waiting ends, by the loop's clock."""
    entry: LogEntry | None
    use: Use | None = None
    seen: Revision | None = None
    """Where the line is to be written only if the counters still are these."""
    given_up: bool = False
    """Set by the loop; the thread looks before it begins, and before it commits."""


Result = bool | StorageError


class GivenUpError(Exception):
    """Somebody in the group gave up before the commit; never leaves this module."""


def _no_room() -> StorageError:
    return StorageError(
        "the disk is full, and what room is left is for decisions about phones",
        hint="free some space, or prune the log: linekey log prune --older-than 90d",
        cause=Cause.FULL,
    )


class Writer:
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
        self.counters: Revision | None = None
        """The registry's, at the last look."""
        self._ask_counters = f"SELECT registry, layers, trust FROM {revision.name}"  # noqa: S608
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

    def write(self, group: list[Item]) -> list[Result]:
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

    def _try(self, group: list[Item]) -> list[Result]:
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

    def _attempt(self, group: list[Item]) -> list[Result]:
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

    def _write_sqlite(self, group: list[Item]) -> list[Result]:
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

    def _write_postgresql(self, group: list[Item]) -> list[Result]:
        with self._connection.cursor() as cursor:
            results = self._fill(cursor.execute, group, cursor)
        self._begin_commit(group)
        self._connection.commit()
        return results

    def _begin_commit(self, group: list[Item]) -> None:
        if any(item.given_up for item in group):
            raise GivenUpError
        self._committing = True

    def _fill(
        self, execute: Callable[..., Any], group: list[Item], cursor: Any = None
    ) -> list[Result]:
        whole: list[LogEntry] = []
        refused: list[LogEntry] = []
        recorded: list[LogEntry] = []  # both, in the order they came
        results: list[Result] = []
        counted = short = False
        if any(item.entry is not None for item in group):
            self._look(execute, cursor)
        for item in group:
            entry, use = item.entry, item.use
            if entry is None:
                results.append(True)
                continue
            if item.seen is not None and item.seen != self.counters:
                results.append(False)
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

    def _look(self, execute: Callable[..., Any], cursor: Any) -> None:
        answer = execute(self._ask_counters)
        self.counters = counters_of((cursor or answer).fetchall())

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
