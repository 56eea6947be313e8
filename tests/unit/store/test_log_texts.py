"""The index of the log's texts: filled in pieces, true to the log, and never needed."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.unit.store.conftest import NOW

from linekey.store import log_filling, log_texts
from linekey.store.database import Database, open_database
from linekey.store.decisions import LogEntry, prune_log, statements
from linekey.store.log_search import LogSearch, lines_and_total
from linekey.store.schema import decision_log

COUNT = 600


def write(database: Database, count: int, at: datetime = NOW, text: str = "D7") -> None:
    lines = [
        LogEntry(
            at=at + timedelta(seconds=n), kind="decision", outcome="granted",
            reason="own_file", peer="192.0.2.7", resource=f"/{text}-{n:04}.xml",
            user_agent="Snom" if n % 2 else None,
        )
        for n in range(count)
    ]  # fmt: skip
    put(database, lines)


def put(database: Database, lines: list[LogEntry]) -> None:
    """Put lines into the log as they are."""
    raw = database.raw_connection()
    mark = "?" if database.is_sqlite else "%s"
    for statement, values in statements([line.values() for line in lines], mark):
        raw.cursor().execute(statement, values)
    if not database.is_sqlite:
        raw.commit()
    raw.close()


def reach(database: Database) -> int:
    with database.read() as connection:
        return log_texts.reach(connection)


def found(database: Database, text: str) -> int:
    with database.read() as connection:
        search = LogSearch(text=text)
        return lines_and_total(connection, search, before=None, limit=9).total


def check(database: Database) -> None:
    """FTS5 compares its index with all lines, which must be in it."""
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO log_texts (log_texts, rank) VALUES ('integrity-check', 1)"
        )


@pytest.fixture(autouse=True)
def _sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_filling, "WAITS", 100)


def test_it_is_filled_in_pieces_until_nothing_waits(database: Database) -> None:
    write(database, COUNT)
    asked = iter([False, False, True])
    assert log_filling.fill(database, lambda: next(asked)) == 2 * log_filling.PIECE
    assert reach(database) == 2 * log_filling.PIECE
    assert log_filling.fill(database) == COUNT - 2 * log_filling.PIECE
    assert reach(database) == COUNT
    check(database)
    assert log_filling.fill(database) == 0


def test_few_lines_wait_for_more(database: Database) -> None:
    write(database, 99)
    assert log_filling.fill(database) == 0
    assert reach(database) == 0
    write(database, 1)
    assert log_filling.fill(database) == 100


def test_what_is_deleted_leaves_it(database: Database) -> None:
    write(database, COUNT)
    log_filling.fill(database)
    assert prune_log(database, NOW + timedelta(seconds=500)) == 500
    check(database)
    assert found(database, "7-05") == 100
    with database.write() as connection:
        connection.execute(sa.delete(decision_log).where(decision_log.c.id == COUNT))
    check(database)
    assert reach(database) == COUNT - 1


def test_numbers_that_are_given_anew_are_not_taken_for_known(
    database: Database,
) -> None:
    """SQLite begins again with 1 when the log was emptied."""
    write(database, COUNT)
    log_filling.fill(database)
    prune_log(database, NOW + timedelta(days=1))
    assert reach(database) == 0
    write(database, 50, text="new")
    assert (found(database, "/new-"), found(database, "/d7-")) == (50, 0)
    write(database, 200, text="newer")
    assert log_filling.fill(database) == 250
    check(database)
    assert found(database, "/newer-") == 200


def test_an_sqlite_that_has_no_trigrams_does_without(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another one has made the index: lines can still be deleted."""
    write(database, COUNT)
    log_filling.fill(database)
    for module in (log_texts, log_filling):
        monkeypatch.setattr(module, "has_trigrams", lambda: False)
    assert log_filling.fill(database) == 0
    with open_database(database.state) as again:
        assert reach(again) == 0
        assert found(again, "/d7-00") == 100
        assert prune_log(again, NOW + timedelta(seconds=50)) == 50
        assert found(again, "/d7-00") == 50
    monkeypatch.undo()
    monkeypatch.setattr(log_filling, "WAITS", 100)
    assert found(database, "/d7-00") == 50
    assert log_filling.fill(database) == COUNT - 50
    check(database)


def test_an_older_sqlite_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert log_texts.has_trigrams()
    log_texts.has_trigrams.cache_clear()
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 33, 0))
    assert not log_texts.has_trigrams()
    log_texts.has_trigrams.cache_clear()


def test_texts_of_any_length_are_asked_by_some_of_their_pieces() -> None:
    assert log_texts._match('a"b') == '"a""b"'
    assert log_texts._match("abcd") == '"abc" AND "bcd"'
    assert log_texts._match("abcdef") == '"abc" AND "cde" AND "def"'
    long = log_texts._match("".join(map(chr, range(100, 350))))
    assert 16 <= long.count('"') // 2 <= 34


def test_it_is_in_no_count_of_rows_and_no_copy(database: Database) -> None:
    from linekey.store.backup import _count

    write(database, COUNT)
    log_filling.fill(database)
    raw = database.raw_connection()
    rows = _count(raw)
    raw.close()
    assert rows["decision_log"] == COUNT
    assert not [name for name in rows if name.startswith(log_texts.NAME)]
