"""How many bytes a row takes in SQLite and in PostgreSQL, and so what a year takes.

    python -m bench.sizes [--decisions 300000] [--phones 30000] [--no-write]

Rows go in as the server writes them: decisions by the log's own writer, phones by the
registry's, and the index of the log's texts by what fills it beside a server. SQLite is
measured by its pages, PostgreSQL by pg_total_relation_size after VACUUM; both with all
indexes. Then a tenth of the decisions is deleted, as retention does, and as many put in
again, until all have been replaced, to see whether the room is used again.

It is measured, too, when half of the decisions are in: where both halves take the same,
what is there once, however many rows there are, counts no more.
"""

import argparse
import asyncio
import contextlib
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import sqlalchemy as sa
from tests.postgres import running_cluster

from bench.server_vs_nginx import cpu_model, say
from linekey.catalog.firmware import Firmware
from linekey.catalog.vendors import LAB_VENDOR
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Setting
from linekey.store import decision_log, log_filling, log_texts, log_writer
from linekey.store.database import Database, open_database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry, prune_log
from linekey.store.devices import Devices
from linekey.store.paths import StateDir
from linekey.store.retention import let_go

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "size-of-a-year.md"
NOTES = ROOT / "bench" / "sizes_notes.md"
FLEETS = (1_000, 10_000, 100_000)
ASKS = (1, 2, 24)
"""Requests of a phone a day: at one start, at two, and once an hour."""
KEEP_DAYS = 90
_MIB = 1024**2


@dataclass(frozen=True)
class Sizes:
    """Bytes a row, with its share of the indexes."""

    decision: float
    """With its texts in the index."""
    halves: tuple[float, float]
    """Of the first half of the decisions, and of the second."""
    texts: float
    """Of a decision's bytes, those of the index of texts."""
    phone: float
    """With its sighting."""
    again: float
    """How much more room the decisions took when all had been deleted and replaced, a
    tenth at a time: a share of what they had."""
    version: str


def phones(count: int) -> Iterator[Device]:
    firmware = Firmware.parse("10.1.33.33")
    for number in range(count):
        layer = Layer().with_settings(
            Setting("user_name", str(1000 + number), 1),
            Setting("user_pass", f"secret-{number:06}-of-a-phone", 1),
            Setting("user_host", "pbx.example.com", 1),
            Setting("user_realname", f"Room {number}", 1),
        )
        layer = layer.with_function_keys(
            *(FunctionKey(n, "speed", str(100 + n)) for n in range(4))
        )
        yield Device(
            mac_of(number), LAB_VENDOR, "D785", firmware, label=f"Room {number}",
            layer=layer,
        )  # fmt: skip


def mac_of(number: int) -> Mac:
    return Mac(f"000413{number:06X}")


def entries(count: int, fleet: int, begin: datetime) -> Iterator[LogEntry]:
    """Decisions as phones bring them about: each its own file."""
    chance = Random(1)
    for number in range(count):
        mac = mac_of(number % fleet)
        yield LogEntry(
            at=begin + timedelta(seconds=number),
            kind="decision",
            outcome="granted",
            reason="own_file",
            peer=str(IPv4Address(0x0A000000 + chance.randrange(1 << 24))),
            peer_port=chance.randrange(1024, 65536),
            mac=mac,
            target_mac=mac,
            resource=f"/snomD785-{mac}.htm",
            status=200,
            tls_version="TLS 1.2",
            suite="ECDHE-RSA-AES128-GCM-SHA256",
            fingerprint="t12d1312h1_8b80da21ef18_b00751acaffa",
            policy="modern",
            server_name="prov.example.com",
            certificate_sha256=f"{chance.getrandbits(256):064x}",
            vendor="snom",
            generation="sha256",
            user_agent="Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33)",
            issuer_key_sha256="ab" * 32,
            certificate_ends_at=begin + timedelta(days=4000),
        )


# What is measured is room, and not time.
decision_log.RECORD_WITHIN_S = log_writer._WRITE_WITHIN_S = 3600.0


