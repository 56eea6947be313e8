"""``make bench``: every measure of speed and of many phones, one after the other.

    python -m bench.all [MEASURE …] [--quick] [--no-write] [OPTION …]
    make bench ARGS="avalanche --phones 1000"

Without a name all of them, in the order below; with names those. ``--quick`` is few and
short rounds to try it, and writes no page; ``--no-write`` measures in full and leaves
the pages as they are. Other options are one measure's own, after its name.

Each is a program of its own and says on which machine, and with which versions, it ran.
One that cannot be run is named with its cure, and the others go on; at the end is a
line for each. Exit status: 0 all is measured, 1 a measure failed, 2 usage, 3 a program
is missing. Other measures have their own names: python -m bench.strangers, and so on.
"""

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from OpenSSL import SSL
from tests.postgres import PLACES

from bench.load_registrations import sipp_version
from bench.server_vs_nginx import cpu_model, say
from linekey.errors import InputError

ROOT = Path(__file__).parents[1]
PAGES = "docs/explanation"
COSTS, QUICK_COSTS = ".cache/bench/costs.json", ".cache/bench/costs-quick.json"
"""What ``plan`` measures and ``avalanche`` compares itself with."""
PEERS = "make peers"
_QUICK, _NO_WRITE = "--quick", "--no-write"
_PATH = os.pathsep.join([PLACES, "/usr/sbin", "/usr/local/sbin"])


@dataclass(frozen=True)
class Measure:
    """One of them."""

    name: str
    what: str
    module: str
    quick: tuple[str, ...]
    """Options that make it short."""
    page: str = ""
    """That it writes; without one it prints."""
    needs: tuple[str, ...] = ()
    """Programs without which it is not run."""
    beside: tuple[str, ...] = ()
    """Programs without which a part of it is left out."""


MEASURES = (
    Measure(
        "servers", "linekey beside nginx: handshakes, connections, large registries",
        "bench", ("--quick",), "performance.md", needs=("nginx",),
    ),
    Measure(
        "plan", "what a phone costs on this machine, and a plan for 100,000",
        "bench.costs", ("--requests", "300", "--connections", "200"),
    ),
    Measure(
        "avalanche", "10,000 phones within 10 s, beside nginx and the plan",
        "bench.avalanche", ("--phones", "300", "--within", "2"),
        "performance-avalanche.md", needs=("nginx",),
    ),
    Measure(
        "resumption", "TLS sessions across workers, and servers behind HAProxy",
        "bench.resumption", ("--phones", "5"), needs=("haproxy",),
    ),
    Measure(
        "registrations", "whole phones register, beside the least that can",
        "bench.registrations", ("--phones", "100", "--rounds", "1"),
        "performance-registrations.md", needs=("kamailio",),
    ),
    Measure(
        "load", "registrations by linekey load, beside SIPp",
        "bench.load_registrations", ("--phones", "60", "--rounds", "1"),
        "performance-load.md", needs=("kamailio",), beside=("sipp",),
    ),
    Measure(
        "sizes", "bytes a row in SQLite and PostgreSQL, and the size of a year",
        "bench.sizes", ("--decisions", "20000", "--phones", "2000"),
        "size-of-a-year.md", needs=("postgres",),
    ),
)  # fmt: skip
BY_NAME = {measure.name: measure for measure in MEASURES}
CURES = {
    "nginx": PEERS,
    "haproxy": PEERS,
    "kamailio": PEERS,
    "postgres": PEERS,
    "sipp": "SIPp from https://github.com/SIPp/sipp, built with -DUSE_SSL=1: Debian's "
    "does not speak TLS",
}
"""How to get a program that is missing."""


@dataclass(frozen=True)
class Chosen:
    """What is to be measured, and how."""

    measures: tuple[Measure, ...]
    quick: bool = False
    write: bool = True
    options: tuple[str, ...] = ()
    """The one measure's own."""


def choose(words: Sequence[str]) -> Chosen:
    """Read the command line. Raises InputError."""
    ours = {word for word in words if word in (_QUICK, _NO_WRITE)}
    rest = [word for word in words if word not in ours]
    count = next((n for n, word in enumerate(rest) if word.startswith("-")), len(rest))
    names, own = rest[:count], rest[count:]
    for name in names:
        if name not in BY_NAME:
            raise InputError(
                f"there is no measure {name!r}", hint=f"one of {', '.join(BY_NAME)}"
            )
    if own and len(names) != 1:
        raise InputError(
            f"{own[0]} is an option of a measure, and not of all of them",
            hint=f'name one before it: make bench ARGS="servers {" ".join(own)}"',
        )
    return Chosen(
        tuple(m for m in MEASURES if not names or m.name in names),
        quick=_QUICK in ours,
        write=not ours,
        options=tuple(own),
    )


