"""Trouble with the database: each kind with its cause and cure, and in time."""

import asyncio
import shutil
import sqlite3
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from linekey.errors import Cause, StorageError
from linekey.store import decision_log, log_writer, registry
from linekey.store.database import Database, open_database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry, read_log
from linekey.store.registry import Registry
from linekey.store.trouble import storage_error


def entry(now: datetime) -> LogEntry:
    return LogEntry(at=now, kind="decision", outcome="granted", reason="x", peer="::1")


def test_every_cause_is_told_in_words() -> None:
    sentences = {cause.sentence for cause in Cause}
    assert len(sentences) == len(Cause)


def sqlite_error(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("said")
    error.sqlite_errorname = name
    return error


def state(number: str) -> psycopg.Error:
    return psycopg.errors.lookup(number)("said")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (sqlite_error("SQLITE_BUSY"), Cause.BUSY),
        (sqlite_error("SQLITE_BUSY_SNAPSHOT"), Cause.BUSY),
        (sqlite_error("SQLITE_FULL"), Cause.FULL),
        (sqlite_error("SQLITE_READONLY_DIRECTORY"), Cause.READ_ONLY),
        (sqlite_error("SQLITE_CANTOPEN"), Cause.DISK),
        (sqlite_error("SQLITE_IOERR_FSYNC"), Cause.DISK),
        (sqlite_error("SQLITE_CORRUPT"), Cause.DAMAGED),
        (sqlite_error("SQLITE_NOTADB"), Cause.DAMAGED),
        (sqlite_error("SQLITE_ERROR"), Cause.OTHER),
        (sqlite3.ProgrammingError("closed"), Cause.OTHER),
        (psycopg.OperationalError("connection refused"), Cause.UNREACHABLE),
        (psycopg.errors.ConnectionTimeout("expired"), Cause.SLOW),
        (state("57P01"), Cause.UNREACHABLE),
        (state("57P03"), Cause.UNREACHABLE),
        (state("28P01"), Cause.UNREACHABLE),
        (state("53300"), Cause.UNREACHABLE),
        (state("53100"), Cause.FULL),
        (state("57014"), Cause.SLOW),
        (state("55P03"), Cause.BUSY),
        (state("25006"), Cause.READ_ONLY),
        (state("42P01"), Cause.DAMAGED),
        (state("XX001"), Cause.DAMAGED),
        (state("22001"), Cause.OTHER),
    ],
)
def test_what_a_driver_says_is_one_of_the_causes(
    error: Exception, cause: Cause
) -> None:
    told = storage_error("db", error)
    assert told.cause is cause
    assert told.hint
    assert told.message.startswith("db: ")


def hold_lock(path: Path) -> sqlite3.Connection:
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    return blocker


async def test_a_lock_that_stays_is_told_and_the_log_goes_on(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "_WRITE_WITHIN_S", 0.05)
    blocker = hold_lock(database.state.database_file)
    async with DecisionLog(database) as log:
        for ask in (log.record(entry(now)), log.probe()):
            with pytest.raises(StorageError) as raised:
                await ask
            assert raised.value.cause is Cause.BUSY
        blocker.execute("ROLLBACK")
        await log.record(entry(now))
    blocker.close()
    assert len(read_log(database)) == 1, "what was refused is not written later"


async def test_who_gives_up_leaves_nothing_behind(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_log, "RECORD_WITHIN_S", 0.05)
    blocker = hold_lock(database.state.database_file)
    async with DecisionLog(database) as log:
        done = await asyncio.gather(
            *(log.record(entry(now)) for _ in range(3)), return_exceptions=True
        )
        assert [getattr(error, "cause", None) for error in done] == [Cause.SLOW] * 3
        # The first is being written when they give up: as if the disk hung. The others
        # are not begun any more.
        blocker.execute("ROLLBACK")
    blocker.close()
    assert len(read_log(database)) <= 3
    assert log.waiting == 0