async def record(database: Database, count: int, fleet: int, begin: datetime) -> None:
    async with DecisionLog(database) as log:
        pending: list[asyncio.Future[None]] = []
        for entry in entries(count, fleet, begin):
            pending.append(asyncio.ensure_future(log.record(entry)))
            if len(pending) == 500:
                await asyncio.gather(*pending)
                pending.clear()
        await asyncio.gather(*pending)


def measure(
    database: Database,
    size: Callable[[], int],
    texts: Callable[[], int],
    decisions: int,
    fleet: int,
    version: str,
    *,
    replaced: bool = True,
) -> Sizes:
    """``replaced``: whether it is measured what takes their place."""
    now = datetime.now(UTC)
    empty = size()
    Devices(database).add_all(phones(fleet), now)
    # A first visit of each, which makes its sighting: its row is taken off again.
    asyncio.run(record(database, fleet, fleet, now - timedelta(days=KEEP_DAYS)))
    index(database)
    visited, texts_before = size(), texts()
    half = decisions // 2
    begin = now - timedelta(days=30)
    asyncio.run(record(database, half, fleet, begin))
    index(database)
    middle = size()
    rest = decisions - half
    asyncio.run(record(database, rest, fleet, begin + timedelta(seconds=half)))
    index(database)
    full = size()
    decision = (full - visited) / decisions
    halves = (middle - visited) / half, (full - middle) / rest
    of_texts = (texts() - texts_before) / decisions
    phone = (visited - empty) / fleet - decision
    again = 0.0
    if replaced:
        replace(database, size, decisions, fleet, begin)
        again = (size() - full) / (decision * (decisions + fleet))
    return Sizes(decision, halves, of_texts, phone, max(0.0, again), version)


def replace(
    database: Database,
    size: Callable[[], int],
    decisions: int,
    fleet: int,
    begin: datetime,
) -> None:
    """A tenth goes and as many come, ten times; first the visits go, too."""
    tenth = decisions // 10
    end = begin + timedelta(seconds=decisions)
    for turn in range(1, 11):
        gone = prune_log(database, begin + timedelta(seconds=turn * tenth))
        let_go(database, gone)
        size()  # for PostgreSQL a VACUUM, as autovacuum has it
        asyncio.run(record(database, gone, fleet, end))
        end += timedelta(seconds=gone)
        index(database)
        say(f"  replaced {turn} of 10: {size() / _MIB:.1f} MiB")


def index(database: Database) -> None:
    """Put the new lines' texts into their index, all of them."""
    with database.read() as connection:
        before = log_filling.waiting(connection)
    if before >= log_filling.WAITS and log_filling.fill(database) < before:
        raise RuntimeError("the index of texts was not filled")


def of_sqlite(decisions: int, fleet: int, *, replaced: bool = True) -> Sizes:
    with tempfile.TemporaryDirectory(prefix="linekey-sizes-") as name:
        state = StateDir.open(Path(name) / "state")
        with open_database(state) as database:

            def size() -> int:
                database.forget_deleted()  # what is in the log goes into the file
                with contextlib.closing(sqlite3.connect(state.database_file)) as raw:
                    (pages,) = raw.execute("PRAGMA page_count").fetchone()
                    (each,) = raw.execute("PRAGMA page_size").fetchone()
                return int(pages * each)

            def texts() -> int:
                with contextlib.closing(sqlite3.connect(state.database_file)) as raw:
                    asked = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE ?"
                    return int(
                        raw.execute(asked, (f"{log_texts.NAME}%",)).fetchone()[0]
                    )

            version = f"SQLite {sqlite3.sqlite_version}"
            return measure(
                database, size, texts, decisions, fleet, version, replaced=replaced
            )


