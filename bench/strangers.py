"""How long a good phone waits while strangers hold the door.

    python -m bench.strangers [--seconds 60] [--cases silent held ...] [--no-write]

One worker of ``linekey serve``. Strangers are a process of their own on 127.0.0.1;
phones come from 127.0.0.2 (another source) and from 127.0.0.1 (the same), one after the
other, each with a whole handshake, and try again at once when their connection breaks.
What is measured is the time to the file, tries that failed included. Targets: 3 s from
another source, 10 s from the same.

    silent    5,000 connections, opened once, that say nothing
    dripping  5,000 that send one byte of a ClientHello each second
    held      3,500 that say nothing, each opened again as soon as it is closed
    stalled   1,000 that send a whole ClientHello and then nothing, opened again
    garbage   1,000 that send what is no TLS, opened again
"""

import argparse
import contextlib
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.fleet import Fleet, make_fleet
from bench.load import Phone
from bench.process import pin
from bench.server_vs_nginx import cpu_model, linekey_serving, say

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance-strangers.md"
CASES = {
    "silent": (5_000, False),
    "dripping": (5_000, False),
    "held": (3_500, True),
    "stalled": (1_000, True),
    "garbage": (1_000, True),
}
"""Connections, and whether they are opened again."""
TARGET_S = {"127.0.0.2": 3.0, "127.0.0.1": 10.0}
GIVE_UP_S = 60.0
OPENED_AT_ONCE = 200
"""By the strangers, between two looks at what was closed."""


def hello() -> bytes:
    from linekey.tls.hello import build_client_hello, new_client_hello
    from linekey.tls.versions import Version

    return build_client_hello(
        new_client_hello(
            random=bytes(32),
            max_version=Version.TLS1_2,
            suites=[0xC02F],
            groups=(23, 29),
            signature_algorithms=(0x0401, 0x0804),
        )
    )


