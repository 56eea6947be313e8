"""docs/reference/interop.md, from the rows of the last whole run of the live tests.

    python tools/interop_page.py      .cache/interop.jsonl → docs/reference/interop.json

``make interop`` runs the live tests first, with every peer present. The page itself is
made from the committed JSON by `make docs`. ``tests/docs`` holds each row to a call of
``record_interop`` and each call to a row, so neither outlives the other.
"""

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / ".cache" / "interop.jsonl"
ROWS = ROOT / "docs" / "reference" / "interop.json"
TITLES = {
    "nginx": "nginx",
    "haproxy": "HAProxy",
    "apache": "Apache httpd",
    "kamailio": "Kamailio",
    "slapd": "OpenLDAP slapd",
    "freeradius": "FreeRADIUS",
}


def collect(run: Path) -> list[dict[str, str]]:
    """Read a run's rows, each case of a peer once, the last word counting."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for line in run.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows[row["peer"], row["case"]] = row
    return [rows[key] for key in sorted(rows)]


def provenance(now: datetime) -> dict[str, str]:
    """When, of what and on what the run was: to be asked right after it, where it was.

    The commit is the one that was tested, with ``+`` where files were changed since.
    """
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "date": f"{now:%Y-%m-%d}",
        "commit": _git("rev-parse", "--short=12", "HEAD") + ("+" if changed else ""),
        "system": f"{_system()}, {platform.machine()}",
        "python": platform.python_version(),
    }


def _git(*words: str) -> str:
    ran = subprocess.run(
        ["git", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return ran.stdout.strip()


def _system() -> str:
    """``Debian GNU/Linux 12 (bookworm), 12.11``: name, and the point release."""
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return f"{platform.system()} {platform.release()}"
    point = Path("/etc/debian_version")
    return f"{name}, {point.read_text().strip()}" if point.exists() else name


def read() -> tuple[dict[str, str], list[dict[str, str]]]:
    """The committed run: its provenance, and its rows."""
    document = json.loads(ROWS.read_text(encoding="utf-8"))
    return document["run"], document["rows"]


def interop_page() -> str:
    """Return the page."""
    run, rows = read()
    lines = [
        "# What was tried with whom",
        "",
        "<!-- Made by `make docs` from interop.json, which `make interop` writes. -->",
        "",
        "From the last whole run of `tests/live`: the peer, its version as it told it,",
        "the case, and the result. A row is written by the test that shows it, and",
        "only if it passed. How to set each of them up is in [how-to](../howto/).",
        "",
        f"Run on {run['date']} at commit `{run['commit']}`, on {run['system']},",
        f"with Python {run['python']}.",
        "",
    ]
    lines += ["| peer | version | case | result |", "|---|---|---|---|"]
    lines += [
        f"| {TITLES.get(row['peer'], row['peer'])} | {row['version']} | {row['case']} "
        f"| {row['result']} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Put the last run's rows into the committed JSON."""
    if not RUN.exists():
        print("error: there is no run to take over", file=sys.stderr)
        print("hint: make interop", file=sys.stderr)
        sys.exit(3)
    rows = collect(RUN)
    document = {"run": provenance(datetime.now(UTC)), "rows": rows}
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    ROWS.write_text(text, encoding="utf-8")
    print(f"wrote {ROWS.relative_to(ROOT)}: {len(rows)} cases")


if __name__ == "__main__":
    main()