def of_postgresql(decisions: int, fleet: int) -> Sizes:
    with (
        running_cluster() as cluster,
        tempfile.TemporaryDirectory(prefix="linekey-sizes-") as name,
    ):
        url = cluster.new()
        state = StateDir.open(Path(name) / "state")
        with open_database(state, url) as database:
            engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")

            def of_tables(like: str) -> int:
                with engine.connect() as connection:
                    asked = (
                        "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM "
                        "pg_class WHERE relkind = 'r' AND relname LIKE %s "
                        "AND relnamespace = 'public'::regnamespace"
                    )
                    return int(connection.exec_driver_sql(asked, (like,)).scalar_one())

            def size() -> int:
                with engine.connect() as connection:
                    connection.exec_driver_sql("VACUUM ANALYZE")
                return of_tables("%")

            def texts() -> int:
                return of_tables(log_texts.NAME)

            with engine.connect() as connection:
                told = connection.exec_driver_sql("SHOW server_version").scalar_one()
            version = f"PostgreSQL {str(told).split()[0]}"
            found = measure(database, size, texts, decisions, fleet, version)
            engine.dispose()
            return found


def page(sqlite: Sizes, postgresql: Sizes, decisions: int, fleet: int) -> str:
    lines = [
        "# The size of a year",
        "",
        '<!-- Made by `python -m bench.sizes`; what is below "Retention" is '
        "bench/sizes_notes.md. -->",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with {decisions:,} decisions and "
        f"{fleet:,} phones: {cpu_model()}, {platform.system()}, "
        f"{sqlite.version}, {postgresql.version}. Rows as the server writes them, with "
        "all indexes, that of the log's texts included; each phone with an account, "
        "four function keys and what its visits say of it.",
        "",
        f"| bytes of | {sqlite.version} | {postgresql.version} |",
        "|---|---|---|",
        f"| a decision | {sqlite.decision:.0f} | {postgresql.decision:.0f} |",
        f"| of these the index of texts | {sqlite.texts:.0f} "
        f"| {postgresql.texts:.0f} |",
        f"| a decision of the first half, and of the second | {halves(sqlite)} "
        f"| {halves(postgresql)} |",
        f"| a registered phone | {sqlite.phone:.0f} | {postgresql.phone:.0f} |",
        f"| more room when all have been deleted and replaced, a tenth at a time "
        f"| {sqlite.again:.0%} | {postgresql.again:.0%} |",
        "",
        "A phone asks for its file when it starts, and as often as `setting_refresh` "
        "and the like have it. How often that is on an ordinary day, is yours to know; "
        "the table has once, twice and every hour. Refusals of strangers are counted, "
        "and add a few MB whatever happens "
        "([what is kept](what-is-kept.md)).",
        "",
        f"| phones | requests a day, each | rows a year | SQLite, a year | PostgreSQL, "
        f"a year | SQLite, {KEEP_DAYS} days | PostgreSQL, {KEEP_DAYS} days |",
        "|---|---|---|---|---|---|---|",
    ]
    for count in FLEETS:
        for asks in ASKS:
            rows = count * asks * 365
            cells = [
                size_text(count * each.phone + count * asks * days * each.decision)
                for days in (365, KEEP_DAYS)
                for each in (sqlite, postgresql)
            ]
            lines.append(f"| {count:,} | {asks} | {rows:,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n" + NOTES.read_text(encoding="utf-8")


def halves(sizes: Sizes) -> str:
    first, second = sizes.halves
    return f"{first:.0f}, {second:.0f}"


def size_text(size: float) -> str:
    mib = size / _MIB
    return f"{mib:,.0f} MiB" if mib < 1024 else f"{mib / 1024:,.1f} GiB"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.sizes")
    parser.add_argument("--decisions", type=int, default=300_000)
    parser.add_argument("--phones", type=int, default=30_000)
    parser.add_argument("--no-write", action="store_true")
    given = parser.parse_args()
    sqlite = of_sqlite(given.decisions, given.phones)
    say(f"{sqlite}")
    postgresql = of_postgresql(given.decisions, given.phones)
    say(f"{postgresql}")
    text = page(sqlite, postgresql, given.decisions, given.phones)
    if given.no_write:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
