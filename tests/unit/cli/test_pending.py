import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.pending import EVIL, A, B, C, came, note
from typer.testing import CliRunner

from linekey.cli import audit, device, group, pending, trust
from linekey.store.database import open_database
from linekey.store.paths import StateDir

VERBS = {
    "pending": pending.app, "device": device.app, "group": group.app,
    "audit": audit.app, "trust": trust.app,
}  # fmt: skip


def run(state: Path, verb: str, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(VERBS[verb], [*words, "--state", str(state)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def said(state: Path, verb: str, *words: str) -> Any:
    return json.loads(run(state, verb, *words, "--json").stdout)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    root = tmp_path / "state"
    with open_database(StateDir.open(root)) as database:
        lines = [came(A), came(B, user_agent=EVIL), came(C, vendor="yealink")]
        asyncio.run(note(database, *lines))
    return root


def test_a_phone_is_listed_shown_approved_and_on_record(state: Path) -> None:
    lines = run(state, "pending", "list").stdout.splitlines()
    assert len(lines) == 3
    assert "\x1b" not in str(lines)
    shown = said(state, "pending", "show", str(A))
    assert (shown["model"], shown["model_by"], shown["count"]) == (
        "D785",
        "user_agent",
        1,
    )
    assert shown["code"] in run(state, "pending", "show", str(A)).stdout
    out = run(
        state, "pending", "approve", "00:04:13:aa:bb:00", "--label", "Hall 2"
    ).stdout
    assert f"approved {A}  code {shown['code']}  D785 Hall 2" in out
    (made,) = said(state, "device", "list")
    assert (made["mac"], made["label"], made["model"]) == (str(A), "Hall 2", "D785")
    assert len(said(state, "pending", "list")) == 2
    change = said(state, "audit", "--mac", str(A))["items"][0]
    assert "pending" in [one["what"] for one in change["changes"]]
    bad = run(state, "pending", "approve", str(A), code=2).stderr
    assert f"not pending: {A}" in bad


def test_many_are_decided_on_at_once_and_only_if_agreed(state: Path) -> None:
    run(state, "group", "add", "acme")
    words = ("approve", "--vendor", "snom", "--group", "acme", "--as-model", "D715")
    assert "--yes agrees" in run(state, "pending", *words, code=2).stderr
    tried = said(state, "pending", *words, "--dry-run")
    assert (tried["selected"], tried["dry_run"]) == (2, True)
    assert said(state, "device", "list") == []
    done = said(state, "pending", *words, "--yes")
    assert {one["mac"] for one in done["items"]} == {str(A), str(B)}
    assert {d["group"] for d in said(state, "device", "list")} == {"acme"}


def test_a_refused_phone_is_listed_as_such_until_it_is_forgotten(state: Path) -> None:
    run(state, "pending", "refuse", str(C), "--reason", "=cmd|' /c calc'!A1")
    out = run(state, "pending", "list", "--refused").stdout
    assert out.count("\n") == 1
    assert "refused" in out
    run(state, "pending", "forget", "--all", "--yes")
    assert len(said(state, "pending", "list")) == 1, (
        "a refusal is not forgotten by --all"
    )
    run(state, "pending", "forget", str(C))
    assert said(state, "pending", "list") == []


def test_the_list_filters_and_goes_on(state: Path, tmp_path: Path) -> None:
    code = said(state, "pending", "show", str(B))["code"]
    assert [p["mac"] for p in said(state, "pending", "list", "--code", code)] == [
        str(B)
    ]
    assert [p["mac"] for p in said(state, "pending", "list", "--search", "script")] == [
        str(B)
    ]
    file = tmp_path / "macs.txt"
    file.write_text(f"{A}\n{B}\n")
    assert len(said(state, "pending", "list", "--file", str(file))) == 2
    first = run(state, "pending", "list", "--limit", "2")
    cursor = first.stderr.split("--after ")[1].split()[0]
    assert "2 of 3" in first.stderr
    rest = run(state, "pending", "list", "--limit", "2", "--after", cursor).stdout
    assert rest.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("approve",), "a selection is"),
        (("approve", str(A), "--all"), "give one of them alone"),
        (("approve", "--code", "4711"), ""),
        (("approve", "xyz"), "12 hex digits"),
        (("approve", str(A), "--group", "nobody"), "group"),
        (("approve", str(A), "--as-model", "D999"), "models"),
        (("approve", "--vendor", "poly"), "list"),
        (("list", "--after", "x"), "without a cursor"),
        (("list", "--model", "\x1b"), "control"),
        (("show", "000413FFFFFF"), "pending list"),
        (("refuse", "000413FFFFFF", str(A), "--yes"), "pending list"),
    ],
)
def test_bad_input_is_told_and_changes_nothing(
    state: Path, words: tuple[str, ...], hint: str
) -> None:
    assert hint in run(state, "pending", *words, code=2).stderr
    assert len(said(state, "pending", "list")) == 3
    assert said(state, "device", "list") == []


def test_a_ca_has_a_policy_of_its_own(state: Path, tmp_path: Path) -> None:
    from tests.certificates import certificate, ec

    ca = certificate("Customer CA", ec("customer"), ca=True)
    file = tmp_path / "ca.der"
    file.write_bytes(ca.der)
    run(state, "trust", "add", str(file), "--rule", "cn-mac")
    words = ("set", ca.sha256[:12], "--pending")
    assert said(state, "trust", *words, "waiting")["pending"] == "waiting"
    assert "unregistered phones: waiting" in run(state, "trust", "list").stdout
    (listed,) = said(state, "trust", "list")
    assert (listed["pending"], listed["rule"]) == ("waiting", "cn-mac")
    assert said(state, "trust", *words, "default")["pending"] is None
    assert "one of refuse" in run(state, "trust", *words, "maybe", code=2).stderr
