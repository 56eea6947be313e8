"""Lines that are alike, counted on PostgreSQL, while others delete some."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from tests.postgres import Cluster
from tests.unit.store.test_log_alike import MOVES, _sooner, check, delete, play, write

from linekey.store import log_alike, log_filling
from linekey.store.database import Database, open_database
from linekey.store.paths import StateDir
from linekey.store.schema import decision_log

pytestmark = pytest.mark.peer("postgres")
assert _sooner


@pytest.fixture
def database(cluster: Cluster, tmp_path: Path) -> Iterator[Database]:
    with open_database(StateDir.open(tmp_path), cluster.new()) as database:
        yield database


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)  # fmt: skip
@given(MOVES)
def test_what_is_counted_is_there(
    database: Database, moves: list[list[int] | str]
) -> None:
    play(database, moves)


@pytest.mark.parametrize("first", ["deleting", "counting"])
def test_a_line_that_goes_while_it_is_counted(database: Database, first: str) -> None:
    """Whoever comes second waits, and sees what the first did."""
    write(database, [0, 1, 2] * 3)
    log_filling.fill(database)
    write(database, [0, 1, 2] * 3)
    ids = decision_log.c.id
    if first == "deleting":
        other = threading.Thread(target=log_filling.fill, args=(database,))
    else:
        other = threading.Thread(target=delete, args=(database, ids.in_([10, 12])))
    with database.write() as connection:
        if first == "deleting":
            connection.execute(sa.delete(decision_log).where(ids.in_([10, 12])))
        else:
            assert log_alike.put(connection, 18, 99) == 9
        other.start()
        other.join(0.5)
        assert other.is_alive()
    other.join(30)
    check(database)
    with database.read() as connection:
        known = log_alike.known(connection, {})
        assert known is not None
        assert (known.last, known.lines) == (18, 16)


def test_a_log_that_is_emptied_at_once_is_counted_anew(database: Database) -> None:
    write(database, [0, 1, 2] * 9)
    log_filling.fill(database)
    with database.write() as connection:
        connection.exec_driver_sql("TRUNCATE decision_log RESTART IDENTITY")
    check(database)
    write(database, [0, 1])
    check(database)
    log_filling.fill(database)
    check(database)
