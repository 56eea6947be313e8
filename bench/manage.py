"""How long a large fleet's operator waits for the API, on SQLite and PostgreSQL.

    python -m bench.manage [--only SQLite] [--part calls|bulk|verbs|texts]… [--no-write]
                           [--phones 100000] [--lines 1000000] [--rounds 40]
                           [--only-those TEXT]

A generated registry and log, made once into the cache folder, its texts indexed and its
lines counted at once, for which a server would take some ten minutes; one `linekey
serve` with one worker, asked over HTTP on loopback, one call after the other on one
connection. Told is the wait, and the CPU of the server, and of PostgreSQL, which other
work on the machine moves less.
``verbs`` are commands in processes of their own (``bench.tables``).

Parts measured one at a time are kept in the cache folder, and the page is made of all.
"""

import argparse
import contextlib
import http.client
import json
import os
import platform
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from tests.postgres import Cluster, running_cluster

from bench import nginx
from bench.fleet import make_fleet
from bench.log_texts import index_costs
from bench.process import cpu_seconds, running
from bench.server_vs_nginx import cpu_model, say
from bench.tables import a_chain, cost, write_table
from linekey.certs.pem import parse_certificates, to_pem
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.store import log_filling
from linekey.store.database import Database, open_database
from linekey.store.decisions import COLUMNS, LogEntry
from linekey.store.devices import Devices
from linekey.store.many_rows import insert_rows
from linekey.store.paths import StateDir
from linekey.store.schema import decision_log
from linekey.store.token_scope import Scope
from linekey.store.tokens import ApiTokens
from linekey.store.vendor_cas import VendorCas, describe_ca

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance-manage.md"
NOTES = ROOT / "bench" / "manage_notes.md"
KEPT = ROOT / ".cache" / "bench" / "manage.json"
START = datetime(2026, 1, 1, tzinfo=UTC)
TARGET_MS = 150
PARTS = ("texts", "calls", "bulk", "verbs")
MODELS = ("D785", "D717", "D385", "D735", "D120")

CALLS = {
    "phones, the first 100": "/devices",
    "phones, 1,000 from the middle": "/devices?limit=1000&cursor={middle}",
    "by label": "/devices?sort=label",
    "by change, newest first": "/devices?sort=-changed",
    "search `room` (all match)": "/devices?q=room",
    "search `oom 4711` (some)": "/devices?q=oom%204711",
    "search `0413:00:ff:3` (some)": "/devices?q=13:00:ff:3",
    "search `nowhere` (none)": "/devices?q=nowhere",
    "search `d7` (two letters)": "/devices?q=d7",
    "search `4711` (extension)": "/devices?q=4711",
    "model D7*, by label": "/devices?model=D7*&sort=label",
    "label `room 12*`": "/devices?label=room%2012*",
    "label `*12`": "/devices?label=*12",
    "revoked": "/devices?state=revoked",
    "where language=English": "/devices?where=language%3DEnglish",
    "where user_name[1]=47*": "/devices?where=user_name%5B1%5D%3D47*",
    "one phone": "/devices/000413000FFF",
    "decisions, the newest 100": "/decisions",
    "decisions of one phone": "/decisions?mac=000413000FFF",
    "refused": "/decisions?outcome=refused",
    "one reason, rare": "/decisions?reason=token_used",
    "one reason and one day": "/decisions?reason=revoked&since={day}&until={next_day}",
    "granted (most)": "/decisions?outcome=granted",
    "of one address": "/decisions?peer=192.0.3.3",
    "of one status": "/decisions?status=403",
    "of one vendor (all)": "/decisions?vendor=snom",
    "text `d785` (all)": "/decisions?q=d785",
    "text `nowhere` (none)": "/decisions?q=nowhere",
    "text `000413000fff` (few)": "/decisions?q=000413000fff",
    "text `d785` (all), refused": "/decisions?q=d785&outcome=refused",
    "text `zz` (two letters, none)": "/decisions?q=zz",
    "one day": "/decisions?since={day}&until={next_day}",
    "changes": "/changes",
    "changes of one phone": "/changes?mac=000413000FFF",
}


