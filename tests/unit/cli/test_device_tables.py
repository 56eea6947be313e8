import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from linekey.cli.device import app

MAC, OTHER = "000413AABBCC", "000413AABBCD"
CANARY = "canary-password"
NOTHING = {"added": [], "changed": [], "removed": []}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    table = tmp_path / "first.csv"
    table.write_text(
        "mac,model,label,user_name[1],user_pass[1]\n"
        f"{MAC},D785,'=cmd|' /C calc'!A0,4711,{CANARY}\n{OTHER},D710,Hall,,x\n"
    )
    assert run(state, "import", str(table)).exit_code == 0
    return state


def run(state: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--state", str(state)])
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exception
    )
    return result


def lay(state: Path, file: Path, *options: str) -> Any:
    result = run(state, "import", str(file), "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_export_is_imported_without_a_change(state: Path, tmp_path: Path) -> None:
    result = run(state, "export")
    assert "'=cmd|" in result.stdout
    assert "(kept)" in result.stdout
    assert CANARY not in result.output
    file = tmp_path / "phones.csv"
    file.write_bytes(result.stdout_bytes)
    assert lay(state, file, "--sync", "--dry-run") == NOTHING
    assert lay(state, file, "--update") == NOTHING
    again = tmp_path / "again.csv"
    assert run(state, "export", "-o", str(again)).stdout == ""
    assert run(state, "export", "-o", str(again)).exit_code == 0, "replaced"
    assert again.read_bytes() == file.read_bytes()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".again")] == []


def test_secrets_go_into_a_new_file_that_is_nobody_elses(
    state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "secrets.csv"
    result = run(state, "export", "--with-secrets", str(file))
    assert result.exit_code == 0
    assert CANARY not in result.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert CANARY in file.read_text()
    assert lay(state, file, "--sync", "--dry-run") == NOTHING
    before = file.read_bytes()
    refused = run(state, "export", "--with-secrets", str(file))
    assert refused.exit_code == 2
    assert file.read_bytes() == before
    assert run(state, "export", "-o", "/nowhere/x.csv").exit_code == 2


def test_a_difference_is_told_first_and_then_made(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "phones.csv"
    file.write_text(
        f"mac,label,user_pass[1]\n{MAC},Room,{CANARY}2\n000413AABBCE,New,y\n"
    )
    trial = lay(state, file, "--sync", "--dry-run")
    assert trial["added"] == ["000413AABBCE"]
    assert trial["removed"] == [OTHER]
    (changed,) = trial["changed"]
    assert changed["mac"] == MAC
    assert {c["what"]: (c["from"], c["to"]) for c in changed["changes"]} == {
        "label": ("=cmd|' /C calc'!A0", "Room"),
        "setting user_pass[1]": ("secret", "changed"),
    }
    refused = run(state, "import", str(file), "--sync")
    assert refused.exit_code == 2
    assert "1 of 2 phones" in refused.stderr
    assert "--allow-removals 1" in refused.stderr
    told = run(state, "import", str(file), "--sync", "--allow-removals", "1")
    assert told.exit_code == 0
    assert f"+ {'000413AABBCE'}" in told.stdout
    assert f"~ {MAC}  label: \"=cmd|' /C calc'!A0\" → 'Room'" in told.stdout
    assert "user_pass[1]: changed" in told.stdout
    assert f"- {OTHER}" in told.stdout
    assert told.stdout.endswith("added 1, changed 1, removed 1\n")
    assert CANARY not in told.output
    assert lay(state, file, "--sync", "--dry-run") == NOTHING


@pytest.mark.parametrize("text", ["", "mac\n", "mac,label\n\n\n"])
def test_an_empty_file_removes_nobody(state: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "phones.csv"
    file.write_text(text)
    result = run(state, "import", str(file), "--sync", "--allow-removals", "9")
    assert result.exit_code == 2
    assert "hint: " in result.stderr
    assert len(json.loads(run(state, "list", "--json").stdout)) == 2


def test_a_misspelt_column_names_the_nearest(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "phones.csv"
    for title, near in (("modell", "model"), ("stat", "state"), ("labl", "label")):
        file.write_text(f"mac,{title}\n{MAC},x\n")
        result = run(state, "import", str(file), "--sync", "--dry-run", "--json")
        assert result.exit_code == 2
        assert f"did you mean {near}?" in result.stderr


def test_a_bad_row_of_a_sync_is_told_in_json(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "phones.csv"
    file.write_text(f"mac,user_pass[1]\n{MAC},(kept)\n000413AABBCE,(kept)\n")
    result = run(state, "import", str(file), "--update", "--json")
    assert result.exit_code == 2
    (error,) = json.loads(result.stdout)["errors"]
    assert error["line"] == 3
    assert "not registered yet" in error["reason"]


def test_two_ways_at_once_are_refused(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "phones.csv"
    file.write_text("mac\n")
    assert run(state, "import", str(file), "--sync", "--update").exit_code == 2
    result = run(state, "export", "-o", "a", "--with-secrets", "b")
    assert result.exit_code == 2
