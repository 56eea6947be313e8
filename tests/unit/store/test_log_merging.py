"""The index of the log's texts keeps its size, however many lines come and go."""

from datetime import timedelta

import pytest
from tests.unit.store.conftest import NOW
from tests.unit.store.test_log_texts import _sooner, check, found, write

from linekey.store import log_filling, log_merging
from linekey.store.database import Database
from linekey.store.decisions import prune_log
from linekey.store.log_merging import forget_texts
from linekey.store.log_texts import COMMAND, DEAD

assert _sooner
COUNT = 1_000
PART = COUNT // 4


def size(database: Database) -> int:
    """Bytes of FTS5's pages."""
    with database.read() as connection:
        asked = "SELECT sum(length(block)) FROM log_texts_data"
        return int(connection.exec_driver_sql(asked).scalar_one())


def dead(database: Database) -> int:
    with database.read() as connection:
        asked = f"SELECT lines FROM {DEAD}"
        return int(connection.exec_driver_sql(asked).scalar_one())


@pytest.fixture
def filled(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(log_merging, "LEAST", 100)
    monkeypatch.setattr(log_merging, "PAGES", 500)
    write(database, 100)
    log_filling.fill(database, alone=True)
    with database.write() as connection:  # a large index of small pages
        connection.exec_driver_sql(COMMAND, ("pgsz", 64))
    write(database, COUNT - 100, NOW + timedelta(seconds=100))
    log_filling.fill(database, alone=True)
    return database


def replace(database: Database, turn: int) -> int:
    """The oldest quarter goes, and as many lines come; how many went."""
    deleted = prune_log(database, NOW + timedelta(seconds=(turn + 1) * PART))
    write(database, PART, NOW + timedelta(seconds=COUNT + turn * PART))
    return deleted


def test_it_keeps_its_size_when_lines_are_deleted_and_others_come(
    filled: Database,
) -> None:
    first = size(filled)
    for turn in range(8):
        deleted = replace(filled, turn)
        assert deleted == PART
        assert forget_texts(filled, deleted)
        assert dead(filled) == 0
        log_filling.fill(filled, alone=True)
        assert size(filled) < 1.5 * first
    check(filled)
    assert found(filled, "/d7-") == COUNT


def test_without_it_the_index_grows_with_each_line_that_goes(filled: Database) -> None:
    """Why there is this module; an SQLite that does better makes it needless."""
    first = size(filled)
    for turn in range(8):
        replace(filled, turn)
        log_filling.fill(filled, alone=True)
    assert size(filled) > 2 * first


def test_few_dead_lines_wait_for_more(filled: Database) -> None:
    deleted = prune_log(filled, NOW + timedelta(seconds=150))
    assert not forget_texts(filled, deleted)
    assert dead(filled) == 150
    deleted = prune_log(filled, NOW + timedelta(seconds=250))
    assert forget_texts(filled, deleted)
    assert dead(filled) == 0


def test_it_ends_between_two_pieces_and_begins_again(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_merging, "PAGES", 9)
    deleted = replace(filled, 0)
    log_filling.fill(filled, alone=True)
    before = size(filled)
    asked = iter([False, True])
    assert not forget_texts(filled, deleted, lambda: next(asked))
    assert dead(filled) == deleted
    check(filled)
    deleted = replace(filled, 1)
    log_filling.fill(filled, alone=True)
    assert forget_texts(filled, deleted)
    assert size(filled) < before
    check(filled)


def test_an_index_that_is_made_anew_has_no_dead_lines(filled: Database) -> None:
    assert not forget_texts(filled, 99)
    with filled.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER log_texts_gone")
    assert not forget_texts(filled, COUNT)
    log_filling.fill(filled, alone=True)
    write(filled, 100)
    log_filling.fill(filled, alone=True)
    assert not forget_texts(filled, 1)
    assert dead(filled) == 1


def test_without_an_index_nothing_is_done(database: Database) -> None:
    assert not forget_texts(database, COUNT)