async def test_who_came_later_gives_up_later(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = hold_lock(database.state.database_file)
    async with DecisionLog(database) as log:
        given_up: list[str] = []

        async def put(name: str, within_s: float) -> None:
            monkeypatch.setattr(decision_log, "RECORD_WITHIN_S", within_s)
            with pytest.raises(StorageError) as raised:
                await log.record(entry(now))
            assert raised.value.cause is Cause.SLOW
            given_up.append(name)

        async with asyncio.timeout(30):  # one whom nobody looks at waits for ever
            async with asyncio.TaskGroup() as group:
                group.create_task(put("first", 0.05))
                group.create_task(put("second", 0.1))
                group.create_task(put("third", 0.15))
        assert given_up == ["first", "second", "third"]
        blocker.execute("ROLLBACK")
    blocker.close()


async def test_a_lock_is_waited_for_without_stopping_the_loop(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Registry(database) as reader:
        assert (await reader.revision()).registry == 1
        # Readers of a WAL wait rarely: for its recovery, or its last checkpoint.
        asked = reader._look
        busy = sqlite3.OperationalError("database is locked")
        busy.sqlite_errorname = "SQLITE_BUSY"
        left = [busy] * 3

        def revision() -> Any:
            if left:
                raise storage_error("db", left.pop())
            return type(asked).revision(asked)

        monkeypatch.setattr(asked, "revision", revision)
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count())
        assert (await reader.revision()).registry == 1
        assert turns > 10, "the loop went on"
        monkeypatch.setattr(registry, "ANSWER_WITHIN_S", 0.3)
        left[:] = [busy] * 1000
        with pytest.raises(StorageError) as raised:
            await reader.revision()
        assert raised.value.cause is Cause.BUSY
        counting.cancel()


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.replace(path)


@pytest.mark.parametrize("harm", [delete, replace])
async def test_a_file_that_was_taken_away_is_told(
    database: Database, now: datetime, harm: Callable[[Path], None]
) -> None:
    path = database.state.database_file
    kept = path.with_name("kept.db")
    with Registry(database) as reader:
        async with DecisionLog(database) as log:
            await log.record(entry(now))
            kept.hardlink_to(path)
            harm(path)
            for ask in (reader.revision(), log.record(entry(now)), log.probe()):
                with pytest.raises(StorageError) as raised:
                    await ask
                assert raised.value.cause is Cause.GONE
                assert "restart" in raised.value.hint
            assert path.exists() == (harm is replace), "nobody made it anew"
            kept.replace(path)
            await log.record(entry(now))
            await reader.revision()
    assert len(read_log(database)) == 2


async def test_a_connection_never_makes_the_file(
    database: Database, now: datetime
) -> None:
    database.state.database_file.unlink()
    with pytest.raises(StorageError) as raised:
        database.raw_connection()
    assert raised.value.cause is Cause.DISK
    assert not database.state.database_file.exists()


@pytest.mark.parametrize(
    ("pragma", "cause"),
    [("query_only=ON", Cause.READ_ONLY), ("max_page_count=1", Cause.FULL)],
)
async def test_a_disk_that_cannot_be_written_is_told(
    database: Database,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    pragma: str,
    cause: Cause,
) -> None:
    real = Database.raw_connection

    def harmed(self: Database, **options: Any) -> Any:
        connection = real(self, **options)
        connection.execute(f"PRAGMA {pragma}")
        return connection

    monkeypatch.setattr(Database, "raw_connection", harmed)
    async with DecisionLog(database) as log:
        done = await asyncio.gather(  # until the last page is full
            *(log.record(entry(now)) for _ in range(2000)), return_exceptions=True
        )
        told = {getattr(error, "cause", None) for error in done}
        assert told - {None} == {cause}
        monkeypatch.undo()
        await log.record(entry(now))


async def test_lost_counters_are_told(database: Database) -> None:
    with Registry(database) as reader:
        with database.write() as connection:
            connection.exec_driver_sql("DELETE FROM revision")
        with pytest.raises(StorageError) as raised:
            await reader.revision()
    assert raised.value.cause is Cause.DAMAGED


async def test_a_fault_of_our_own_is_told_without_its_text(
    database: Database,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(self: LogEntry) -> Any:
        raise ZeroDivisionError("s3" + "cr3t")

    async with DecisionLog(database) as log:
        monkeypatch.setattr(LogEntry, "values", broken)
        with pytest.raises(StorageError, match="ZeroDivisionError") as raised:
            await log.record(entry(now))
        monkeypatch.undo()
        await log.record(entry(now))
    assert "s3cr3t" not in f"{raised.value}{caplog.text}"
    assert "ZeroDivisionError" in caplog.text


async def test_the_probe_commits_and_changes_nothing(database: Database) -> None:
    async with DecisionLog(database) as log:
        await log.probe()
        assert log.groups == 1
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM revision").all()
    assert [tuple(row) for row in rows] == [(1, 1, 1, 1)]
    assert read_log(database) == []


def test_sqlite_alone_needs_no_driver_of_postgresql(tmp_path: Path) -> None:
    import subprocess

    program = (
        "import sys; from linekey.store.opening import open_store;"
        "open_store(sys.argv[1]).close(); sys.exit('psycopg' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=60)
    assert done.returncode == 0


def test_a_database_may_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    from linekey.store.paths import StateDir

    state = StateDir.open(tmp_path / "a b%20?c#d")
    open_database(state).close()
    open_database(state).close()
