"""The morning after the power cut: 10,000 phones come within 10 s.

    python -m bench.avalanche [--phones 10000] [--within 10] [--rounds 1]
        [--servers linekey nginx] [--loads 2] [--measured costs.json] [--no-write]

Each phone has a certificate of its own (``bench.avalanche_fleet``) and comes at a
moment that is the same in every round: 2,000 behind one address, 4,000 four by four
behind 1,000, the others with an address each. The servers are asked in turn, each with
two workers: linekey, which decides by its registry and has each decision on its disk
before the answer, and nginx with the usual rule and static files. Phones are
``bench.avalanche_load``, on the same two cores as the server.

With ``--measured`` (of ``python -m bench.costs``) it is told, too, what ``linekey
plan`` says of one such server, with and without the load beside it.
"""

import argparse
import contextlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import nginx
from bench.avalanche_fleet import Crowd, make_crowd
from bench.avalanche_load import arrivals
from bench.process import cpu_seconds, memory_kib, settle
from bench.server_vs_nginx import (
    Server,
    cpu_model,
    has_nginx,
    linekey_serving,
    say,
    write_static,
)
from linekey.plan.capacity import kept_mib
from linekey.plan.costs import Costs
from linekey.plan.queueing import simulate

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance-avalanche.md"
NOTES = ROOT / "bench" / "avalanche_notes.md"
WORKERS = 2
KINDS = ("office", "few", "single")
KIND_WORDS = {
    "office": "behind one address",
    "few": "four behind an address",
    "single": "an address each",
    "": "all",
}


@dataclass(frozen=True)
class Phone:
    """What became of one."""

    kind: str
    due_s: float
    done_s: float | None
    late_s: float
    failures: tuple[str, ...]
    retry_after: tuple[bool, ...]

    @property
    def took_s(self) -> float:
        """From the moment it was due to its file; without one, for ever."""
        return float("inf") if self.done_s is None else self.done_s - self.due_s


@dataclass(frozen=True)
class Run:
    """One round of one server."""

    phones: tuple[Phone, ...]
    server_cpu_s: float
    load_cpu_s: float
    wall_s: float
    machine_s: float
    """CPU that the whole machine used meanwhile."""
    memory_mib: float
    """Private memory of the server's processes, once all have their files."""

    def of(self, kind: str = "") -> list[Phone]:
        return [p for p in self.phones if kind in ("", p.kind)]

    @property
    def last_s(self) -> float:
        return max(p.took_s + p.due_s for p in self.phones)

    @property
    def lost(self) -> int:
        return sum(p.done_s is None for p in self.phones)

    @property
    def failures(self) -> Counter[str]:
        return Counter(why for p in self.phones for why in p.failures)

    @property
    def without_retry_after(self) -> int:
        """Answers 503 that did not say when to come again."""
        return sum(not said for p in self.phones for said in p.retry_after)

    @property
    def load_share(self) -> float:
        """Of the CPU of both, how much was the load's own."""
        return self.load_cpu_s / (self.load_cpu_s + self.server_cpu_s)


def percentile(phones: Sequence[Phone], share: float) -> float:
    times = sorted(p.took_s for p in phones)
    return times[min(len(times) - 1, int(share * len(times)))]


def jain(values: Sequence[float]) -> float:
    """Jain's index: 1 if all have the same, 1/n if one has all."""
    return sum(values) ** 2 / (len(values) * sum(v * v for v in values))


def between_kinds(run: Run) -> float:
    """Jain's index of the kinds' mean times."""
    return jain([statistics.fmean(p.took_s for p in run.of(kind)) for kind in KINDS])


