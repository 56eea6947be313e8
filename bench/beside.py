"""``python -m bench.beside``: what phones notice of an API in use, and of a change.

    python -m bench.beside [--before SRC] [--phones 1000] [--rounds 4] [--requests 600]
                           [--clients 16] [--one-process]

One `linekey serve` with one worker and a registry of ``--phones``; 16 clients at once
fetch their files, with a whole handshake each. Rounds alternate: alone, and with 20 API
requests a second beside them (lists, searches, single phones, decisions). Told are the
median and the 99th percentile of a phone's wait, the phones served a second, and the
server's CPU for each of them: beside the API that has the API's answers in it.

``--before`` names the ``src`` folder of another linekey, whose server takes turns with
this one's, without an API in use.
"""

import argparse
import contextlib
import http.client
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import nginx
from bench.fleet import Fleet, make_fleet
from bench.process import Load, cpu_seconds, running, settle
from bench.server_vs_nginx import CLIENTS, prepare, say
from linekey.store.opening import open_store
from linekey.store.token_scope import Scope
from linekey.store.tokens import ApiTokens

ROOT = Path(__file__).parents[1]
RATE = 20
"""API requests a second."""
ASKED = (
    "/devices", "/devices?q=room", "/devices?model=D7*&sort=label",
    "/devices/{mac}", "/decisions", "/decisions?outcome=refused", "/changes", "/health",
)  # fmt: skip


@dataclass(frozen=True)
class Server:
    """A running server, and what opens its API."""

    pid: int
    port: int
    api_port: int
    token: str


@dataclass
class Rounds:
    """What was measured, a number a round."""

    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.beside")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--phones", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--clients", type=int, default=CLIENTS, help="at once")
    parser.add_argument("--one-process", action="store_true", help="the API in it, too")
    given = parser.parse_args()
    fleet = make_fleet(ROOT / ".cache" / "bench" / "fleet")
    with (
        tempfile.TemporaryDirectory(prefix="linekey-bench-") as folder,
        contextlib.ExitStack() as stack,
    ):
        sources = {"now": ROOT / "src"}
        if given.before:
            sources["before"] = given.before
        servers = {
            name: stack.enter_context(
                serving(Path(folder) / name, fleet, given, source)
            )
            for name, source in sources.items()
        }
        for server in servers.values():  # warm up, not counted
            measure(server, fleet, given, Rounds())
        if not given.before:
            alone = api_alone(servers["now"], fleet)
            say(f"an API request alone: {1000 * alone:.1f} ms of CPU")
        kinds = list(servers) if given.before else ["alone", "with the API"]
        found = {kind: Rounds() for kind in kinds}
        for number in range(given.rounds):
            for kind in kinds if number % 2 == 0 else kinds[::-1]:
                server = servers.get(kind, servers["now"])
                into = found[kind]
                if kind == "with the API":
                    with asking(server, fleet) as answered:
                        began = time.monotonic()
                        measure(server, fleet, given, into, beside=True)
                        each = len(answered) / (time.monotonic() - began)
                    say(f"{each:.1f} API requests a second were answered")
                else:
                    measure(server, fleet, given, into)
                say(f"round {number + 1}, {kind}: {found[kind].cpu_ms[-1]:.2f} ms CPU")
    print(table(found, given.clients))
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


