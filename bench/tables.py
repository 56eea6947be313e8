"""``python -m bench.tables``: what verbs about a whole fleet cost, on SQLite.

Each verb runs as a process of its own, as an operator runs it; told are its time, its
CPU time (for a machine that has other work, too) and the most memory it held.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from linekey.certs.build import issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import to_pem
from linekey.mac import Mac
from linekey.store.decisions import COLUMNS, LogEntry, statements
from linekey.store.opening import open_store

_START = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.tables")
    parser.add_argument("--phones", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        table = place / "phones.csv"
        write_table(table, given.phones)
        print(f"{'':42} {'time':>8} {'CPU':>8} {'memory':>8}")
        back = str(place / "back.csv")
        run(place, "device", "import", str(table))
        run(place, "device", "export", "-o", back)
        run(place, "device", "import", back, "--sync", "--dry-run", "--json")
        run(place, "device", "set", "--all", "--set", "language=English", "--yes")
        run(place, "device", "set", "--where", "language=english", "--new-label", "x",
            "--yes")  # fmt: skip
        run(place, "device", "list")
        run(place, "device", "list", "--json")
        run(place, "device", "list", "--search", "x", "--sort", "label", "--limit", "9")
        chain = place / "chain.pem"
        chain.write_text(to_pem(a_chain()))
        run(place, "forecast", "--also", f"prov.example.com={chain}", findings=True)
        run(place, "forecast", "--chain", str(chain), "--json", findings=True)
        write_log(place / "state", given.lines, given.phones)
        run(place, "log", "--limit", "0")
        run(place, "log", "--limit", "0", "--json")
    return 0


def a_chain() -> Certificate:
    """A server's certificate that signed itself, as short as a chain can be."""
    return issue(
        Name.build([("CN", "prov.example.com")]), new_key(), None, serial=1,
        not_before=_START, not_after=_START + timedelta(days=3650),
        dns_names=("prov.example.com",),
    )  # fmt: skip


def run(place: Path, *verb: str, findings: bool = False) -> None:
    """Run a verb and print what it cost; ``findings``: it may end with 1."""
    state = {"LINEKEY_STATE": str(place / "state")}
    took, cpu, memory = cost(list(verb), state, findings=findings)
    name = " ".join(word for word in verb if not word.startswith(str(place)))
    print(f"{name:42} {took:7.1f}s {cpu:7.1f}s {memory:5.0f} MiB", flush=True)


# From a small process: what is started counts the memory of who starts it as its own.
_MEASURED = """
import os, subprocess, sys, time
began = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(process.returncode, time.monotonic() - began, used.ru_utime + used.ru_stime,
      used.ru_maxrss)
"""


def cost(
    verb: list[str], environment: dict[str, str], *, findings: bool = False
) -> tuple[float, float, float]:
    """Run a verb; seconds, CPU seconds, and the most MiB that it held."""
    command = [str(Path(sys.executable).with_name("linekey")), *verb]
    process = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    if process.returncode:
        raise SystemExit(f"{' '.join(verb)}: {process.stderr}")
    code, took, cpu, memory = map(float, process.stdout.split())
    if code and not (findings and code == 1):
        raise SystemExit(f"{' '.join(verb)}: {process.stderr}")
    return took, cpu, memory / 1024


def write_table(path: Path, phones: int) -> None:
    """A table as a provider has it: eight settings a phone, one of them a secret."""
    numbers = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        file.write(
            "mac,model,label,user_name[1],user_pass[1],user_host[1],user_realname[1],"
            "language,timezone,admin_mode,http_port\n"
        )
        for n in range(phones):
            file.write(
                f"000413{n:06X},D785,Room {n},{n},p{numbers.getrandbits(80):x},"
                f"pbx.example.com,Name {n},Deutsch,GER+1,on,80\n"
            )


def write_log(state: Path, lines: int, phones: int) -> None:
    """Write decisions of a fleet into the log, as fast as SQLite takes them."""
    first = LogEntry(
        at=_START,
        kind="decision",
        outcome="granted",
        reason="own_file",
        peer="192.0.2.1",
        tls_version="TLSv1.2",
        suite="ECDHE-RSA-AES128-GCM-SHA256",
        resource="D785-000413000000.xml",
        status=200,
        user_agent="Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33)",
        vendor="snom",
    )
    assert len(COLUMNS) == len(first.values())
    with open_store(state) as database:
        raw = database.raw_connection()
        raw.execute("BEGIN")
        for start in range(0, lines, 10_000):
            rows = [
                replace(
                    first,
                    at=_START + timedelta(seconds=n),
                    mac=Mac(f"000413{n % phones:06X}"),
                ).values()
                for n in range(start, min(start + 10_000, lines))
            ]
            for statement, values in statements(rows, "?"):
                raw.execute(statement, values)
        raw.execute("COMMIT")
        raw.close()


if __name__ == "__main__":
    sys.exit(main())
