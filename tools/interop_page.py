"""docs/reference/interop.md, from the rows of the last whole run of the live tests.

    python tools/interop_page.py      .cache/interop.jsonl → docs/reference/interop.json

``make interop`` runs the live tests first, with every peer present. The page itself is
made from the committed JSON by `make docs`.
"""

import json
import sys
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


def interop_page() -> str:
    """Return the page."""
    rows = json.loads(ROWS.read_text(encoding="utf-8"))
    lines = [
        "# What was tried with whom",
        "",
        "<!-- Made by `make docs` from interop.json, which `make interop` writes. -->",
        "",
        "From the last whole run of `tests/live`: the peer, its version as it told it,",
        "the case, and the result. A row is written by the test that shows it, and",
        "only if it passed. How to set each of them up is in [how-to](../howto/).",
        "",
        "| peer | version | case | result |",
        "|---|---|---|---|",
    ]
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
    text = json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    ROWS.write_text(text, encoding="utf-8")
    print(f"wrote {ROWS.relative_to(ROOT)}: {len(rows)} cases")


if __name__ == "__main__":
    main()