class Flood:
    """Strangers: so many connections of one kind, until the process is ended."""

    def __init__(self, kind: str, port: int) -> None:
        self.kind = kind
        self.address = ("127.0.0.1", port)
        self.wanted, self.reopen = CASES[kind]
        self.hello = hello()
        self.first = {"stalled": self.hello, "garbage": b"GARBAGE!" * 8}.get(kind, b"")
        self.selector = selectors.DefaultSelector()
        self.open: dict[socket.socket, int] = {}
        self.opened = 0

    def run(self) -> None:
        dripped, told = time.monotonic(), False
        while True:
            room = self.wanted - (len(self.open) if self.reopen else self.opened)
            for _ in range(min(room, OPENED_AT_ONCE)):
                self.connect()
            if not told and self.opened >= self.wanted:
                told = True
                sys.stdout.write("ready\n")
                sys.stdout.flush()
            for key, events in self.selector.select(0.0 if room > 0 else 0.05):
                self.turn(key.fileobj, events)  # type: ignore[arg-type]
            if self.kind == "dripping" and time.monotonic() - dripped >= 1:
                dripped = time.monotonic()
                for each, sent in list(self.open.items()):
                    with contextlib.suppress(OSError):
                        each.send(self.hello[sent : sent + 1])
                        self.open[each] = sent + 1

    def connect(self) -> None:
        each = socket.socket()
        each.setblocking(False)
        self.opened += 1
        each.connect_ex(self.address)
        self.open[each] = 0
        self.selector.register(each, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def turn(self, each: socket.socket, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self.selector.modify(each, selectors.EVENT_READ)
                if self.first:
                    each.send(self.first)
            if events & selectors.EVENT_READ and not each.recv(65536):
                raise ConnectionError
        except BlockingIOError:
            pass
        except OSError:
            self.selector.unregister(each)
            self.open.pop(each, None)
            each.close()


@contextmanager
def flooding(kind: str, port: int) -> Iterator[None]:
    with subprocess.Popen(
        [*pin(1), sys.executable, "-m", "bench.strangers", "--flood", kind, str(port)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield
        finally:
            process.kill()


class FromAddress(Phone):
    """A phone whose connections come from one address of loopback."""

    source = "127.0.0.1"

    def get(self, port: int) -> None:
        raw = socket.create_connection(
            ("127.0.0.1", port), timeout=5, source_address=(self.source, 0)
        )
        with self.context.wrap_socket(raw, server_hostname="localhost") as tls:
            self.fetch(tls, close=True)

    def wait_for_file(self, port: int) -> tuple[float, int]:
        """Seconds until the file was there, and how many tries failed before."""
        begin, failed = time.perf_counter(), 0
        while time.perf_counter() - begin < GIVE_UP_S:
            try:
                self.get(port)
            except OSError:
                failed += 1
                time.sleep(0.1)
            else:
                return time.perf_counter() - begin, failed
        return float("inf"), failed


@dataclass
class Waited:
    """Of the phones of one source."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def worst(self) -> float:
        return max(self.seconds)


def measure(fleet: Fleet, kind: str, seconds: float) -> dict[str, Waited]:
    """Phones of both sources in turn, for ``seconds`` from the flood's first moment."""
    waited = {source: Waited() for source in TARGET_S}
    phones = {source: FromAddress(fleet.folder, fleet.macs[0]) for source in TARGET_S}
    for source, phone in phones.items():
        phone.source = source
    with (
        tempfile.TemporaryDirectory(prefix="linekey-bench-") as place,
        linekey_serving(Path(place) / "state", fleet, len(fleet.macs)) as server,
        flooding(kind, server.port) if kind != "none" else contextlib.nullcontext(),
    ):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for source, phone in phones.items():
                took, failed = phone.wait_for_file(server.port)
                waited[source].seconds.append(took)
                waited[source].failed += failed
            time.sleep(0.2)
    for source, result in waited.items():
        say(
            f"{kind} from {source}: worst {result.worst:.2f} s of "
            f"{len(result.seconds)}, {result.failed} tries failed"
        )
    return waited


def row(kind: str, waited: dict[str, Waited]) -> str:
    cells = []
    for source in TARGET_S:
        each = waited[source]
        ordered = sorted(each.seconds)
        cells.append(
            f"{ordered[len(ordered) // 2]:.2f} s | {each.worst:.2f} s | {len(ordered)} "
            f"({each.failed})"
        )
    return f"| {kind} | " + " | ".join(cells) + " |"


def page(rows: list[str], seconds: float) -> str:
    about = (__doc__ or "").partition("\n    silent")
    lines = [
        "# What strangers can do to a phone",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `python -m bench.strangers`: "
        f"{cpu_model()}, {seconds:g} seconds each, one worker of "
        "`linekey serve` with the limits it comes with.",
        "",
        "Strangers come from 127.0.0.1. Phones come one after the other from 127.0.0.2 "
        "(another source) and from 127.0.0.1 (the same, as behind one NAT), each with "
        "a whole handshake, and try again at once when their connection breaks. The "
        "time is the one to the file, failed tries included.",
        "",
        "```",
        "    silent" + about[2].rstrip(),
        "```",
        "",
        "| strangers | another source: median | worst | phones (tries that failed) "
        "| the same source: median | worst | phones (tries that failed) |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        "What decides is in [production](../howto/production.md#strangers).",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.strangers")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--cases", nargs="*", default=["none", *CASES])
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--flood", nargs=2, metavar=("KIND", "PORT"))
    given = parser.parse_args()
    if given.flood:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        Flood(given.flood[0], int(given.flood[1])).run()
    fleet = make_fleet(ROOT / ".cache" / "bench" / "fleet")
    found = {kind: measure(fleet, kind, given.seconds) for kind in given.cases}
    if not given.no_write:
        rows = [row(kind, waited) for kind, waited in found.items()]
        PAGE.write_text(page(rows, given.seconds), encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    missed = [
        f"{kind} from {source}: {waited[source].worst:.1f} s"
        for kind, waited in found.items()
        for source, target in TARGET_S.items()
        if kind in ("none", "silent", "dripping", "held")
        and waited[source].worst > target
    ]
    for line in missed:
        say(f"over its target: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