def machine_cpu_s() -> float:
    """CPU of everything since the machine's start, without idling (``proc(5)``)."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    ticks = [int(word) for word in words]
    return (sum(ticks) - ticks[3] - ticks[4]) / 100


@contextlib.contextmanager
def loads(
    crowd: Crowd, port: int, given: argparse.Namespace
) -> Iterator[list[subprocess.Popen[str]]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.avalanche_load", str(crowd.fleet.folder),
             str(port), "--phones", str(given.phones), "--within", str(given.within),
             "--part", f"{part}/{given.loads}", "--give-up", str(given.give_up)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for part in range(given.loads)
    ]  # fmt: skip
    try:
        for each in started:
            assert each.stdout is not None
            if each.stdout.readline() != "ready\n":
                raise RuntimeError("a load process is not ready")
        yield started
    finally:
        for each in started:
            each.kill()
            each.communicate()


def one_round(server: Server, crowd: Crowd, given: argparse.Namespace) -> Run:
    with loads(crowd, server.port, given) as started:
        settle(server.pid)
        before, machine = cpu_seconds(server.pid), machine_cpu_s()
        begin = time.monotonic() + 0.5
        for each in started:
            assert each.stdin is not None
            each.stdin.write(f"{begin}\n")
            each.stdin.flush()
        told: list[Any] = []
        for each in started:
            assert each.stdout is not None
            told.append(json.loads(each.stdout.readline()))
        wall, used = time.monotonic() - begin, cpu_seconds(server.pid) - before
        machine = machine_cpu_s() - machine
        settle(server.pid)
        memory = memory_kib(server.pid) / 1024
    phones = [
        Phone(kind, due, done, late, tuple(failures), tuple(retry_after))
        for each in told
        for kind, due, done, late, failures, retry_after in each["phones"]
    ]
    load = sum(e["cpu_s"] for e in told)
    return Run(tuple(phones), used, load, wall, machine, memory)


def measure(crowd: Crowd, given: argparse.Namespace) -> dict[str, list[Run]]:
    """All rounds of all servers, in turn."""
    found: dict[str, list[Run]] = {name: [] for name in given.servers}
    for number in range(given.rounds):
        order = given.servers if number % 2 == 0 else given.servers[::-1]
        for name in order:
            # Each round meets a server that has seen none of the phones.
            with (
                tempfile.TemporaryDirectory(prefix="linekey-avalanche-") as place,
                serving(name, Path(place), crowd) as server,
            ):
                run = one_round(server, crowd, given)
            found[name].append(run)
            say(f"round {number + 1}: {name}: {told(run)}")
    return found


@contextlib.contextmanager
def serving(name: str, place: Path, crowd: Crowd) -> Iterator[Server]:
    fleet = crowd.fleet
    with contextlib.ExitStack() as stack:
        ours = linekey_serving(place / "state", fleet, 0, workers=WORKERS, kept_on=None)
        if name == "linekey":
            yield stack.enter_context(ours)
            return
        with ours:  # which makes the registry that the files come from
            pass
        (place / "files").mkdir()
        write_static(place / "state", fleet, place / "files")
        theirs = stack.enter_context(
            nginx.serving(place / "nginx", fleet, place / "files", workers=WORKERS)
        )
        yield Server("nginx", theirs.pid, theirs.port)


def told(run: Run) -> str:
    kinds = ", ".join(
        f"{kind} " + "/".join(f"{percentile(run.of(kind), p):.2f}" for p in (0.5, 0.99))
        for kind in KINDS
    )
    return (
        f"last {run.last_s:.1f} s, {run.lost} lost, median/99th {kinds}; failed tries "
        f"{dict(run.failures)}, 503 without Retry-After {run.without_retry_after}; "
        f"server {run.server_cpu_s:.1f} s CPU, load {run.load_cpu_s:.1f}, machine "
        f"{run.machine_s:.1f} in {run.wall_s:.1f} s"
    )


@dataclass(frozen=True)
class Forecast:
    """What the plan's simulation says of such a run."""

    median_s: float
    late_s: float
    last_s: float


