"""Decisions by hour: each counted once, counted lines as many as they stand for."""

from datetime import UTC, datetime, timedelta

from linekey.mac import Mac
from linekey.store.database import Database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.log_counts import HourCounts

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


async def test_hours_are_in_order_and_none_is_left_out(database: Database) -> None:
    mac = Mac("000413AABBCC")
    async with DecisionLog(database) as log:
        for minutes, outcome, reason, group in (
            (1, "granted", "own_file", "acme"), (2, "refused", "revoked", None),
            (61, "granted", "own_file", None), (600, "granted", "own_file", None),
        ):  # fmt: skip
            await log.record(
                LogEntry(
                    at=NOW - timedelta(minutes=minutes), kind="decision", mac=mac,
                    outcome=outcome, reason=reason, peer="192.0.2.7", group=group,
                )
            )  # fmt: skip
    with database.read() as connection:
        counts = HourCounts()
        for _ in range(2):  # the second time some of it is remembered
            found = counts.count(connection, NOW - timedelta(hours=3), NOW, NOW)
            acme = counts.count(
                connection, NOW - timedelta(hours=3), NOW, NOW, frozenset({"acme"})
            )
    assert [hour.as_json() for hour in found.hours] == [
        {
            "at": f"2026-11-29T{at}:00:00+00:00",
            "granted": g,
            "blanked": 0,
            "refused": r,
            "absent": 0,
        }
        for at, g, r in (("09", 0, 0), ("10", 1, 0), ("11", 1, 1), ("12", 0, 0))
    ]
    assert found.reasons == [("own_file", "granted", 2), ("revoked", "refused", 1)]
    assert acme.reasons == [("own_file", "granted", 1)]


async def test_hours_that_are_long_over_are_remembered(database: Database) -> None:
    """What is written into them later is not expected; into the last ones it is."""
    counts = HourCounts()

    async def write(hours: float) -> None:
        async with DecisionLog(database) as log:
            await log.record(
                LogEntry(
                    at=NOW - timedelta(hours=hours), kind="decision", peer="192.0.2.7",
                    outcome="granted", reason="own_file", mac=Mac("000413AABBCC"),
                )
            )  # fmt: skip

    def granted(hours: int, now: datetime = NOW) -> list[int]:
        since = NOW - timedelta(hours=hours)
        with database.read() as connection:
            found = counts.count(connection, since, NOW, now)
        return [hour.counts.get("granted", 0) for hour in found.hours]

    for hours in (0, 0.5, 5):
        await write(hours)
    assert granted(6) == [0, 1, 0, 0, 0, 1, 1]
    for hours in (0, 0.5, 5, 20):
        await write(hours)
    assert granted(6) == [0, 1, 0, 0, 0, 2, 2]
    assert sum(granted(20)) == 7
    assert granted(6, NOW - timedelta(hours=1)) == [0, 2, 0, 0, 0, 2, 2], (
        "the clock was ahead"
    )
