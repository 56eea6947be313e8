"""linekey beside nginx, and as its registry grows; the first of ``make bench``.

    python -m bench [--rounds 6] [--requests 1500] [--connections 1000]
        [--sizes 100 10000 100000] [--quick] [--no-write]

Writes docs/explanation/performance.md.
"""

import argparse
import platform
import statistics
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from OpenSSL import SSL

from bench import nginx
from bench.fleet import make_fleet
from bench.server_vs_nginx import (
    CLIENTS,
    Measured,
    compare,
    cpu_model,
    grow,
    has_nginx,
    say,
)

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance.md"
NOTES = ROOT / "bench" / "notes.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 10_000, 100_000])
    parser.add_argument("--quick", action="store_true", help="few and short rounds")
    parser.add_argument("--no-write", action="store_true", help="leave the page as is")
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.requests, given.connections = 2, 600, 300
        given.sizes = [100, 10_000]
    if not has_nginx():
        sys.stderr.write("error: nginx is not installed\nhint: make peers\n")
        return 3
    fleet = make_fleet(ROOT / ".cache" / "bench" / "fleet")
    found = compare(
        fleet,
        rounds=given.rounds,
        requests=given.requests,
        connections=given.connections,
    )
    growth = grow(
        fleet, given.sizes, requests=given.requests, connections=given.connections
    )
    text = page(found, growth, given)
    if given.no_write:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    return 0


def page(
    found: dict[str, Measured],
    growth: dict[int, tuple[float, float, float]],
    given: argparse.Namespace,
) -> str:
    ours, theirs = found["linekey"], found["nginx"]
    openssl = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode()
    lines = [
        "# Performance",
        "",
        '<!-- Made by `make bench` from bench/; what is below "What it costs" is '
        "bench/notes.md. -->",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {cpu_model()}, "
        f"{platform.system()} {kernel()}, "
        f"Python {platform.python_version()}, {openssl} (linekey), "
        f"{nginx.version()}; httptools {version('httptools')}, "
        f"uvloop {version('uvloop')}, pyOpenSSL {version('pyOpenSSL')}, "
        f"SQLite in the state folder.",
        "",
        f"{CLIENTS} clients at once, 96 distinct device certificates (RSA-2048, "
        "SHA-256), mutual TLS 1.2 with ECDHE-RSA-AES128-GCM-SHA256 and P-256, one "
        "request for each connection, the same server certificate. The servers are "
        f"measured in turn, {given.rounds} rounds of {given.requests} requests each; "
        "the load runs in another process on another core. nginx has one worker, the "
        "usual rule (the MAC in the subject must be the one in the file name) and "
        "static files; linekey does the whole job: identity, decision on record (on "
        "disk before the answer leaves), rendered file.",
        "",
        "| CPU of the server per request | linekey | nginx | linekey ÷ nginx |",
        "|---|---|---|---|",
        row("whole handshake", ours.full_ms, theirs.full_ms),
        row(
            "whole handshake, with an EC certificate (P-256) beside the RSA one",
            ours.full_ecdsa_ms,
            theirs.full_ecdsa_ms,
        ),
        row("resumed session", ours.resumed_ms, theirs.resumed_ms),
        "",
        "Median of the rounds (least – most). The ratio is the median of the rounds' "
        "ratios.",
        "",
        "| memory per idle TLS connection | linekey | nginx |",
        "|---|---|---|",
        f"| private, {given.connections} connections used once "
        f"| {ours.idle_kib:.1f} KiB | {theirs.idle_kib:.1f} KiB |",
        "",
        "Afterwards, linekey alone, with more and more phones:",
        "",
        "| registered devices | CPU per request, whole handshake | memory per idle "
        "connection | the server's memory |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {size:,} | {cost:.2f} ms | {idle:.1f} KiB | {base:.0f} MiB |"
        for size, (cost, idle, base) in growth.items()
    ]
    return "\n".join(lines) + "\n\n" + NOTES.read_text(encoding="utf-8")


def kernel() -> str:
    """The kernel's version without its builder's suffix."""
    return ".".join(platform.release().split("-")[0].split(".")[:2])


def row(name: str, ours: list[float], theirs: list[float]) -> str:
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return f"| {name} | {spread(ours)} | {spread(theirs)} | **{ratio:.2f}** |"


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ms ({min(values):.2f} – {max(values):.2f})"


if __name__ == "__main__":
    sys.exit(main())
