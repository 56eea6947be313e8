"""What the index of the log's texts costs, and to count lines that are alike: to fill
it, and beside it phones' commits.

Made anew in a database of ``bench.manage``, in this process: one decision after the
other is put on record in a loop, alone and while a thread fills the index.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from linekey.mac import Mac
from linekey.store import log_alike, log_filling, log_texts
from linekey.store.database import Database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.schema import decision_log

_ALONE_S = 10.0
_LINE = LogEntry(
    at=datetime(2026, 1, 1, tzinfo=UTC), kind="decision", outcome="granted",
    reason="own_file", peer="192.0.2.1", resource="D785-000413000000.xml", status=200,
    vendor="snom", user_agent="Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33)",
)  # fmt: skip


def index_costs(database: Database) -> Iterator[tuple[str, list[float]]]:
    """Median and 99th percentile in milliseconds, and seconds in all."""
    _remove(database)
    with database.read() as connection:
        last = connection.execute(sa.select(sa.func.max(decision_log.c.id))).scalar()
    end = time.monotonic() + _ALONE_S
    alone = asyncio.run(_record(database, lambda: time.monotonic() > end))
    yield "a decision on record, alone", _told(alone)
    beside, took, cpu = asyncio.run(_beside(database))
    yield "a decision on record, beside the filling", _told(beside)
    yield f"filling it: {last or 0:,} lines, and its CPU", [0.0, 1000 * cpu, took]
    with database.write() as connection:  # what this put there
        new = decision_log.c.id > (last or 0)
        connection.execute(sa.delete(decision_log).where(new))


def _remove(database: Database) -> None:
    on = "" if database.is_sqlite else f" ON {decision_log.name}"
    with database.write() as connection:
        # Without its trigger what is counted is made anew, too.
        for trigger in (log_texts.TRIGGER, log_alike.TRIGGER):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger}{on}")
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {log_texts.NAME}")


async def _beside(database: Database) -> tuple[list[float], float, float]:
    began, cpu = time.monotonic(), time.process_time()
    filling = asyncio.create_task(asyncio.to_thread(log_filling.fill, database))
    waits = await _record(database, filling.done)
    await filling
    return waits, time.monotonic() - began, time.process_time() - cpu


async def _record(database: Database, is_over: Callable[[], bool]) -> list[float]:
    waits: list[float] = []
    async with DecisionLog(database) as log:
        while not is_over():
            mac = Mac(f"000413{len(waits) % 100_000:06X}")
            began = time.perf_counter()
            await log.record(replace(_LINE, mac=mac))
            waits.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.01)
    return waits


def _told(waits: list[float]) -> list[float]:
    ordered = sorted(waits)
    last = ordered[len(ordered) * 99 // 100]
    return [statistics.median(ordered), last, sum(waits) / 1000]