@contextlib.contextmanager
def serving(
    folder: Path, fleet: Fleet, given: argparse.Namespace, source: Path
) -> Iterator[Server]:
    """A server of that source, with a registry of its own."""
    prepare(folder, fleet, given.phones)
    with open_store(folder) as database:
        token = ApiTokens(database).add("bench", Scope.ADMIN, None, datetime.now(UTC))
    port, status = nginx.free_port(), nginx.free_port()
    command = [
        sys.executable, "-c", "from linekey.cli.main import main; main()",
        "serve", "--state", str(folder),
        "--host", "127.0.0.1", "--port", str(port), "--status-port", str(status),
        "--certificate", str(fleet.server_certificate), "--key", str(fleet.server_key),
    ]  # fmt: skip
    environment = os.environ | {
        "LINEKEY_API__REQUESTS_EACH_MINUTE": "1000000", "PYTHONPATH": str(source),
        "LINEKEY_STATUS__OWN_PROCESS": str(not given.one_process),
    }  # fmt: skip
    with (
        (folder / "serve.log").open("w") as log,
        running(command, env=environment, stderr=log, stdout=log) as process,
    ):
        nginx.wait_for(port, 90)
        nginx.wait_for(status, 90)
        yield Server(process.pid, port, status, token)


def measure(
    server: Server,
    fleet: Fleet,
    given: argparse.Namespace,
    into: Rounds,
    *,
    beside: bool = False,
) -> None:
    """One round of phones; ``beside`` the API, whose CPU is in that of the server."""
    load = Load(
        fleet.folder,
        server.port,
        clients=given.clients,
        requests=given.requests,
        mode="full",
    )
    if not beside:  # else it never rests
        settle(server.pid)
    before = cpu_seconds(server.pid)
    result = load.go()
    used = cpu_seconds(server.pid) - before
    load.end()
    if result["errors"]:
        raise RuntimeError(str(result["errors"][:3]))
    into.p50_ms.append(result["p50_ms"])
    into.p99_ms.append(result["p99_ms"])
    into.rate.append(given.requests / result["seconds"])
    into.cpu_ms.append(1000 * used / given.requests)


@contextlib.contextmanager
def asking(server: Server, fleet: Fleet) -> Iterator[list[str]]:
    """Ask the API at RATE until the end; the list has what was answered."""
    stop = threading.Event()
    wrong: list[str] = []
    answered: list[str] = []

    def ask(which: int) -> None:
        http_ = http.client.HTTPConnection("127.0.0.1", server.api_port, timeout=60)
        paths = [path.format(mac=fleet.macs[which]) for path in ASKED]
        due = time.monotonic() + which / RATE
        for turn in range(1_000_000):
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            # Four ask in turn; what was missed is not asked later.
            due = max(due + 4 / RATE, time.monotonic())
            http_.request(
                "GET", f"/api/v1{paths[(turn * 4 + which) % len(paths)]}",
                headers={"Authorization": f"Bearer {server.token}"},
            )  # fmt: skip
            answer = http_.getresponse()
            text = answer.read()
            answered.append(paths[(turn * 4 + which) % len(paths)])
            if answer.status != 200:
                wrong.append(f"{answer.status} {text[:200]!r}")

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield answered
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if wrong:
        raise RuntimeError(wrong[0])


def api_alone(server: Server, fleet: Fleet) -> float:
    """Seconds of CPU for an API request, without any phone."""
    with asking(server, fleet) as answered:
        time.sleep(1)
        before, already = cpu_seconds(server.pid), len(answered)
        time.sleep(8)
        used = cpu_seconds(server.pid) - before
        return used / (len(answered) - already)


def table(found: dict[str, Rounds], clients: int) -> str:
    """The numbers and their ratios: medians, and of the ratios of each round."""
    first, second = found
    rows = [
        f"| a phone's file, {clients} at once | {first} | {second} | ratio |",
        "|---|---|---|---|",
    ]
    for name, words, digits in (
        ("p50_ms", "median wait, ms", 1), ("p99_ms", "99th percentile, ms", 1),
        ("rate", "phones a second", 0), ("cpu_ms", "CPU of the server, ms", 2),
    ):  # fmt: skip
        one, two = (getattr(found[kind], name) for kind in (first, second))
        ratio = statistics.median(b / a for a, b in zip(one, two, strict=True))
        rows.append(
            f"| {words} | {statistics.median(one):.{digits}f} "
            f"| {statistics.median(two):.{digits}f} | {ratio:.2f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
