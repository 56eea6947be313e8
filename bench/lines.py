"""``python -m bench.lines``: what a line on record costs, and how fast it is found.

    python -m bench.lines [--before SRC] [--without INDEX]... [--rounds 3]
                          [--lines 4000] [--phones 20000]
                          [--found-lines 1000000] [--found-phones 100000]

``--before`` names the ``src`` folder of another linekey: the two write in turn, in
processes of their own, into SQLite on the same disk. ``--without`` names an index; then
a database that has it and one that has not are written in turn. Told is the CPU time of
the whole process for each line, the line's making included, and the time that passed.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.tables import write_log
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry, read_log
from linekey.store.devices import Devices
from linekey.store.opening import open_store

ROOT = Path(__file__).parents[1]
AT_ONCE = (1, 16, 64)
_NOW = datetime(2026, 1, 31, tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.lines")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--without", action="append", default=[], metavar="INDEX")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", type=int, default=4000)
    parser.add_argument("--phones", type=int, default=20_000)
    parser.add_argument("--files", type=int, default=1, help="by a phone in a row")
    parser.add_argument("--found-lines", type=int, default=1_000_000)
    parser.add_argument("--found-phones", type=int, default=100_000)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        write(given.write, given)
        return 0
    sources: dict[str, tuple[Path, list[str]]] = {"now": (ROOT / "src", [])}
    if given.before:
        sources = {"before": (given.before, [])} | sources
    if given.without:
        sources = {"without": (ROOT / "src", given.without)} | sources
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(given.rounds):
        for name, source in sources.items():
            for at_once, *cost in ask(*source, given):
                found.setdefault((name, int(at_once)), []).append((cost[0], cost[1]))
    print(f"{'':8} {'at once':>8} {'CPU a line':>12} {'time a line':>12}")
    for (name, at_once), costs in sorted(found.items(), key=lambda i: i[0][1]):
        cpu, wall = (median(cost[n] for cost in costs) for n in (0, 1))
        print(f"{name:8} {at_once:8} {cpu:9.0f} µs {wall:9.0f} µs")
    if given.found_lines:
        find(given.found_lines, given.found_phones)
    return 0


def ask(
    source: Path, without: list[str], given: argparse.Namespace
) -> list[list[float]]:
    """Have the linekey in ``source`` write, in a process of its own."""
    dropped = [word for index in without for word in ("--without", index)]
    with tempfile.TemporaryDirectory(dir=ROOT / ".cache") as folder:
        answer = subprocess.run(
            [sys.executable, "-m", "bench.lines", "--write", folder,
             "--lines", str(given.lines), "--phones", str(given.phones),
             "--files", str(given.files), *dropped],
            env={**os.environ, "PYTHONPATH": f"{source}:{ROOT}"},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    return [[float(word) for word in line.split()] for line in answer.stdout.split("\n")
            if line]  # fmt: skip


def write(folder: Path, given: argparse.Namespace) -> None:
    """Write lines of phones of a fleet in no order; print what each cost."""
    lines, phones, files = given.lines, given.phones, given.files
    with open_store(folder / "state") as database:
        with database.write() as connection:
            for index in given.without:
                connection.exec_driver_sql(f"DROP INDEX {index}")
        macs = [Mac(f"000413{n:06X}") for n in range(phones)]
        Devices(database).add_all([Device(mac, "snom", "D785") for mac in macs], _NOW)
        asyncio.run(_warm(database, macs))
        for at_once in AT_ONCE:
            count = lines if at_once > 1 else lines // 4
            cpu, wall = asyncio.run(_write(database, macs, count, at_once, files))
            print(at_once, cpu / count * 1e6, wall / count * 1e6)


async def _warm(database: object, macs: list[Mac]) -> None:
    await _write(database, macs, len(macs), 500, 0)


async def _write(
    database: object, macs: list[Mac], count: int, at_once: int, files: int
) -> tuple[float, float]:
    numbers = random.Random(at_once)
    wanted = macs[:count]  # 0 files: each phone once, in order
    if files:
        visits = (numbers.choice(macs) for _ in range(count // files))
        wanted = [mac for mac in visits for _ in range(files)]
    left = iter(wanted)

    async def one(log: DecisionLog) -> None:
        for mac in left:
            entry = LogEntry(
                at=datetime.now(UTC), kind="decision", outcome="granted",
                reason="own_file", peer="192.0.2.1", mac=mac, target_mac=mac,
                tls_version="TLSv1.2", suite="ECDHE-RSA-AES128-GCM-SHA256",
                resource=f"/snomD785-{mac}.xml", status=200, vendor="snom",
                policy="modern", generation="sha256", certificate_sha256="ab" * 32,
                user_agent="Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33)",
            )  # fmt: skip
            if "issuer_key_sha256" in LogEntry.__dataclass_fields__:
                entry = replace(
                    entry, issuer_key_sha256="cd" * 32, certificate_ends_at=_NOW
                )
            await log.record(entry)

    async with DecisionLog(database) as log:  # type: ignore[arg-type]
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(one(log) for _ in range(at_once)))
        return time.process_time() - cpu, time.perf_counter() - wall


def find(lines: int, phones: int) -> None:
    """Ask for phones, and for the lines of one, in a fleet with a long log."""
    from linekey.store.selection import Condition, Selection

    with tempfile.TemporaryDirectory(dir=ROOT / ".cache") as folder:
        state = Path(folder) / "state"
        with open_store(state) as database:
            macs = [Mac(f"000413{n:06X}") for n in range(phones)]
            fleet = [Device(mac, "snom", "D785") for mac in macs]
            Devices(database).add_all(fleet, _NOW)
            seen = macs[: phones * 9 // 10]
            asyncio.run(_write(database, seen, len(seen), 500, 0))
        write_log(state, lines, phones)
        with open_store(state) as database:
            print(f"{'found':48} {'number':>8} {'time':>10}")
            mac = macs[phones // 3]
            told(f"log of {mac}", lambda: len(read_log(database, mac=mac, limit=100)))
            devices = Devices(database)
            for text in (
                "seen=never", "not_seen_since=2026-01-01", "refused_since=2026-01-01",
                "certificate_ends_before=2026-01-01", "certificate_ends_before=2027",
                "certificate_generation=sha1", "last_reason=own_file",
            ):  # fmt: skip
                text = text + "-01-01" if text.endswith("=2027") else text
                wanted = Selection(where=(Condition.parse(text),))
                from linekey.store.selection import BY_MAC

                told(f"count {text}", lambda w=wanted: devices.count(w))  # type: ignore[misc]
                told(
                    f"page of {text}",
                    lambda w=wanted: len(devices.page(w, BY_MAC, None, 100)[0]),  # type: ignore[misc]
                )


def told(name: str, question: Callable[[], int]) -> None:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        count = question()
        times.append(time.perf_counter() - began)
    print(f"{name:48} {count:8} {median(times) * 1000:7.1f} ms")


if __name__ == "__main__":
    sys.exit(main())
