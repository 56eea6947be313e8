"""linekey check beside testssl.sh and sslyze, on the same test servers.

    python -m bench.comparison                 the default servers
    python -m bench.comparison --testssl right expired …

Writes docs/explanation/comparison.md with machine and versions; what is below "What
this means" is bench/comparison_notes.md. testssl.sh comes from the system's packages
(testssl.sh); sslyze pins its own dependencies and gets a venv of its own under .cache.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.__main__ import kernel
from bench.server_vs_nginx import cpu_model
from linekey import __version__
from linekey.catalog.models import Generation
from linekey.certs.pem import private_key_to_pem
from linekey.lab.authority import LabAuthority
from linekey.lab.files import chain_pem
from linekey.lab.servers.catalogue import BY_NAME
from linekey.lab.servers.certificates import SERVER_NAME
from linekey.lab.servers.kinds import KINDS
from linekey.lab.servers.running import Launcher
from linekey.mac import Mac

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "bench"
PAGE = ROOT / "docs" / "explanation" / "comparison.md"
NOTES = ROOT / "bench" / "comparison_notes.md"
CASES = [
    "right", "right-modern", "right-haproxy", "right-sip", "expired", "wrong-name",
    "missing-intermediate", "ecdsa-only", "sha1-chain", "tls13-only", "dh-1024",
    "asks-late",
]  # fmt: skip
TESTSSL = ["right", "expired", "missing-intermediate", "tls13-only"]
TOLD_KINDS = ("v10", "v89", "tls10", "tripledes")
DESK_PHONES = re.compile(r"snom|yealink|poly|cisco|grandstream|mitel|gigaset", re.I)


@dataclass
class Said:
    """What one tool said of one server; ``clients`` is how many it simulated."""

    seconds: list[float] = field(default_factory=list)
    """Wall time of each round."""
    cpu_seconds: list[float] = field(default_factory=list)
    clients: int = 0
    words: str = ""
    simulated: tuple[str, ...] = ()
    connections: int = 0

    @property
    def wall(self) -> float:
        return statistics.median(self.seconds)

    @property
    def cpu(self) -> float:
        return statistics.median(self.cpu_seconds)

    def took(self, seconds: tuple[float, float]) -> None:
        self.seconds.append(seconds[0])
        self.cpu_seconds.append(seconds[1])

    @property
    def each_ms(self) -> float | None:
        return 1000 * self.wall / self.clients if self.clients else None


def timed(
    words: Sequence[str | Path], limit_s: float = 600
) -> tuple[tuple[float, float], str]:
    """Run a command: its wall and CPU seconds (its children's too), and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    ran = subprocess.run(
        [str(w) for w in words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=limit_s,
        check=False,
    )
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return (wall, used), ran.stdout


def sslyze_path() -> Path:
    """sslyze in a venv of its own, made at the first call."""
    venv = CACHE / "sslyze"
    if not (venv / "bin" / "sslyze").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q", "sslyze"]
        subprocess.run(pip, check=True)
    return venv / "bin" / "sslyze"


def ask_linekey(
    port: int, called: str, root: Path, said: Said, identity: Path | None
) -> None:
    linekey = Path(sysconfig.get_path("scripts")) / "linekey"
    shown: list[str | Path] = ["--identity", identity] if identity else []
    seconds, out = timed(
        [linekey, "check", f"127.0.0.1:{port}", "--name", called, "--trust", root,
         "--json", *shown],
    )  # fmt: skip
    report = json.loads(out)
    said.took(seconds)
    said.clients = len(report["classes"])
    said.connections = report["connections"]
    told = []
    for name in TOLD_KINDS:
        model, firmware = KINDS[name].phone
        phone = {"model": model, "firmware": firmware}
        (row,) = [c for c in report["classes"] if phone in c["phones"]]
        refused = [
            f["rule"]
            for f in row["findings"]
            if not f["ok"] and f["severity"] == "refused"
        ]
        outcome = row["outcome"].replace("_", " ")
        rules = f" ({', '.join(dict.fromkeys(refused))})" if refused else ""
        told.append(f"{model} {firmware}: {outcome}{rules}")
    said.words = "; ".join(told)


def ask_sslyze(program: Path, port: int, root: Path, said: Said) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.json"
        seconds, _ = timed(
            [program, "--certinfo", "--certinfo_ca_file", root, "--tlsv1", "--tlsv1_1",
             "--tlsv1_2", "--tlsv1_3", "--mozilla_config", "disable",
             "--sni", SERVER_NAME, "--quiet", "--json_out", path, f"127.0.0.1:{port}"],
        )  # fmt: skip
        (result,) = json.loads(path.read_text("utf-8"))["server_scan_results"]
    said.took(seconds)
    said.words = sslyze_words(result)


def sslyze_words(result: dict[str, Any]) -> str:
    scan = result["scan_result"]
    if scan is None:
        trace = result["connectivity_error_trace"] or ""
        return f"no scan: {trace.strip().splitlines()[-1] if trace else 'no reason'}"
    told = []
    info = scan["certificate_info"]
    if info["status"] == "COMPLETED":
        for deployment in info["result"]["certificate_deployments"]:
            for row in deployment["path_validation_results"]:
                if row["trust_store"]["name"] == "Supplied CA file":
                    good = row["was_validation_successful"]
                    error = str(row["validation_error"])
                    error = re.split(r" \(encountered|: AlgorithmIdentifier", error)[0]
                    told.append(
                        "certificate valid" if good else f"certificate: {error}"
                    )
    else:
        told.append(f"certificate: {info['status'].lower()} ({info['error_reason']})")
    counts = []
    for version in ("1_0", "1_1", "1_2", "1_3"):
        part = scan[f"tls_{version}_cipher_suites"]
        if part["status"] == "COMPLETED":
            count = len(part["result"]["accepted_cipher_suites"])
            counts.append(f"{version.replace('_', '.')}: {count}")
    return "; ".join([*dict.fromkeys(told), f"suites by version {', '.join(counts)}"])


def ask_testssl(port: int, root: Path, said: Said) -> None:
    common = ["--add-ca", str(root), "--ip", "127.0.0.1", "--warnings", "off",
              "--color", "0", "--quiet"]  # fmt: skip
    target = f"{SERVER_NAME}:{port}"
    with tempfile.TemporaryDirectory() as folder:
        clients, server = Path(folder) / "clients.json", Path(folder) / "server.json"
        seconds, _ = timed(
            ["testssl", "-c", *common, "--jsonfile", str(clients), target]
        )
        timed(["testssl", "-S", *common, "--jsonfile", str(server), target])
        rows = json.loads(clients.read_text("utf-8"))
        shown = json.loads(server.read_text("utf-8"))
    simulated = {
        row["id"].removeprefix("clientsimulation-"): row["finding"]
        for row in rows
        if row["id"].startswith("clientsimulation-")
    }
    said.took(seconds)
    said.clients = len(simulated)
    said.simulated = tuple(simulated)
    without = sum("No connection" in text for text in simulated.values())
    phones = [name for name in simulated if DESK_PHONES.search(name)]
    wanted = ("cert_trust", "cert_chain_of_trust", "cert_expirationStatus")
    found = {
        row["id"].split(" ")[0]: f"{row['id'].split(' ')[0]}: {row['finding']}"
        for row in shown
        if row["id"].split(" ")[0] in wanted
    }
    said.words = "; ".join(
        [
            f"{len(simulated) - without} of {len(simulated)} clients connect",
            f"desk phones among them: {', '.join(phones) or 'none'}",
            *(found.values() or ["of the certificate (-S) nothing"]),
        ]
    )


Table = dict[str, dict[str, Said]]


async def measure(names: list[str], slow: list[str], rounds: int) -> Table:
    """Ask of each server, the tools in turn. The servers run meanwhile."""
    sslyze = sslyze_path()
    table: Table = {}
    with tempfile.TemporaryDirectory() as folder:
        lab = LabAuthority.open(Path(folder) / "lab")
        launcher = Launcher(Path(folder) / "servers", datetime.now(UTC), lab)
        identity = Path(folder) / "phone.pem"
        chain, key = lab.device_identity(Mac("000413AABBCC"), Generation.SHA256)
        identity.write_bytes(chain_pem(chain) + private_key_to_pem(key))
        for name in names:
            case = BY_NAME[name]
            row = table[name] = {"linekey": Said(), "sslyze": Said()}
            async with launcher.started(case) as running:
                port, root = running.port, launcher.root_path
                for _ in range(rounds):
                    await asyncio.to_thread(
                        ask_linekey,
                        port,
                        case.called,
                        root,
                        row["linekey"],
                        identity if case.asks else None,
                    )
                    await asyncio.to_thread(
                        ask_sslyze, sslyze, port, root, row["sslyze"]
                    )
                if name in slow:
                    row["testssl.sh"] = Said()
                    await asyncio.to_thread(ask_testssl, port, root, row["testssl.sh"])
            sys.stderr.write(f"{name}\n")
    return table


def page(table: Table, rounds: int, load: float) -> str:
    slow = sum("testssl.sh" in row for row in table.values())
    lines = [
        "# Comparison: what others say of a desk phone",
        "",
        '<!-- Made by python -m bench.comparison; what is below "What this means" is '
        "bench/comparison_notes.md. -->",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {cpu_model()}, "
        f"{platform.system()} {kernel()}, Python {platform.python_version()}; "
        f"linekey {__version__}, sslyze {sslyze_version()}, "
        f"testssl.sh {testssl_version()}. One run, the same servers (those of "
        "`linekey test-servers`, on loopback), the tools in turn; wall time of the "
        f"whole command, start of the interpreter included. linekey and sslyze: median "
        f"of {rounds} rounds; testssl.sh: once, on {slow} servers, since it takes so "
        "long. Before it began, the machine's load average was "
        f"{load:.1f}, so wall times are upper limits; CPU time hardly feels it.",
        "",
        "- linekey: `linekey check HOST --json`, every class of phones, politely (at "
        "most 20 connections a second); where the server asks for a certificate, with "
        "a D785's (`--identity`), which costs a second connection for each hello",
        "- sslyze: `--certinfo --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3`; it simulates no "
        "client, so there is no time for each",
        "- testssl.sh: `-c`, its client simulation; what it says of the certificate is "
        "from a second run with `-S`, which is not in the time",
        "",
        "## How long it takes",
        "",
        "| server | linekey (CPU) | connections | classes | each class | sslyze (CPU) "
        "| testssl.sh -c (CPU) | clients | each client |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in table.items():
        ours, theirs, third = row["linekey"], row["sslyze"], row.get("testssl.sh")
        tail = (
            "| – | – | – |"
            if third is None
            else f"| {third.wall:.1f} s ({third.cpu:.1f}) | {third.clients} "
            f"| {third.each_ms or 0:.0f} ms |"
        )
        lines.append(
            f"| {name} | {ours.wall:.2f} s ({ours.cpu:.2f}) | {ours.connections} "
            f"| {ours.clients} "
            f"| **{ours.each_ms or 0:.0f} ms** | {theirs.wall:.2f} s "
            f"({theirs.cpu:.2f}) {tail}"
        )
    lines += ["", "## What each says", ""]
    for name, row in table.items():
        lines += [f"**{name}**: {BY_NAME[name].sentence}", ""]
        lines += [f"- {tool}: {said.words}" for tool, said in row.items()]
        lines.append("")
    return "\n".join(lines) + "\n" + NOTES.read_text(encoding="utf-8")


def sslyze_version() -> str:
    python = sslyze_path().parent / "python"
    code = "import importlib.metadata as m; print(m.version('sslyze'))"
    _, out = timed([python, "-c", code])
    return out.strip()


def testssl_version() -> str:
    _, out = timed(["testssl", "--version"])
    found = re.search(r"testssl(?:\.sh)?\s+(?:version )?([0-9][\w.-]*)", out)
    return found.group(1) if found else "of unknown version"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.comparison")
    parser.add_argument("--servers", nargs="*", default=CASES, choices=BY_NAME)
    parser.add_argument("--testssl", nargs="*", default=TESTSSL, choices=BY_NAME)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-write", action="store_true", help="leave the page as is")
    given = parser.parse_args()
    if shutil.which("testssl") is None:
        sys.stderr.write("error: no testssl\nhint: install testssl.sh\n")
        return 3
    load = os.getloadavg()[0]
    table = asyncio.run(measure(given.servers, given.testssl, given.rounds))
    text = page(table, given.rounds, load)
    if given.no_write:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