def forecast(
    costs: Costs, given: argparse.Namespace, load_ms: float = 0.0, had: float = 1.0
) -> Forecast:
    """``load_ms`` is what the load takes of the same cores for each phone, and ``had``
    which part of the cores both had, and not somebody else."""
    each = (costs.first_ms + load_ms) / 1000 / had
    outcome = simulate(
        sorted(arrivals(given.phones, given.within)),
        ((each,) for _ in range(given.phones)),
        WORKERS,
    )
    return Forecast(
        outcome.wait_of(0.5) + each, outcome.wait_of(0.99) + each, outcome.last_s
    )


def page(
    found: dict[str, list[Run]], crowd: Crowd, costs: Costs | None,
    given: argparse.Namespace,
) -> str:  # fmt: skip
    lines = [
        "# The morning after the power cut",
        "",
        '<!-- Made by `python -m bench.avalanche`; what is below "What it says" is '
        "bench/avalanche_notes.md. -->",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {cpu_model()}, "
        f"{platform.system()}, Python {platform.python_version()}, {nginx.version()}. "
        f"{given.phones:,} phones come within {given.within:g} s, at the same moments "
        f"in each round; rounds of each server, in turn: {given.rounds}. Each has a "
        f"certificate of its own, over {crowd.keys} keys (RSA-2048; made in "
        f"{crowd.made_in_s:.0f} s). Both servers have {WORKERS} workers and the same "
        "RSA certificate, and have seen none of the phones; nginx checks the MAC and "
        "sends a static file, linekey decides, writes the decision to its disk, and "
        "renders. The phones are on the same two cores.",
        "",
        "| phones | | linekey: median | 99th of 100 | nginx: median | 99th of 100 |"
        if len(found) > 1
        else "| phones | | median | 99th of 100 |",
        "|---|---|---|---|" + "---|---|" * (len(found) > 1),
    ]
    for kind in (*KINDS, ""):
        count = len(next(iter(found.values()))[0].of(kind))
        cells = [
            seconds([percentile(run.of(kind), share) for run in runs])
            for runs in found.values()
            for share in (0.5, 0.99)
        ]
        lines.append(f"| {count:,} | {KIND_WORDS[kind]} | {' | '.join(cells)} |")
    lines += ["", f"| | {' | '.join(found)} |", "|---|" + "---|" * len(found)]
    rows: dict[str, Callable[[list[Run]], str]] = {
        "time to the last": lambda r: seconds([x.last_s for x in r]),
        "phones without a file": lambda r: _sum(x.lost for x in r),
        "phones that had to try again": lambda r: _sum(
            sum(bool(p.failures) for p in x.phones) for x in r
        ),
        "answers 503 without Retry-After": lambda r: _sum(
            x.without_retry_after for x in r
        ),
        "Jain's index of the three kinds' mean times": lambda r: (
            f"{statistics.median(map(between_kinds, r)):.3f}"
        ),
        "Jain's index of all phones' times": lambda r: (
            f"{statistics.median(jain([p.took_s for p in x.phones]) for x in r):.3f}"
        ),
        "the server's CPU for each phone": lambda r: _ms(r, "server_cpu_s"),
        "the load's CPU for each phone": lambda r: _ms(r, "load_cpu_s"),
        "of the CPU of both, the load's share": lambda r: (
            f"{statistics.median(x.load_share for x in r):.0%}"
        ),
        "CPU of everything on the machine, of what there was": lambda r: (
            f"{statistics.median(x.machine_s / x.wall_s / 2 for x in r):.0%}"
        ),
        "the server's private memory afterwards": lambda r: (
            f"{statistics.median(x.memory_mib for x in r):.0f} MiB"
        ),
        "the load came late by, 99th of 100": lambda r: seconds(
            [sorted(p.late_s for p in x.phones)[len(x.phones) * 99 // 100] for x in r]
        ),
    }  # fmt: skip
    lines += [
        f"| {name} | {' | '.join(cell(runs) for runs in found.values())} |"
        for name, cell in rows.items()
    ]
    if costs is not None and "linekey" in found:
        lines += compared(found["linekey"], costs, given)
    return "\n".join(lines) + "\n\n" + NOTES.read_text(encoding="utf-8")


def compared(runs: list[Run], costs: Costs, given: argparse.Namespace) -> list[str]:
    """The plan's word beside what was measured."""
    load_ms = 1000 * statistics.median(r.load_cpu_s for r in runs) / given.phones
    had = statistics.median((r.server_cpu_s + r.load_cpu_s) / r.machine_s for r in runs)
    alone = forecast(costs, given)
    beside = forecast(costs, given, load_ms, min(1.0, had))
    measured = {
        "time to the last": [r.last_s for r in runs],
        "median": [percentile(r.phones, 0.5) for r in runs],
        "99th of 100": [percentile(r.phones, 0.99) for r in runs],
    }
    said = {
        "time to the last": (alone.last_s, beside.last_s),
        "median": (alone.median_s, beside.median_s),
        "99th of 100": (alone.late_s, beside.late_s),
    }
    lines = [
        "",
        "## The plan beside it",
        "",
        f"`linekey plan` reckons with {costs.first_ms:.2f} ms of CPU for a phone that "
        f"the server has not seen ({costs.by}, {costs.measured_at[:10]}). The same "
        f"simulation, of one server with {WORKERS} workers and the very moments at "
        f"which the phones came, once as if they had cores of their own, and once with "
        f"the {load_ms:.2f} ms that each cost here on the server's, of which both had "
        f"{had:.0%} (the rest was for other programs):",
        "",
        "| | measured | the plan | with all that was on these cores | off by |",
        "|---|---|---|---|---|",
    ]
    for name, found in measured.items():
        real, (first, second) = statistics.median(found), said[name]
        off = second / real - 1
        lines.append(
            f"| {name} | {real:.2f} s | {first:.2f} s | {second:.2f} s | {off:+.0%} |"
        )
    memory = statistics.median(r.memory_mib for r in runs)
    kept = WORKERS * kept_mib(given.phones // WORKERS)
    planned = (WORKERS + 1) * costs.worker_mib + kept
    return [
        *lines,
        "",
        f"Its processes had {memory:.0f} MiB afterwards; the plan reckons with "
        f"{planned:.0f} MiB where each worker has met its part of the phones, and no "
        f"connection is open ({planned / memory - 1:+.0%} off).",
    ]


def seconds(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f} s"
    middle = statistics.median(values)
    return f"{middle:.2f} s ({min(values):.2f} – {max(values):.2f})"


def _sum(values: Iterable[int]) -> str:
    return f"{sum(values):,}"


def _ms(runs: list[Run], name: str) -> str:
    each = [1000 * getattr(run, name) / len(run.phones) for run in runs]
    return f"{statistics.median(each):.2f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.avalanche")
    parser.add_argument("--phones", type=int, default=10_000)
    parser.add_argument("--within", type=float, default=10.0, help="seconds")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--servers", nargs="+", default=["linekey", "nginx"])
    parser.add_argument("--loads", type=int, default=2, help="processes of phones")
    parser.add_argument("--give-up", type=float, default=300.0, help="after seconds")
    parser.add_argument("--measured", type=Path, help="costs, for the plan beside it")
    parser.add_argument("--no-write", action="store_true")
    given = parser.parse_args()
    if "nginx" in given.servers and not has_nginx():
        sys.stderr.write("error: nginx is not installed\nhint: make peers\n")
        return 3
    costs = None
    if given.measured:
        costs = Costs.parse(given.measured.read_text(), str(given.measured))
    crowd = make_crowd(given.phones)
    say(f"{given.phones:,} certificates, made in {crowd.made_in_s:.0f} s")
    found = measure(crowd, given)
    text = page(found, crowd, costs, given)
    if given.no_write:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    ours = found.get("linekey", [])
    lost = sum(run.lost for run in ours)
    unsaid = sum(run.without_retry_after for run in ours)
    if lost or unsaid:
        say(f"{lost} phones without a file, {unsaid} answers 503 without Retry-After")
    return 1 if lost or unsaid else 0


if __name__ == "__main__":
    sys.exit(main())