class Place(NamedTuple):
    """A state folder with its database, and the token that opens its API."""

    name: str
    folder: Path
    url: str | None
    token: str
    database_pid: int = 0
    """Of PostgreSQL."""


@dataclass
class Api:
    """One connection to a running server's API."""

    port: int
    token: str
    pid: int
    database_pid: int = 0

    def __post_init__(self) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)

    def cpu(self) -> float:
        """Seconds of CPU so far, of the server and of PostgreSQL."""
        there = self.database_pid
        return cpu_seconds(self.pid) + (cpu_seconds(there, ended=True) if there else 0)

    def call(self, method: str, path: str, body: Any = None) -> tuple[float, Any]:
        """Seconds until the whole answer is there, and what it was."""
        data = None if body is None else json.dumps(body)
        began = time.perf_counter()
        self.http.request(
            method, f"/api/v1{path}", data,
            {"Authorization": f"Bearer {self.token}",
             "Content-Type": "application/json"},
        )  # fmt: skip
        answer = self.http.getresponse()
        text = answer.read()
        took = time.perf_counter() - began
        if answer.status not in (200, 201):
            raise RuntimeError(f"{path}: {answer.status} {text[:300]!r}")
        return took, json.loads(text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.manage")
    parser.add_argument("--phones", type=int, default=100_000, help="5,000 at least")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"))
    parser.add_argument(
        "--only-those", default="", metavar="TEXT", help="calls or verbs with this"
    )
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--no-write", action="store_true", help="leave the page as is")
    given = parser.parse_args()
    names = [given.only] if given.only else ["SQLite", "PostgreSQL"]
    parts = given.part or PARTS
    found = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    with contextlib.ExitStack() as stack:
        cluster = None
        if "PostgreSQL" in names:
            cluster = stack.enter_context(running_cluster())
        for name in names:
            mine = found.setdefault(name, {})
            mine |= {f"about {part}": about(given) for part in parts}
            place = make(name, given.phones, given.lines, cluster)
            if "texts" in parts:
                with open_database(StateDir.open(place.folder), place.url) as database:
                    keep(found, name, "texts", index_costs(database))
            if "calls" in parts or "bulk" in parts:
                with serving(place) as api:
                    wait_for_texts(place)
                    if "calls" in parts:
                        told = measure(api, given.rounds, given.only_those)
                        keep(found, name, "calls", told)
                    if "bulk" in parts:
                        keep(found, name, "bulk", many(api, given.only_those))
            if "verbs" in parts:
                new = ""
                if cluster is not None and name == "PostgreSQL":
                    new = cluster.new()
                keep(found, name, "verbs", verbs(place, new, given.only_those))
    text = page(json.loads(KEPT.read_text()))
    if given.no_write:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    return 0


def keep(
    found: dict[str, Any],
    name: str,
    part: str,
    told: Iterator[tuple[str, list[float]]],
) -> None:
    """Keep each number as soon as it is there, beside those of earlier runs."""
    for what, numbers in told:
        found[name].setdefault(part, {})[what] = numbers
        kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        kept.setdefault(name, {}).update(found[name])  # another run may be under way
        KEPT.write_text(json.dumps(kept, indent=1))


def about(given: argparse.Namespace) -> str:
    """What was measured, when, and how busy the machine was with other work."""
    return (
        f"{given.phones:,} phones and {given.lines:,} decisions, on "
        f"{datetime.now(UTC):%Y-%m-%d}; load of the machine {os.getloadavg()[0]:.0f} "
        f"on {os.cpu_count()} cores"
    )


def make(name: str, phones: int, lines: int, cluster: Cluster | None) -> Place:
    """A state folder with everything in it; SQLite's is kept for the next time."""
    folder = ROOT / ".cache" / "bench" / f"managed-{name}-{phones}-{lines}"
    url = None
    if cluster is not None and name == "PostgreSQL":
        url = cluster.new("manage")
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    token_file = folder / "token.txt"
    if not token_file.exists():
        subprocess.run(["rm", "-rf", str(folder)], check=True)
        with open_database(StateDir.open(folder), url) as database:
            began = time.monotonic()
            fill_devices(database, phones)
            say(f"{name}: {phones:,} phones in {time.monotonic() - began:.1f} s")
            began = time.monotonic()
            fill_log(database, lines, phones)
            say(f"{name}: {lines:,} lines in {time.monotonic() - began:.1f} s")
            began = time.monotonic()
            log_filling.fill(database, alone=True)
            say(f"{name}: indexed and counted in {time.monotonic() - began:.1f} s")
            token = ApiTokens(database).add("bench", Scope.ADMIN, None, START)
            fleet = make_fleet(ROOT / ".cache" / "bench" / "fleet")
            cas = parse_certificates(fleet.authorities.read_bytes())
            VendorCas(database).add([describe_ca(ca, START) for ca in cas])
        token_file.write_text(token)
        token_file.chmod(0o600)
    if url is not None and cluster is not None:
        engine_execute(cluster, "VACUUM ANALYZE")
    pid = 0
    if url is not None and cluster is not None:
        pid = int((cluster.root / "data" / "postmaster.pid").read_text().split()[0])
    return Place(name, folder, url, token_file.read_text(), pid)


def engine_execute(cluster: Cluster, statement: str) -> None:
    """A statement outside transactions, in the bench's database."""
    import sqlalchemy as sa

    engine = sa.create_engine(cluster.url("manage"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def fill_devices(database: Database, phones: int) -> None:
    """Phones as a provider has them: eight settings each, one of them a secret."""
    numbers = random.Random(1)
    Devices(database).add_all(
        (
            Device(
                Mac(f"000413{n:06X}"),
                "snom",
                MODELS[n % 5],
                label=f"Room {n}, {'Berlin' if n % 3 else 'Köln'}",
                state="revoked" if n % 50 == 7 else "active",
                layer=Layer(
                    settings=(
                        Setting("user_name", str(n), 1),
                        Setting("user_pass", f"p{numbers.getrandbits(80):x}", 1),
                        Setting("user_host", "pbx.example.com", 1),
                        Setting("user_realname", f"Name {n}", 1),
                        Setting("language", "English" if n % 10 == 3 else "Deutsch"),
                        Setting("timezone", "GER+1"),
                        Setting("admin_mode", "on"),
                        Setting("http_port", "80"),
                    )
                ),
            )
            for n in range(phones)
        ),
        START,
    )


def fill_log(database: Database, lines: int, phones: int) -> None:
    """Decisions of a fleet into the log: nine in ten granted, a few reasons."""
    numbers = random.Random(2)
    first = LogEntry(
        at=START, kind="decision", outcome="granted", reason="own_file",
        peer="192.0.2.1", tls_version="TLSv1.2", suite="ECDHE-RSA-AES128-GCM-SHA256",
        resource="D785-000413000000.xml", status=200, vendor="snom",
        user_agent="Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33)",
    )  # fmt: skip
    refused = replace(first, outcome="refused", reason="revoked", status=403)
    rare = replace(first, outcome="refused", reason="token_used", status=403)
    assert len(COLUMNS) == len(first.values())

    def line(n: int) -> tuple[Any, ...]:
        kind = numbers.random()
        base = rare if kind < 0.0005 else refused if kind < 0.1 else first
        return replace(
            base,
            at=START + timedelta(seconds=20 * n),
            mac=(mac := Mac(f"000413{numbers.randrange(phones):06X}")),
            resource=f"D785-{mac.digits}.xml",
            peer=f"192.0.{n % 4}.{n % 250}",
        ).values()

    with database.write() as connection:
        for start in range(0, lines, 10_000):
            rows = [line(n) for n in range(start, min(start + 10_000, lines))]
            insert_rows(connection, decision_log, COLUMNS, rows)


@contextlib.contextmanager
def serving(place: Place) -> Iterator[Api]:
    """One `linekey serve` of that place."""
    fleet = make_fleet(ROOT / ".cache" / "bench" / "fleet")
    port, status = nginx.free_port(), nginx.free_port()
    command = [
        sys.executable, "-c", "from linekey.cli.main import main; main()",
        "serve", "--state", str(place.folder),
        "--host", "127.0.0.1", "--port", str(port), "--status-port", str(status),
        "--certificate", str(fleet.server_certificate), "--key", str(fleet.server_key),
    ]  # fmt: skip
    environment = os.environ | {
        "LINEKEY_API__REQUESTS_EACH_MINUTE": "1000000",
        "LINEKEY_LOG__KEEP_DAYS": "0",  # the log is of a fixed time
    }
    if place.url is not None:
        environment["LINEKEY_DATABASE_URL"] = place.url
    with (
        (place.folder / "serve.log").open("w") as log,
        running(command, env=environment, stderr=log, stdout=log) as process,
    ):
        nginx.wait_for(status, 90)
        yield Api(status, place.token, process.pid, place.database_pid)


def wait_for_texts(place: Place) -> None:
    """Until the server has filled its index of texts, if that is not done yet."""
    until = time.monotonic() + 1800
    with open_database(StateDir.open(place.folder), place.url) as database:
        while time.monotonic() < until:
            with database.read() as connection:
                if log_filling.waiting(connection) < log_filling.WAITS:
                    return
            time.sleep(1)
    raise RuntimeError("the index of texts is not filled after half an hour")


def measure(api: Api, rounds: int, only: str) -> Iterator[tuple[str, list[float]]]:
    """Median and 95th percentile of each call's wait, and its CPU, in milliseconds."""
    _, page = api.call("GET", "/devices?limit=1000")
    pages = page["total"] // 2000
    for _ in range(pages - 1):
        target = urlsplit(page["next"])
        _, page = api.call("GET", f"/devices?{target.query}")
    query = dict(part.split("=", 1) for part in urlsplit(page["next"]).query.split("&"))
    day = START + timedelta(days=100)
    given = {
        "middle": query["cursor"],
        "day": quote(day.isoformat()),
        "next_day": quote((day + timedelta(days=1)).isoformat()),
    }
    for name, template in CALLS.items():
        if only not in name:
            continue
        path = template.format(**given)
        _, document = api.call("GET", path)
        before = api.cpu()
        times = sorted(1000 * api.call("GET", path)[0] for _ in range(rounds))
        cpu = 1000 * (api.cpu() - before) / rounds
        last = times[min(len(times) - 1, len(times) * 95 // 100)]
        median, total = statistics.median(times), document.get("total", 1)
        say(f"  {name}: {median:.0f} / {last:.0f}, CPU {cpu:.0f} ms ({total:,})")
        yield name, [median, last, cpu]


def many(api: Api, only: str) -> Iterator[tuple[str, list[float]]]:
    """Seconds for changes of all phones: the wait, and the server's CPU."""
    change = {"layer": {"set": [{"name": "language", "value": "Français"}]}}
    for name, body in {
        "bulk, tried": {"select": {"all": True}, "change": change, "dry_run": True},
        "bulk, done": {"select": {"all": True}, "change": change},
        "bulk, back": {
            "select": {"all": True},
            "change": {"layer": {"set": [{"name": "language", "value": "Deutsch"}]}},
        },
        "revoke, tried": {"select": {"all": True}, "action": "revoke", "dry_run": True},
    }.items():
        if only not in name:
            continue
        before = api.cpu()
        took, done = api.call("POST", "/devices/bulk", body)
        cpu = api.cpu() - before
        say(f"  {name}: {took:.1f} s, CPU {cpu:.1f} s: {done['changed']:,}")
        yield name, [took, cpu]


def verbs(place: Place, url: str, only: str) -> Iterator[tuple[str, list[float]]]:
    """Seconds, CPU seconds and MiB of commands about that place's phones.

    ``url`` is an empty PostgreSQL, for those that import; without it, it is SQLite.
    """
    with tempfile.TemporaryDirectory() as folder:
        chain, table = Path(folder) / "chain.pem", Path(folder) / "phones.csv"
        chain.write_text(to_pem(a_chain()))
        write_table(table, 100_000)
        other = Path(folder) / "other.csv"
        other.write_text(table.read_text().replace("Deutsch", "Français"))
        environment = {"LINEKEY_STATE": str(place.folder)}
        if place.url is not None:
            environment["LINEKEY_DATABASE_URL"] = place.url
        new = {"LINEKEY_STATE": str(Path(folder) / "new")}
        if url:
            new["LINEKEY_DATABASE_URL"] = url
        check = [
            "check",
            "--fleet",
            "--chain",
            str(chain),
            "--name",
            "prov.example.com",
        ]
        for name, verb, where in (
            ("device import", ["device", "import", str(table)], new),
            ("device import --update (no change)", ["device", "import", str(table),
             "--update"], new),
            ("device import --sync --dry-run (all change)", ["device", "import",
             str(other), "--sync", "--dry-run"], new),
            ("device import --sync (all change)", ["device", "import", str(other),
             "--sync"], new),
            ("device set --all", ["device", "set", "--all", "--yes", "--set",
             "language=English"], new),
            ("device revoke --all", ["device", "revoke", "--all", "--yes"], new),
            ("device list", ["device", "list"], environment),
            ("device list --json", ["device", "list", "--json"], environment),
            ("check --fleet", check, environment),
            ("log --limit 0", ["log", "--limit", "0"], environment),
            ("log --limit 0 --json", ["log", "--limit", "0", "--json"], environment),
        ):  # fmt: skip
            if only not in name:
                continue
            told = list(cost(verb, where, findings=verb is check))
            say(f"  {name}: {told}")
            yield name, told


def page(found: dict[str, dict[str, Any]]) -> str:
    """The page of all that was measured."""
    lines = [
        "# What a large fleet's operator waits for",
        "",
        "<!-- Made by `python -m bench.manage`; what is below the tables is "
        "bench/manage_notes.md. -->",
        "",
        f"{cpu_model()}; Python {platform.python_version()}, SQLite "
        f"{sqlite3.sqlite_version}, {postgresql()}. `linekey serve` as it is "
        "shipped (the API in a process of its own), one call after the other over HTTP "
        "on loopback. The target is 150 ms for the 95th percentile of a call.",
        "",
        "Where a table's load is above 2, the machine had other work: the wait tells "
        "of that, the CPU is the server's own, and PostgreSQL's with it for calls and "
        "bulk.",
        "",
    ]
    for name, mine in found.items():
        for part, head, units in (
            (
                "texts",
                "| the index of texts | median, ms | 99th percentile, ms | in all, s |",
                (1, 1, 0),
            ),
            ("calls", "| call, ms | median | 95th percentile | CPU |", (0, 0, 0)),
            ("bulk", "| a change of all phones, s | wait | CPU |", (1, 1)),
            ("verbs", "| command | s | CPU, s | memory, MiB |", (1, 1, 0)),
        ):
            if part not in mine:
                continue
            said = mine[f"about {part}"]
            lines += [f"## {name}: {part}", "", said + ".", "", head]
            lines.append("|---" * (len(units) + 1) + "|")
            for what, numbers in mine[part].items():
                cells = (f"{n:.{d}f}" for n, d in zip(numbers, units, strict=True))
                lines.append(f"| {what} | {' | '.join(cells)} |")
            lines.append("")
    return "\n".join(lines) + "\n" + NOTES.read_text(encoding="utf-8")


def postgresql() -> str:
    """Its version, in words."""
    told = subprocess.run(
        ["psql", "--version"], capture_output=True, text=True, check=True
    )
    return told.stdout.strip().replace("psql (PostgreSQL)", "PostgreSQL")


if __name__ == "__main__":
    sys.exit(main())
