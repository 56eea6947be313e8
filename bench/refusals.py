"""What a stranger's refused connection costs: bytes on disk and stderr, CPU.

    python -m bench.refusals [--connections 2000] [--before SRC] [--no-write]

``linekey serve`` runs on loopback; connections come from 200 networks of 127.0.0.0/8,
half of them plain HTTP, half TLS without a certificate and with a server name of their
own. ``--before`` names the ``src`` folder of another linekey to measure beside.
"""

import argparse
import contextlib
import os
import platform
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.fleet import Fleet, make_fleet
from bench.nginx import free_port, wait_for
from bench.process import cpu_seconds, running, settle
from bench.server_vs_nginx import cpu_model, say

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance-refusals.md"
LINEKEY = [sys.executable, "-c", "from linekey.cli.main import main; main()"]


@dataclass(frozen=True)
class Cost:
    """For each refused connection."""

    disk_bytes: float
    stderr_bytes: float
    cpu_ms: float


def strangers(port: int, count: int) -> None:
    """Be refused ``count`` times."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for number in range(count):
        source = (f"127.0.{number % 200}.{number % 250 + 1}", 0)
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), 30, source) as raw,
        ):
            if number % 2:
                raw.sendall(b"GET /%d HTTP/1.1\r\n\r\n" % number)
                raw.recv(4_096)
            else:
                name = f"{number}.stranger.example"
                with context.wrap_socket(raw, server_hostname=name) as tls:
                    tls.recv(1)


def measure(fleet: Fleet, source: Path, connections: int) -> Cost:
    """Run the linekey in ``source`` and refuse ``connections`` of them."""
    environment = {**os.environ, "PYTHONPATH": str(source)}
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="lk-refusals-") as place:
        folder = Path(place)
        subprocess.run(
            [*LINEKEY, "trust", "add", str(fleet.authorities), "--state", place],
            env=environment, check=True, capture_output=True,
        )  # fmt: skip
        command = [
            *LINEKEY, "serve", "--state", place, "--host", "127.0.0.1",
            "--port", str(port), "--status-port", "0",
            "--certificate", str(fleet.server_certificate),
            "--key", str(fleet.server_key),
        ]  # fmt: skip
        log, empty = folder / "stderr", (folder / "linekey.db").stat().st_size
        with (
            log.open("w") as stderr,
            running(command, env=environment, stderr=stderr) as process,
        ):
            wait_for(port)
            strangers(port, 20)  # tables and templates are there afterwards
            settle(process.pid)
            said = log.stat().st_size
            cpu = cpu_seconds(process.pid)
            strangers(port, connections)
            time.sleep(2)  # what was refused last is written
            settle(process.pid)
            used = cpu_seconds(process.pid) - cpu
            said = log.stat().st_size - said
        # Closed, so that the write-ahead log is in the file.
        disk = (folder / "linekey.db").stat().st_size - empty
        return Cost(disk / connections, said / connections, 1000 * used / connections)


def page(found: dict[str, Cost], connections: int) -> str:
    """The page for the documentation."""
    rows = [
        f"| {name} | {cost.disk_bytes:.0f} | {cost.stderr_bytes:.0f} "
        f"| {cost.cpu_ms:.2f} ms |"
        for name, cost in found.items()
    ]
    return "\n".join(
        [
            "# What a refused connection costs",
            "",
            "<!-- Made by `python -m bench.refusals`. -->",
            "",
            f"Measured on {datetime.now(UTC):%Y-%m-%d}: {cpu_model()}, Python "
            f"{platform.python_version()}, SQLite in the state folder. {connections:,} "
            "connections of strangers from 200 networks, half plain HTTP, half TLS "
            "without a certificate and with a server name of their own. Each number is "
            "for one connection; the database is measured when the server has ended, "
            "without its write-ahead log, which has some 4 MB at most either way.",
            "",
            "| | bytes in the database | bytes on stderr | CPU of the server |",
            "|---|---|---|---|",
            *rows,
            "",
            "What bounds the database however long it goes on is in "
            "[what is kept, and how long](what-is-kept.md).",
            "",
        ]
    )


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.refusals")
    parser.add_argument("--connections", type=int, default=2_000)
    parser.add_argument("--before", type=Path, help="another linekey's src folder")
    parser.add_argument("--no-write", action="store_true", help="leave the page as is")
    given = parser.parse_args()
    fleet = make_fleet(ROOT / ".cache" / "bench" / "fleet")
    found = {}
    if given.before:
        found["a line each (before)"] = measure(fleet, given.before, given.connections)
    found["counted"] = measure(fleet, ROOT / "src", given.connections)
    text = page(found, given.connections)
    if given.no_write:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
