"""The index of the log's texts on PostgreSQL: what is found is what is there."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tests.postgres import Cluster
from tests.unit.store.conftest import NOW
from tests.unit.store.test_log_search import (
    ASKED,
    BEFORE,
    COUNT,
    LINES,
    SIZES,
    check_text_found,
    fill_pieces,
)
from tests.unit.store.test_log_texts import found, reach, write

from linekey.store import log_filling, log_texts
from linekey.store.changes import Moment
from linekey.store.database import Database, open_database
from linekey.store.decisions import prune_log, statements
from linekey.store.log_search import LogSearch
from linekey.store.paths import StateDir
from linekey.store.schema import decision_log

pytestmark = pytest.mark.peer("postgres")


@pytest.fixture(scope="module", params=[0, 3, 999], ids=["none", "part", "whole"])
def indexed(
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Database]:
    state = StateDir.open(tmp_path_factory.mktemp("state"))
    with open_database(state, cluster.new()) as database:
        raw = database.raw_connection()
        for statement, values in statements([line.values() for line in LINES], "%s"):
            raw.cursor().execute(statement, values)
        raw.commit()
        raw.close()
        fill_pieces(database, request.param)
        assert reach(database) == min(request.param * 50, COUNT)
        yield database


@given(ASKED, BEFORE, st.integers(1, 30), *SIZES)
def test_a_text_is_found_as_by_going_through_the_lines(
    indexed: Database,
    asked: LogSearch,
    before: int | Moment | None,
    limit: int,
    counted: int,
    look: int,
    back: int,
) -> None:
    check_text_found(indexed, asked, before, limit, counted, look, back)


@given(ASKED, BEFORE, st.integers(1, 30))
def test_lines_that_are_counted_are_found_as_by_going_through_them(
    indexed: Database, asked: LogSearch, before: int | Moment | None, limit: int
) -> None:
    asked = replace(asked, text="")
    check_text_found(indexed, asked, before, limit, 10_000, 12_000, 50_000)


@pytest.fixture
def database(cluster: Cluster, tmp_path: Path) -> Iterator[Database]:
    with open_database(StateDir.open(tmp_path), cluster.new()) as database:
        yield database


@pytest.fixture(autouse=True)
def _sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_filling, "WAITS", 100)


def test_what_is_deleted_leaves_it(database: Database) -> None:
    write(database, 600)
    assert log_filling.fill(database) == 600
    assert prune_log(database, NOW + timedelta(seconds=550)) == 550
    with database.write() as connection:
        connection.execute(sa.delete(decision_log).where(decision_log.c.id == 600))
        left = connection.exec_driver_sql("SELECT count(*) FROM log_texts").scalar()
    assert left == 49
    assert (found(database, "/D7-0"), reach(database)) == (49, 599)


def test_one_process_at_a_time_fills_it(database: Database) -> None:
    write(database, 300)
    with database.write() as connection:
        assert log_filling._is_mine(connection)
        filled: list[int] = []
        other = threading.Thread(
            target=lambda: filled.append(log_filling.fill(database))
        )
        other.start()
        other.join(30)
        assert filled == [0]
    assert log_filling.fill(database) == 300
    assert found(database, "/d7-0") == 300


def test_lines_that_are_still_written_are_waited_for(database: Database) -> None:
    """Numbers are given before the commit: a line must not be passed over."""
    write(database, 200)
    filled: list[int] = []
    filling = threading.Thread(target=lambda: filled.append(log_filling.fill(database)))
    with database.write() as connection:
        insert = sa.insert(decision_log).from_select(
            [c.name for c in decision_log.c if c.name != "id"],
            sa.select(*(c for c in decision_log.c if c.name != "id")).limit(1),
        )
        connection.execute(insert)
        write(database, 100, text="late")
        filling.start()
        filling.join(0.3)
        assert not filled
    filling.join(30)
    assert filled == [301]


def test_who_may_not_have_the_extension_has_the_table(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.execute("CREATE ROLE plain LOGIN")
    engine = sa.create_engine(cluster.new("of_plain"))
    with engine.begin() as connection:
        connection.exec_driver_sql("GRANT CREATE ON SCHEMA public TO plain")
    engine.dispose()
    url = f"postgresql+psycopg://plain@/of_plain?host={quote(str(cluster.root))}"
    with open_database(StateDir.open(tmp_path), url) as database:
        write(database, 300)
        assert log_filling.fill(database) == 300
        with database.read() as connection:
            names = sa.inspect(connection).get_indexes(log_texts.NAME)
            assert names == []
        assert (found(database, "/d7-02"), reach(database)) == (100, 300)
