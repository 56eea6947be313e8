"""What a request costs on this machine, as a file for ``linekey plan --measured``.

    python -m bench.costs FILE [--requests 1500] [--connections 1000]

The same load as ``make bench`` has (16 clients, 96 certificates), against linekey
alone, and bytes a row as ``bench.sizes`` measures them on SQLite.
"""

import argparse
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

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


def measure(requests: int, connections: int) -> Costs:
    fleet = make_fleet(ROOT / ".cache" / "bench" / "fleet")
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
    sizes = of_sqlite(20_000, 2_000)
    return Costs(
        machine=cpu_model(),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        linekey=__version__,
        by=f"bench.costs ({ROUNDS} rounds of {requests:,} requests)",
        whole_ms=whole,
        resumed_ms=resumed,
        idle_kib=idle,
        worker_mib=base / 1024,
        decision_bytes=sizes.decision,
        phone_bytes=sizes.phone,
    )


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
