import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa
from tests.selections import FLEET, HALL, OLD, ROOM, where
from tests.sightings import (
    CASES,
    ENDS,
    LATER,
    NOW,
    STRANGER,
    fleet_that_came,
    line,
    refused,
    visit,
)

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.group import Group
from linekey.store.database import Database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry, read_log
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.schema import sightings
from linekey.store.selection import Condition, Selection
from linekey.store.sightings import (
    MAX_USER_AGENT,
    certificates_seen,
    rows_of,
    sightings_of,
    statement,
)


def macs_seen(database: Database) -> set[Mac]:
    with database.read() as connection:
        rows = connection.execute(sa.select(sightings.c.mac)).scalars()
        return set(map(Mac, rows))


async def test_phones_are_found_by_what_their_visits_said(database: Database) -> None:
    devices = await fleet_that_came(database)
    assert macs_seen(database) == {HALL, ROOM, OLD}
    for wanted, macs in CASES:
        assert {device.mac for device in devices.all(wanted)} == macs, wanted
        assert devices.count(wanted) == len(macs)


async def test_the_row_says_what_the_last_visit_said(database: Database) -> None:
    await fleet_that_came(database)
    found = sightings_of(database, [HALL, OLD, STRANGER])
    hall = found[HALL]
    assert (hall.first_at, hall.last_at, hall.peer) == (NOW, LATER, "192.0.2.8")
    assert (hall.reason, hall.refused_at) == ("own_file", None), "of its own file"
    assert (hall.certificate_ends_at, hall.generation) == (ENDS, "sha256")
    assert (hall.certificate_sha256, hall.issuer_key_sha256) == ("ab" * 32, "cd" * 32)
    assert found.keys() == {HALL, OLD}
    agent = found[OLD].user_agent
    assert agent is not None
    assert len(agent) == MAX_USER_AGENT
    assert "\0" not in agent


async def test_a_clock_that_was_wrong_is_put_right_by_the_next_visit(
    database: Database,
) -> None:
    Devices(database).add_all(FLEET, NOW)
    ahead = NOW + timedelta(days=4000)
    await visit(database, refused(HALL, ahead), line(HALL, NOW))
    seen = sightings_of(database, [HALL])[HALL]
    assert (seen.first_at, seen.last_at, seen.outcome) == (NOW, NOW, "granted")
    assert seen.refused_at == ahead, "of that nothing newer is known"


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(hours=23)])
async def test_a_clock_set_back_moves_no_first_and_last_visit(
    database: Database, back: timedelta
) -> None:
    Devices(database).add_all(FLEET, NOW)
    later = NOW + timedelta(minutes=5)
    await visit(database, refused(HALL, NOW), refused(HALL, later, reason="x"))
    await visit(database, refused(HALL, later - back))
    seen = sightings_of(database, [HALL])[HALL]
    assert (seen.first_at, seen.last_at, seen.refused_at) == (NOW, later, later)
    assert seen.reason == "revoked", "the last one, whatever its time"
    reasons = [entry.reason for entry in read_log(database, mac=HALL)]
    assert reasons == ["revoked", "x", "revoked"], "in the order of writing"


async def test_a_clock_that_was_never_set_says_nothing_of_first_and_last(
    database: Database,
) -> None:
    Devices(database).add_all(FLEET, NOW)
    nobody_set = datetime(1970, 1, 1, 0, 3, tzinfo=UTC)
    await visit(database, line(HALL, NOW), line(HALL, nobody_set, peer="192.0.2.8"))
    seen = sightings_of(database, [HALL])[HALL]
    assert (seen.first_at, seen.last_at, seen.peer) == (NOW, NOW, "192.0.2.8")


GROUPS = [("acme", "acme"), (None, "acme"), ("acme", "corp")]
TIMES = [timedelta(0), timedelta(hours=1), -timedelta(hours=1), timedelta(days=9),
         -timedelta(days=9), -timedelta(days=20_000)]  # fmt: skip


@pytest.mark.parametrize("after", TIMES)
def test_visits_in_one_row_say_what_they_would_one_after_the_other(
    database: Database, after: timedelta
) -> None:
    Devices(database).add_all(FLEET, NOW)

    def put(*batches: list[LogEntry]) -> Any:
        with database.write() as connection:
            connection.execute(sa.delete(sightings))
            for rows in map(rows_of, batches):
                flat = tuple(value for row in rows for value in row)
                connection.exec_driver_sql(statement(len(rows), "?"), flat)
            return connection.execute(sa.select(sightings)).all()

    kinds = [line, refused, partial(line, target_mac=None, reason="common_file")]
    for first, second, (one, other) in product(kinds, kinds, GROUPS):
        before, then = (
            first(HALL, NOW, group=one),
            second(HALL, NOW + after, group=other),
        )
        assert put([before, then]) == put([before], [then]), (before, then)


