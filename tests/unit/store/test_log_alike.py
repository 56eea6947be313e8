"""Lines that are alike are counted, and stay counted as they come and go."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.store.conftest import NOW
from tests.unit.store.test_log_texts import put

from linekey.store import log_alike, log_filling, log_listed, log_search
from linekey.store.database import Database
from linekey.store.decisions import LogEntry, prune_log
from linekey.store.log_search import LogSearch, count_lines, find_lines, lines_and_total
from linekey.store.schema import decision_log

KINDS = (
    {"outcome": "granted", "reason": "own_file", "status": 200, "vendor": "snom"},
    {"outcome": "refused", "reason": "revoked", "status": 403, "vendor": "snom"},
    {"outcome": "refused", "reason": "no_certificate", "group": "acme"},
)
SEARCHES = (
    LogSearch(),
    LogSearch(outcome="refused"),
    LogSearch(vendor="snom"),
    LogSearch(status=403),
    LogSearch(group="acme"),
    LogSearch(groups=frozenset({"acme"})),
    LogSearch(peer="192.0.2.1"),
    LogSearch(peer="192.0.2.1", status=403),
    LogSearch(reason="nothing"),
)


def write(database: Database, kinds: list[int]) -> None:
    lines = [
        LogEntry(
            at=NOW + timedelta(seconds=n), kind="decision", peer=f"192.0.2.{n % 3}",
            resource="/x", **KINDS[kind],
        )
        for n, kind in enumerate(kinds)
    ]  # fmt: skip
    put(database, lines)


def delete(database: Database, where: sa.ColumnElement[bool]) -> None:
    with database.write() as connection:
        connection.execute(sa.delete(decision_log).where(where))


def check(database: Database) -> None:
    """Each search finds and counts what going through all lines does."""
    with database.read() as connection:
        for search in SEARCHES:
            found = lines_and_total(connection, search, before=None, limit=7)
            assert found == (
                find_lines(connection, search, before=None, limit=7),
                count_lines(connection, search), True, None,
            )  # fmt: skip
            known = log_alike.known(connection, search.alike)
            assert known is not None
            rest = [*search.where(), decision_log.c.id <= known.last]
            if search.more == LogSearch():
                counted = sa.select(sa.func.count()).where(*rest)
                assert known.lines == connection.execute(counted).scalar_one()


@pytest.fixture(autouse=True)
def _sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_filling, "WAITS", 1)
    monkeypatch.setattr(log_filling, "PIECE", 20)
    monkeypatch.setattr(log_filling, "_PIECE_THERE", 20)
    monkeypatch.setattr(log_filling, "_REST_S", 0)


MOVES = st.lists(
    st.one_of(
        st.lists(st.integers(0, 2), min_size=1, max_size=30),
        st.sampled_from(["fill", "piece", "newest", "oldest", "all", "some"]),
    ),
    min_size=1,
    max_size=9,
)


def play(database: Database, moves: list[list[int] | str]) -> None:
    """Lines come, are counted and are deleted, and nothing is counted wrong."""
    number = decision_log.c.id
    with database.read() as connection:
        newest = connection.execute(sa.select(sa.func.max(number))).scalar() or 0
    delete(database, number <= newest)
    write(database, [0, 1, 2])
    log_filling.fill(database)
    for move in moves:
        with database.read() as connection:
            ids = list(connection.execute(sa.select(number).order_by(number)).scalars())
        if isinstance(move, list):
            write(database, move)
        elif move in ("fill", "piece"):
            asked = iter([False, True] if move == "piece" else [False] * 99)
            log_filling.fill(database, lambda asked=asked: next(asked))  # type: ignore[misc]
        else:
            gone = {"newest": ids[-2:], "oldest": ids[:2], "all": ids, "some": ids[::3]}
            delete(database, number.in_(gone[move]))
        check(database)


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)  # fmt: skip
@given(MOVES)
def test_what_is_counted_is_there(
    database: Database, moves: list[list[int] | str]
) -> None:
    play(database, moves)


def test_old_blocks_of_addresses_are_forgotten(database: Database) -> None:
    write(database, [0] * 100)
    log_filling.fill(database)
    assert prune_log(database, NOW + timedelta(seconds=70)) == 70
    write(database, [0] * 100)
    log_filling.fill(database)
    with database.read() as connection:
        asked = sa.text(f"SELECT min(first) FROM {log_listed.NAME}")
        assert connection.execute(asked).scalar() == 61
    check(database)


def test_many_of_one_address_are_gone_through(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(database, [0, 1] * 50)
    log_filling.fill(database)
    with database.read() as connection:
        for most, few in ((32, None), (33, 33)):
            asked = log_listed.candidates(connection, "peer", "192.0.2.1", 100, most)
            assert few == (None if asked is None else len(asked))
    monkeypatch.setattr(log_search, "COUNTED", 10)
    check(database)


def test_a_log_of_which_most_is_not_counted_yet_is_counted_as_before(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(database, [0, 1, 2] * 20)
    asked = iter([False, True])
    log_filling.fill(database, lambda: next(asked))
    check(database)
    monkeypatch.setattr(log_search, "_UNCOUNTED", 39)
    with database.read() as connection:
        assert log_search._known(connection, LogSearch()) is None
    check(database)


def test_it_is_in_no_count_of_rows_and_no_copy(database: Database) -> None:
    from linekey.store.backup import _count

    write(database, [0] * 30)
    log_filling.fill(database)
    raw = database.raw_connection()
    rows = _count(raw)
    raw.close()
    assert rows["decision_log"] == 30
    assert not [name for name in rows if name.startswith(log_alike.NAME)]
