"""Searches of the log find what the slow definition does, whichever way they go."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.mac import Mac
from linekey.store import log_alike, log_filling, log_search, log_texts
from linekey.store.changes import Moment
from linekey.store.database import Database, open_database
from linekey.store.decisions import LogEntry, statements
from linekey.store.log_search import LogSearch, count_lines, find_lines, lines_and_total
from linekey.store.paths import StateDir
from linekey.store.schema import to_us

START = datetime(2026, 1, 1, tzinfo=UTC)
REASONS = [("granted", "own_file"), ("refused", "revoked"), ("refused", "token_used")]
REASONS += [("blanked", "own_file"), ("refused", "no_certificate")]
MACS = [Mac(f"00041300000{n}") for n in range(4)]
COUNT = 400
DETAILS = [
    'said "AND" twice',
    "Stra\u00dfe K\u00f6ln",
    "100%_\\n",
    "\u03a3\u03b1\u03c2 \u0130",
    "*a*",
]


def lines() -> list[LogEntry]:
    numbers = random.Random(3)
    found = []
    for n in range(COUNT):
        # Most are granted, and the old ones are all refused: both ways have to look.
        outcome, reason = REASONS[0] if n > COUNT // 4 else numbers.choice(REASONS)
        if numbers.random() < 0.1:
            outcome, reason = numbers.choice(REASONS)
        found.append(
            LogEntry(
                at=START + timedelta(minutes=n // 3), kind="decision", outcome=outcome,
                reason=reason, peer=f"192.0.2.{n % 3}", mac=numbers.choice(MACS),
                resource=f"/D785-{n % 7}.xml", status=numbers.choice([200, 403, None]),
                vendor=numbers.choice(["snom", "yealink", None]), row_id=n + 1,
                certificate_sha256=numbers.choice(["a" * 64, "a" * 20 + "b" * 44, None]),
                user_agent=numbers.choice(["Snom%_D785", None]),
                server_name=numbers.choice(["prov.example.com", "a", None]),
                detail=numbers.choice(DETAILS) if n % 50 == 3 else "",
                group=numbers.choice(["acme", "beta", None]),
            )
        )  # fmt: skip
    return found


LINES = lines()


def written(folder: Path) -> Iterator[Database]:
    with open_database(StateDir.open(folder)) as database:
        raw = database.raw_connection()
        for statement, values in statements([line.values() for line in LINES], "?"):
            raw.execute(statement, values)
        raw.close()
        yield database


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    yield from written(tmp_path_factory.mktemp("log") / "state")


@pytest.fixture(scope="module", params=[0, 3, 999], ids=["none", "part", "whole"])
def indexed(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Database]:
    """The same log with so many pieces of it in the index of texts."""
    for database in written(tmp_path_factory.mktemp("log") / "state"):
        fill_pieces(database, request.param)
        with database.read() as connection:
            for part in (log_texts, log_alike):
                assert part.reach(connection) == min(request.param * 50, COUNT)
        yield database


def fill_pieces(database: Database, pieces: int) -> None:
    left = iter(range(pieces))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_filling, "WAITS", 1)
        patch.setattr(log_filling, "PIECE", 50)
        patch.setattr(log_filling, "_PIECE_THERE", 50)
        patch.setattr(log_filling, "_REST_S", 0)
        log_filling.fill(database, lambda: next(left, None) is None)


TIMES = st.none() | st.integers(0, COUNT // 3).map(
    lambda n: START + timedelta(minutes=n)
)
SEARCHES = st.builds(
    LogSearch,
    outcome=st.sampled_from(["", "granted", "refused", "blanked"]),
    reason=st.sampled_from(["", "own_file", "revoked", "token_used", "nothing"]),
    mac=st.none() | st.sampled_from(MACS),
    peer=st.sampled_from(["", "192.0.2.1", "192.0.2", "a\n"]),
    vendor=st.sampled_from(["", "", "snom", "lab-snom"]),
    status=st.sampled_from([None, None, 403, 500]),
    certificate_sha256=st.sampled_from(["", "", "a" * 64]),
    group=st.sampled_from(["", "", "beta"]),
    text=st.sampled_from(["", "-3.XML", "snom%", "nowhere", "D785", "x"]),
    since=TIMES,
    until=TIMES,
)


def fits(line: LogEntry, search: LogSearch) -> bool:
    texts = f"{line.resource}\n{line.detail}\n{line.user_agent or ''}".lower()
    return (
        search.outcome in ("", line.outcome)
        and search.reason in ("", line.reason)
        and search.mac in (None, line.mac)
        and search.peer in ("", line.peer)
        and search.vendor in ("", line.vendor)
        and search.status in (None, line.status)
        and search.certificate_sha256 in ("", line.certificate_sha256)
        and search.group in ("", line.group)
        and (search.groups is None or line.group in search.groups)
        and search.text.lower() in texts
        and (search.since is None or line.at >= search.since)
        and (search.until is None or line.at < search.until)
    )


MOMENTS = st.builds(
    lambda minute, passed: Moment(to_us(START + timedelta(minutes=minute)), passed),
    st.integers(0, COUNT // 3),
    st.integers(0, 5),
)


@given(
    SEARCHES,
    st.none() | st.integers(0, COUNT + 1) | MOMENTS,
    st.integers(1, 30),
    st.sampled_from([0, 20, 5000]),
)
def test_the_newest_lines_are_found_whichever_way(
    log: Database, search: LogSearch, before: int | Moment | None, limit: int, few: int
) -> None:
    fitting = [line for line in LINES if fits(line, search)]
    if isinstance(before, Moment):  # their numbers rise with their times here
        older = [line for line in fitting if to_us(line.at) <= before.at]
        older = older[: max(0, len(older) - before.passed)]
    else:
        older = [line for line in fitting if before is None or line.row_id < before]
    with log.read() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_search, "_FEW", few)
        assert count_lines(connection, search) == len(fitting)
        asked = {"before": before, "limit": limit}
        assert find_lines(connection, search, **asked) == older[: -limit - 1 : -1]
        found = lines_and_total(connection, search, **asked)
        assert found == (older[: -limit - 1 : -1], len(fitting), True, None)


TEXTS = st.sampled_from(
    [
        "D785",
        "-3.xm",
        "XML",
        "x",
        "%",
        "_D7",
        "snom%_",
        'd "AND" t',
        "EXAMPLE.com",
        "stra\u00dfe k",
        "K\u00d6LN",
        "\\n",
        "\u03c3\u03b1\u03c3",
        "\u0130",
        "*a*",
        "a*",
        "nowhere",
        "xmlsnom",
        "xml\nsnom",
        '"',
        "NOT",
        "D785-1.xmlD785",
        "-" * 200,
    ]
) | st.text(alphabet='dD785%_"*\\ Kk\u00f6\u00df\n', max_size=5)


ASKED = st.builds(
    replace,
    SEARCHES,
    text=TEXTS,
    groups=st.sampled_from([None, None, frozenset({"acme"}), frozenset({"x"})]),
)
BEFORE = st.none() | st.integers(0, COUNT + 1) | MOMENTS


def check_text_found(
    database: Database,
    asked: LogSearch,
    before: int | Moment | None,
    limit: int,
    *sizes: int,
) -> None:
    """By the index or not, in one page or several: what is found by going through the
    lines is found, each once, and a total is never more than there is."""
    with database.read() as connection, pytest.MonkeyPatch.context() as patch:
        for name, size in zip(("COUNTED", "_LOOK", "BACK"), sizes, strict=True):
            patch.setattr(log_search, name, size)
        lines = find_lines(connection, asked, before=before, limit=COUNT + 1)
        total = count_lines(connection, asked)
        said: set[tuple[int, bool]] = set()
        got: list[LogEntry] = []
        for _ in range(9):
            found = lines_and_total(connection, asked, before=before, limit=limit)
            said.add((found.total, found.is_exact))
            got += found.lines
            if found.reached is not None:
                assert len(found.lines) < limit
                assert all(to_us(line.at) >= found.reached.at for line in found.lines)
                before = found.reached.before
            elif len(found.lines) == limit:
                before = behind(found.lines, before)
            else:
                assert got == lines
                break
        assert got == lines[: len(got)]
    ((counted, is_exact),) = said
    assert counted == total if is_exact else counted <= total
    assert is_exact or asked.text


def behind(lines: list[LogEntry], before: int | Moment | None) -> int | Moment:
    last = lines[-1]
    if not isinstance(before, Moment):
        return last.row_id
    at = to_us(last.at)
    passed = sum(line.at == last.at for line in lines)
    return Moment(at, passed + (before.passed if before.at == at else 0))


SIZES = (
    st.sampled_from([3, 40, 5000]),
    st.sampled_from([5, 60, 5000]),
    st.sampled_from([7, 90, 5000]),
)


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
    fitting = [line for line in LINES if fits(line, asked)]
    check_text_found(indexed, asked, before, limit, 10_000, 12_000, 50_000)
    with indexed.read() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_search, "_FEW", 20)
        patch.setattr(log_alike, "_MANY", 2)
        assert lines_and_total(connection, asked, before=before, limit=limit) == (
            find_lines(connection, asked, before=before, limit=limit), len(fitting),
            True, None,
        )  # fmt: skip


def test_what_is_much_of_the_log_and_what_is_little(log: Database) -> None:
    for search in (LogSearch(outcome="granted"), LogSearch(reason="token_used")):
        fitting = [line for line in LINES if fits(line, search)]
        assert (len(fitting) * 4 > COUNT) is (search.outcome == "granted")
        with log.read() as connection:
            found = lines_and_total(connection, search, before=None, limit=COUNT)
        assert found == (fitting[::-1], len(fitting), True, None)


def test_a_line_comes_back_whole(log: Database) -> None:
    with log.read() as connection:
        (line,) = find_lines(connection, LogSearch(), before=None, limit=1)
    assert line == replace(LINES[-1])