async def test_who_is_limited_to_groups_is_told_of_visits_in_these_alone(
    database: Database,
) -> None:
    Devices(database).add_all(FLEET, NOW)
    for group in ("acme", "corp"):
        Groups(database).add(Group(group), NOW)
    await visit(database, refused(HALL, NOW, group="corp", peer="192.0.2.66"))
    Devices(database).change(HALL, lambda d: replace(d, group="acme"), NOW)
    acme = database.acting(database.actor, frozenset({"acme"}))
    found = ("seen=ever", "refused_since=2026-01-01", "last_reason=revoked")
    assert sightings_of(database, [HALL])[HALL].peer == "192.0.2.66"
    assert sightings_of(acme, [HALL]) == {}
    assert certificates_seen(acme) == {}
    for text in found:
        assert Devices(acme).count(where(text)) == 0
        assert Devices(database).count(where(text)) == 1
    assert Devices(acme).count(where("seen=never")) == 1
    assert Devices(acme).count(where("not_seen_since=2026-01-01")) == 1
    assert Devices(acme).count(Selection(search="192.0.2.66")) == 0
    came = line(HALL, LATER, target_mac=None, group="acme", peer="192.0.2.7")
    await visit(database, came)
    theirs = sightings_of(acme, [HALL])[HALL]
    assert (theirs.first_at, theirs.last_at, theirs.peer) == (LATER, LATER, "192.0.2.7")
    assert (theirs.reason, theirs.refused_at) == (None, None)
    assert Devices(acme).count(where("refused_since=2026-01-01")) == 0
    assert Devices(acme).count(Selection(search="192.0.2.7")) == 1
    ours = sightings_of(database, [HALL])[HALL]
    assert (ours.first_at, ours.refused_at) == (NOW, NOW)


async def test_visits_at_once_make_one_row(database: Database) -> None:
    Devices(database).add_all(FLEET, NOW)
    entries = [
        refused(HALL, NOW + timedelta(seconds=n)) if n % 3 else
        line(HALL, NOW + timedelta(seconds=n), target_mac=None, reason="common_file")
        for n in range(200)
    ]  # fmt: skip
    async with DecisionLog(database) as log:
        await asyncio.gather(*(log.record(entry) for entry in entries))
        assert log.groups < 100
    seen = sightings_of(database, [HALL])[HALL]
    assert seen.first_at == NOW
    assert seen.last_at >= NOW + timedelta(seconds=199 - 60)
    assert (seen.reason, seen.outcome) == ("revoked", "refused")


async def test_a_used_token_shows_the_phone_and_a_refused_one_does_not(
    database: Database,
) -> None:
    Devices(database).add_all(FLEET, NOW)
    await visit(
        database,
        line(None, target_mac=ROOM, reason="token_accepted"),
        line(None, target_mac=OLD, reason="token_used", outcome="refused"),
    )
    assert macs_seen(database) == {ROOM}


async def test_a_phone_that_is_removed_is_forgotten(database: Database) -> None:
    devices = await fleet_that_came(database)
    devices.remove(HALL, NOW)
    assert macs_seen(database) == {ROOM, OLD}
    await visit(database, line(HALL))
    assert macs_seen(database) == {ROOM, OLD}
    devices.add(FLEET[0], NOW)
    assert sightings_of(database, [HALL]) == {}


async def test_a_visit_changes_no_record(database: Database) -> None:
    devices = Devices(database)
    devices.add_all(FLEET, NOW)
    before = devices.get(HALL)
    await visit(database, line(HALL))
    assert devices.get(HALL) == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("seen=sometimes", "never or ever"), ("refused_since=yesterday", "not a time"),
        ("certificate_ends_before=", "not a time"),
        ("not_seen_since=0001-01-01T00:00+14:00", "not a time"),
        ("certificate_generation=md5", "no generation"),
        ("not_seen_sinse=2026-01-01", "did you mean not_seen_since"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        Condition.parse(text)
    assert reason in f"{caught.value.message} {caught.value.hint}"


async def test_lines_of_a_phone_are_found_by_their_indexes(database: Database) -> None:
    await fleet_that_came(database)
    await visit(database, line(HALL, target_mac=ROOM, reason="other_phones_file"))
    reasons = [entry.reason for entry in read_log(database, mac=ROOM)]
    assert reasons == ["own_file", "other_phones_file"]
    queries: list[tuple[str, object]] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def note(_c, _cursor, text, values, *_: object) -> None:  # type: ignore[no-untyped-def]
        queries.append((text, values))

    read_log(database, mac=HALL, limit=5)
    (text, values) = next(q for q in queries if "decision_log.mac" in q[0])
    with database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all()
    told = " ".join(str(row[3]) for row in plan)
    assert "ix_decision_log_mac" in told
    assert "ix_decision_log_target_mac" in told
    assert "SCAN decision_log" not in told


async def test_a_phone_that_starts_is_written_once_and_news_at_once(
    database: Database,
) -> None:
    Devices(database).add_all(FLEET, NOW)

    def second(n: int) -> datetime:
        return NOW + timedelta(seconds=n)

    visits = [
        (line(HALL), 0),
        (line(HALL, second(10)), 0),
        (line(HALL, second(11), target_mac=None, reason="common_file"), 0),
        (line(HALL, second(12), peer="192.0.2.9"), 12),
        (refused(HALL, second(20), peer="192.0.2.9"), 20),
        (refused(HALL, second(21), peer="192.0.2.9"), 20),
        (refused(HALL, second(81), peer="192.0.2.9"), 81),
        (refused(HALL, second(5), peer="192.0.2.9"), 81),  # of a clock set back
    ]
    async with DecisionLog(database) as log:
        for entry, last in visits:
            await log.record(entry)
            seen = sightings_of(database, [HALL])[HALL]
            assert seen.last_at == second(last), (entry, seen)
    assert len(read_log(database, mac=HALL)) == len(visits), "the log has each"


async def test_what_a_phone_does_without_is_not_what_came_of_its_visit(
    database: Database,
) -> None:
    """A Poly asks for its file first, and for what it can do without afterwards."""
    Devices(database).add_all(FLEET, NOW)
    await visit(database, line(HALL, NOW))
    beside = line(
        HALL, LATER, reason="optional_file", outcome="absent", target_mac=HALL
    )
    await visit(database, beside)
    (seen,) = sightings_of(database, [HALL]).values()
    assert (seen.last_at, seen.outcome, seen.reason) == (LATER, "granted", "own_file")
    assert seen.refused_at is None
