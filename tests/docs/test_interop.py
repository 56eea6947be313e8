"""docs/reference/interop.json and the live tests name the same cases.

The calls of ``record_interop`` are read as source: a case is a literal, or an f-string
whose values may be anything; a peer that is a variable may be any.
"""

import ast
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from tools.interop_page import interop_page, provenance, read

ROOT = Path(__file__).parents[2]
LIVE = ROOT / "tests" / "live"
ANY = ".+"
CLONE = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="no clone of the repository, so no commit"
)


@dataclass(frozen=True)
class Call:
    """One ``record_interop(peer, case, result)``, each as a regular expression."""

    where: str
    peer: str
    case: str
    result: str

    def writes(self, row: dict[str, str]) -> bool:
        return all(
            re.fullmatch(getattr(self, name), row[name])
            for name in ("peer", "case", "result")
        )


def pattern(node: ast.expr) -> str:
    """What text the expression may be."""
    match node:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=parts):
            return "".join(pattern(part) for part in parts)
        case _:
            return ANY


@cache
def calls() -> tuple[Call, ...]:
    found = []
    for path in sorted(LIVE.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id != "record_interop":
                continue
            peer, case, *rest = map(pattern, node.args)
            where = f"{path.name}:{node.lineno}"
            found.append(Call(where, peer, case, rest[0] if rest else "works"))
    return tuple(found)


def test_each_call_says_its_case_where_it_stands() -> None:
    assert len(calls()) > 30
    for call in calls():
        assert call.case != ANY, f"{call.where}: write the case into the call"


def test_each_row_is_written_by_a_test_that_is_still_there() -> None:
    _, rows = read()
    stale = [row for row in rows if not any(call.writes(row) for call in calls())]
    assert stale == [], "run make interop"


def test_each_case_of_the_tests_has_its_row() -> None:
    _, rows = read()
    missing = [c.where for c in calls() if not any(c.writes(row) for row in rows)]
    assert missing == [], "run make interop"


@CLONE
def test_a_run_says_when_of_what_and_on_what() -> None:
    told = provenance(datetime(2026, 1, 2, tzinfo=UTC))
    assert told["date"] == "2026-01-02"
    assert re.fullmatch(r"[0-9a-f]{12}\+?", told["commit"])
    assert all(told.values())


@CLONE
def test_the_page_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = provenance(datetime(2026, 1, 2, tzinfo=UTC))
    monkeypatch.setattr("tools.interop_page.read", lambda: (told, []))
    page = interop_page()
    assert f"Run on 2026-01-02 at commit `{told['commit']}`" in page
    assert told["system"] in page
