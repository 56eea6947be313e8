"""What a request costs on this machine, as a file for ``linekey plan --measured``.

    python -m bench.costs FILE [--requests 1500] [--connections 1000]

The same load as ``python -m bench`` has (16 clients, 96 certificates), against linekey
alone; phones that the server has not seen, as ``bench.avalanche`` has them; and bytes a
row as ``bench.sizes`` measures them on SQLite.
"""

import argparse
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.avalanche import one_round
from bench.avalanche_fleet import make_crowd
from bench.fleet import make_fleet
from bench.process import family, own_memory_kib
from bench.server_vs_nginx import (
    cpu_model,
    linekey_serving,
    measure_idle,
    measure_round,
    say,
)
from bench.sizes import of_sqlite
from linekey import __version__
from linekey.plan.costs import Costs

ROOT = Path(__file__).parents[1]
ROUNDS = 3
RATE = 250
"""Phones that come for the first time in a second: fewer than can be served."""


def measure(requests: int, connections: int) -> Costs:
    fleet = make_fleet(ROOT / ".cache" / "bench" / "fleet")
    first = first_visits(requests)
    with (
        tempfile.TemporaryDirectory(prefix="linekey-bench-") as place,
        linekey_serving(Path(place) / "state", fleet, len(fleet.macs)) as server,
    ):
        measure_round(server, fleet, "full", 2 * len(fleet.macs))
        base = max(own_memory_kib(pid) for pid in family(server.pid))
        whole, resumed = (
            statistics.median(
                measure_round(server, fleet, mode, requests) for _ in range(ROUNDS)
            )
            for mode in ("full", "resumed")
        )
        idle = measure_idle(server, fleet, connections)
    sizes = of_sqlite(20_000, 2_000, replaced=False)
    return Costs(
        machine=cpu_model(),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        linekey=__version__,
        by=f"bench.costs ({ROUNDS} rounds of {requests:,} requests)",
        first_ms=first,
        whole_ms=whole,
        resumed_ms=resumed,
        idle_kib=idle,
        worker_mib=base / 1024,
        decision_bytes=sizes.decision,
        phone_bytes=sizes.phone,
    )


def first_visits(phones: int) -> float:
    """CPU milliseconds for each phone of a server that has seen none, ROUNDS times."""
    crowd = make_crowd(phones)
    given = argparse.Namespace(
        phones=phones, within=phones / RATE, loads=1, give_up=300.0
    )
    found = []
    for _ in range(ROUNDS):
        with (
            tempfile.TemporaryDirectory(prefix="linekey-bench-") as place,
            linekey_serving(Path(place) / "state", crowd.fleet, 0) as server,
        ):
            run = one_round(server, crowd, given)
        if run.lost:
            raise RuntimeError(f"{run.lost} phones have no file: {run.failures}")
        found.append(1000 * run.server_cpu_s / phones)
        say(f"first visits: {found[-1]:.3f} ms")
    return statistics.median(found)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.costs")
    parser.add_argument("file", type=Path)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--connections", type=int, default=1000)
    given = parser.parse_args()
    given.file.write_text(
        measure(given.requests, given.connections).as_json(), encoding="utf-8"
    )
    say(f"written: {given.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
