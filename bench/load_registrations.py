"""Registrations a second by ``linekey load``, a certificate each, from one worker.

    python -m bench.load_registrations [--phones 400] [--rounds 3] [--no-write]

In turn with it, each on a Kamailio of its own from the very files of ``linekey export
kamailio``: ``bench.registrations`` (the same phones in one process, without Locust) and
``bench.bare_register`` (the least that a Python program must do). What is compared is
CPU a registration, which a machine's other work does not change; the load's is its
worker's whole process, so Locust's part is in it. SIPp registers beside them where one
that speaks TLS is installed (Debian's 3.6.1 does not): a connection for each call, all
with one phone's certificate, since it loads no more.
"""

import argparse
import json
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.bare_register import Account
from bench.registrations import NAME, PASSWORD, ROOT, Result, made_fleet
from bench.server_vs_nginx import cpu_model

PAGE = ROOT / "docs" / "explanation" / "performance-load.md"
SCENARIO = ROOT / "bench" / "sipp_register.xml"
AT_ONCE = 64
CALLS = 40


@dataclass(frozen=True)
class Loaded:
    """What ``linekey load --json`` said."""

    registered: int
    a_second: float
    cpu_s: float
    median_ms: float
    p99_ms: float
    least: float
    most: float
    busy: float


def load(table: Path, ca: Path, port: int, phones: int) -> Loaded:
    seconds = max(6, phones // 60)
    done = subprocess.run(
        [sys.executable, "-c", "from linekey.cli.main import main; main()", "load",
         "--registrar", f"sips:{NAME}:{port}", "--trust", str(ca),
         "--phones-from", str(table), "--phones", str(phones), "--workers", "1",
         "--mix", "register", "--for", f"{seconds}s", "--at-once", str(AT_ONCE),
         "--json"],
        stdout=subprocess.PIPE, text=True, check=False, timeout=seconds + 180,
    )  # fmt: skip
    document: dict[str, Any] = json.loads(done.stdout)
    (row,) = [r for r in document["requests"] if r["kind"] == "register"]
    if row["failed"] or row["count"] != phones:
        raise RuntimeError(f"not all registered: {document['failures']}")
    own = document["own"]
    return Loaded(
        row["count"], row["a_second"], own["cpu_s"], row["median_ms"], row["p99_ms"],
        own["least"], own["most"], own["busy"],
    )  # fmt: skip


@dataclass(frozen=True)
class Sipp:
    """What SIPp did: all of it with one certificate."""

    version: str
    calls: int
    wall_s: float
    cpu_s: float


def sipp_version() -> str:
    """SIPp's version, empty where there is none that speaks TLS."""
    program = shutil.which("sipp")
    if program is None:
        return ""
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    found = re.search(r"SIPp v([\w.-]*TLS[\w.-]*)", said.stdout + said.stderr)
    return found[1].rstrip(".") if found else ""


def sipp(account: Account, ca: Path, port: int, calls: int) -> Sipp:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    pem = str(account.identity)
    subprocess.run(
        ["sipp", f"127.0.0.1:{port}", "-sf", str(SCENARIO), "-t", "ln",
         "-max_socket", "2000", "-tls_cert", pem, "-tls_key", pem, "-tls_ca", str(ca),
         "-m", str(calls), "-r", "300", "-l", "1000", "-nostdin"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=120,
    )  # fmt: skip
    wall_s = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Sipp(sipp_version(), calls, wall_s, cpu_s)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.load_registrations")
    parser.add_argument("--phones", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-write", action="store_true")
    given = parser.parse_args()
    loads, plain, least, others = [], [], [], []
    with made_fleet(given.phones) as fleet:
        table = fleet.folder / "phones.csv"
        rows = [
            f"{mac},{account.identity.name},{account.user},{PASSWORD}"
            for mac, account in zip(fleet.macs, fleet.accounts, strict=True)
        ]
        table.write_text("\n".join(["mac,identity,user,password", *rows]))
        for number in range(given.rounds):
            with fleet.registrar() as (port, _):
                loads.append(load(table, fleet.ca, port, given.phones))
            plain.append(fleet.by_phones(AT_ONCE))
            least.append(fleet.by_the_least(AT_ONCE))
            if sipp_version():
                with fleet.registrar() as (port, _):
                    others.append(sipp(fleet.accounts[0], fleet.ca, port, CALLS))
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr)
    text = page(loads, plain, least, others, given.phones)
    print(text)
    if not given.no_write:
        PAGE.write_text(text, encoding="utf-8")


def page(
    loads: list[Loaded],
    plain: list[Result],
    least: list[Result],
    others: list[Sipp],
    phones: int,
) -> str:
    def each_ms(cpu_s: float) -> float:
        return cpu_s * 1000 / phones

    rows = [
        f"| {n} | {a.a_second:.0f} | {each_ms(a.cpu_s):.2f} "
        f"| {1000 / each_ms(a.cpu_s):.0f} | {phones / b.wall_s:.0f} "
        f"| {each_ms(b.own_cpu_s):.2f} | {1000 / each_ms(b.own_cpu_s):.0f} "
        f"| {phones / c.wall_s:.0f} | {each_ms(c.own_cpu_s):.2f} "
        f"| **{a.cpu_s / b.own_cpu_s:.2f}** | {a.least:.0%} to {a.most:.0%} |"
        for n, (a, b, c) in enumerate(zip(loads, plain, least, strict=True), 1)
    ]
    ratio = statistics.median(
        a.cpu_s / b.own_cpu_s for a, b in zip(loads, plain, strict=True)
    )
    core = statistics.median(1000 / each_ms(a.cpu_s) for a in loads)
    told = (
        "SIPp was not measured: none that speaks TLS is installed here (Debian's 3.6.1 "
        "is built without)."
    )
    if others:
        rate = statistics.median(o.calls / o.wall_s for o in others)
        each = statistics.median(o.cpu_s * 1000 / o.calls for o in others)
        told = (
            f"SIPp {others[0].version}, asked in turn with them for 300 registrations "
            f"a second, each on a connection of its own, made {rate:.1f} a second "
            f"({each:.1f} ms of CPU each; it sleeps 0.2 s in each handshake, one after "
            "the other), all with one certificate, since it loads no more."
        )
    return "\n".join(
        [
            "# Registrations a second by `linekey load`",
            "",
            "<!-- Made by `python -m bench.load_registrations`. -->",
            "",
            f"Measured {datetime.now(UTC):%Y-%m-%d}, {cpu_model()}, Python "
            f"{platform.python_version()}. {phones} phones, each with a certificate of "
            f"its own, {AT_ONCE} at once, register at Kamailio, which runs from the "
            "files of `linekey export kamailio`: by one worker of `linekey load` "
            "(Locust distributes and counts), by the same phones in one process "
            "without it (`bench.registrations`), and by the least that a Python "
            "program must do (`bench.bare_register`), in turn, each on a Kamailio of "
            "its own. *A second* is by the clock, on cores that all share with "
            "Kamailio and with what else ran; *a core* is what one core does if it "
            "does nothing else, by the CPU time that was used. The load's CPU is its "
            "worker's whole process.",
            "",
            "| round | load: a second | CPU ms | **a core** | phones alone: a second "
            "| CPU ms | a core | the least: a second | CPU ms | load ÷ phones, CPU "
            "| the load's own share |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"Locust costs the phones {ratio - 1:+.0%} of CPU (median of the rounds); "
            f"one core of load makes some {core:.0f} registrations a second. {told}",
            "",
        ]
    )


if __name__ == "__main__":
    main()