def commands(
    measure: Measure, chosen: Chosen, missing: Sequence[str] = (), costs: bool = False
) -> list[list[str]]:
    """Python's arguments, one list for each process.

    ``missing`` are programs beside it that are not there: its page, which may have
    numbers of theirs, is left as it is. ``costs``: there is a file of them.
    """
    file = QUICK_COSTS if chosen.quick else COSTS
    first = ["-m", measure.module]
    if measure.name == "plan":
        first.append(file)
    if measure.name == "avalanche" and costs:
        first += ["--measured", file]
    if chosen.quick:
        first += measure.quick
    if measure.page and (missing or not chosen.write):
        first.append(_NO_WRITE)
    first += chosen.options
    if measure.name != "plan":
        return [first]
    linekey = ["-c", "from linekey.cli.main import main; main()"]
    asked = ["--phones", "100000", "--within", "10m", "--measured", file]
    return [first, [*linekey, "plan", *asked]]


@dataclass(frozen=True)
class Outcome:
    """What became of one."""

    measure: Measure
    seconds: float = 0.0
    exit_code: int = 0
    missing: tuple[str, ...] = ()
    """Programs of ``needs`` or ``beside``."""

    @property
    def was_run(self) -> bool:
        return not set(self.missing) & set(self.measure.needs)


def summary(outcomes: Sequence[Outcome], *, write: bool) -> str:
    """A line for each."""
    lines = []
    for outcome in outcomes:
        measure = outcome.measure
        cures = "; ".join(
            f"{name} is missing: {CURES[name]}" for name in outcome.missing
        )
        if not outcome.was_run:
            lines.append(f"{measure.name:14} not run          {cures}")
            continue
        state, told = "measured", ""
        if outcome.exit_code:
            state, told = "failed", f"exit status {outcome.exit_code}, see above"
        elif outcome.missing:
            state, told = "in part", f"{cures}; its page was left as it is"
        elif measure.page and write:
            told = f"{PAGES}/{measure.page}"
        took = f"{outcome.seconds:.0f} s"
        lines.append(f"{measure.name:14} {state:8} {took:>7} {told}".rstrip())
    return "\n".join(lines)


def status(outcomes: Sequence[Outcome]) -> int:
    """The exit status of all."""
    if any(outcome.missing for outcome in outcomes):
        return 3
    return 1 if any(outcome.exit_code for outcome in outcomes) else 0


def find(name: str) -> str | None:
    """Where a program is, if it is there and good for this."""
    if name == "sipp" and not sipp_version():
        return None
    return shutil.which(name, path=_PATH)


def machine() -> str:
    """The machine, and what linekey runs on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    openssl = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode()
    names = ("linekey", "pyOpenSSL", "cryptography", "uvloop", "httptools")
    parts = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{cpu_model()}, {memory:.0f} GiB; {platform.system()} "
        f"{platform.release().split('-')[0]}; Python {platform.python_version()}, "
        f"{openssl}, SQLite {sqlite3.sqlite_version}; {parts}"
    )


def version_of(name: str) -> str:
    """What a program that is there says of its version."""
    if name == "sipp":
        return f"SIPp {sipp_version()}"
    program = find(name)
    assert program is not None
    words = ["--version"] if name == "postgres" else ["-v"]
    said = subprocess.run(
        [program, *words], capture_output=True, text=True, check=False
    )
    return (said.stdout or said.stderr).split("\n")[0].strip()


def run(measure: Measure, chosen: Chosen) -> Outcome:
    """Run one, with what it says going where this one's does."""
    wanted = (*measure.needs, *measure.beside)
    missing = tuple(name for name in wanted if find(name) is None)
    outcome = Outcome(measure, missing=missing)
    say(f"\n== {measure.name}: {measure.what}")
    if not outcome.was_run:
        say(f"not run: {', '.join(missing)} is missing")
        return outcome
    there = [version_of(name) for name in wanted if name not in missing]
    say("; ".join([machine(), *there]))
    costs = (ROOT / (QUICK_COSTS if chosen.quick else COSTS)).exists()
    begun, code = time.monotonic(), 0
    for words in commands(measure, chosen, missing, costs):
        say(f"python {' '.join(words)}")
        code = subprocess.run(
            [sys.executable, *words], cwd=ROOT, check=False
        ).returncode
        if code:
            break
    return Outcome(measure, time.monotonic() - begun, code, missing)


def main(words: Sequence[str]) -> int:
    if {"-h", "--help"} & set(words) and len(words) == 1:
        rows = "\n".join(f"    {m.name:14} {m.what}" for m in MEASURES)
        sys.stdout.write(f"{__doc__}\n{rows}\n")
        return 0
    try:
        chosen = choose(words)
    except InputError as error:
        say(f"error: {error.message}\nhint: {error.hint}")
        return 2
    (ROOT / COSTS).parent.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    try:
        outcomes.extend(run(measure, chosen) for measure in chosen.measures)
    except KeyboardInterrupt:
        say("\nstopped: what is not in the list below was not measured")
        return 130
    finally:
        say(f"\n{summary(outcomes, write=chosen.write)}")
    return status(outcomes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
