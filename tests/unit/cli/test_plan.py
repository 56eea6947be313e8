"""``linekey plan``: what it says, its JSON, and what it refuses with the cure."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from tests.unit.plan.test_capacity import COSTS
from typer.testing import CliRunner

from linekey.cli.plan import app
from linekey.errors import LinekeyError
from linekey.lab import measure as measuring
from linekey.plan.costs import Costs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "costs.json"
    path.write_text(COSTS.as_json())
    return path


def run(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exception
    )
    return result


def test_a_plan_says_servers_memory_waits_and_rows(file: Path) -> None:
    result = run("--phones", 10_000, "--within", "1m", "--measured", file)
    assert result.exit_code == 0, result.output
    for words in (
        "measured on a machine, 2026-11-29, by a test",
        "1.50 ms of CPU, a later one 1.50 ms, resumed 0.65 ms",
        "10,000 phones, each with 2 connections within 60 s",
        "servers       2, 1 of them spare, each with 4 cores",
        "MiB for linekey on each",
        "in 99 of 100 cases",
        "20,000 on an ordinary day",
    ):
        assert words in result.stdout, result.stdout


def test_the_same_as_json_with_what_was_assumed(file: Path) -> None:
    result = run(
        "--phones", 10_000, "--within", "60s", "--measured", file, "--json",
        "--resumed", 100, "--spare", 0, "--cores", 1, "--uneven", 0,
    )  # fmt: skip
    document = json.loads(result.stdout)
    assert document["costs"]["whole_ms"] == 1.5
    assert document["asked"]["phones"] == 10_000
    assert document["asked"]["resumed"] == 1.0
    assert (document["servers"], document["cores"]) == (1, 1)
    assert document["wait_99_s"] <= document["asked"]["wait_s"]
    assert document["rows_a_day"] == 20_000
    assert document["busy"] == pytest.approx(0.35, rel=0.1)


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        ((), "how many phones", "--phones N"),
        (("--phones", 0), "", ""),
        (("--phones", 9_999_999), "not between 1 and 1,000,000", "one site"),
        (("--phones", 5, "--within", "soon"), "not a length of time", "10m"),
        (("--phones", 5, "--within", "0s"), "not a length of time", "10m"),
        (("--phones", 5, "--wait", "-1s"), "not a length of time", "10m"),
        (("--phones", 5, "--measured", "/nonexistent"), "cannot read", "name"),
        (
            ("--phones", 5, "--measured", "x", "--measure", "y"),
            "anew",
            "one of the two",
        ),
        (("--phones", 5, "--cores", 0), "", ""),
        (("--phones", 5, "--resumed", 101), "", ""),
        (("--phones", 5, "--asks-a-day", "inf"), "requests a day", "24 for once"),
        (
            ("--phones", 5, "--keep-days", 10**20),
            "days that decisions",
            "log.keep_days",
        ),
        (("--phones", 10**6, "--connections", 20), "20,000,000 is not", "one site"),
    ],
)
def test_what_makes_no_plan_is_refused(
    words: tuple[object, ...], said: str, hint: str
) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert hint in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("text", ["", "{}", "[]", "\x00\xff", '{"format": 1}'])
def test_a_file_that_holds_no_costs_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(text, encoding="latin-1")
    result = run("--phones", 5, "--measured", path)
    assert result.exit_code == 2
    assert "linekey plan --measure FILE" in result.stderr


def test_without_simpy_it_says_how_to_get_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "simpy", None)
    result = run("--phones", 5, "--measured", file)
    assert result.exit_code == 2
    assert "SimPy, which is not installed" in result.stderr
    assert "pip install 'linekey[plan]'" in result.stderr


def test_measuring_writes_a_file_that_is_read_again_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "costs.json"
    other = replace(COSTS, whole_ms=3.0)
    monkeypatch.setattr(measuring, "measure", lambda: other)
    result = run("--measure", path)
    assert result.exit_code == 0, result.output
    assert "a later one 3.00 ms" in result.stdout
    assert "servers" not in result.stdout
    assert Costs.parse(path.read_text(), "f") == other
    again = run("--measure", path)
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    both = run("--measure", tmp_path / "b.json", "--phones", 100, "--json")
    assert json.loads(both.stdout)["costs"]["whole_ms"] == 3.0
    nowhere = run("--measure", tmp_path / "none" / "x.json")
    assert nowhere.exit_code == 3
    assert "cannot write" in nowhere.stderr
    assert "measuring this" not in nowhere.stderr, "20 s for nothing"


def test_one_phone_is_not_called_phones(file: Path) -> None:
    told = run("--phones", 1, "--connections", 1, "--measured", file, "--keep-days", 1)
    assert "1 phone, each with 1 connection within" in told.stdout
    assert "with 1 phone\n" in told.stdout
    assert "with 1 connection open" in told.stdout
    assert "in 1 day (SQLite" in told.stdout


def test_a_simulation_that_takes_long_says_so(file: Path) -> None:
    told = run("--phones", 510_000, "--connections", 1, "--within", "1s", "--wait", "1s",
               "--cores", 1, "--measured", file)  # fmt: skip
    assert "simulating 510,000 connections" in told.stderr


def test_a_machine_that_cannot_be_measured_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> Costs:
        raise LinekeyError("a phone got no answer", hint="measure again")

    monkeypatch.setattr(measuring, "measure", fail)
    result = run("--phones", 5)
    assert result.exit_code == 3
    assert "measure again" in result.stderr
