"""``linekey token`` and ``linekey audit``, as they are typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from linekey.cli.main import app


def run(state: Path, *arguments: str) -> Result:
    words = [*arguments, "--state", str(state)]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def run_json(state: Path, *arguments: str) -> Any:
    result = run(state, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_token_is_made_listed_and_revoked(tmp_path: Path) -> None:
    made = run_json(tmp_path, "token", "add", "pbx", "--scope", "admin")
    assert made["name"] == "pbx"
    assert made["token"].startswith("linekey_")
    listed = run(tmp_path, "token", "list")
    assert "pbx  admin  active" in listed.stdout
    assert made["token"] not in listed.output
    assert run(tmp_path, "token", "revoke", "pbx").exit_code == 0
    assert run_json(tmp_path, "token", "list")[0]["state"] == "revoked"
    text = run(tmp_path, "token", "add", "b", "--scope", "read", "--expires", "30d")
    assert text.stdout.strip().startswith("linekey_")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "a b", "--scope", "read"], "not a token's name"),
        (["add", "a", "--scope", "read", "--expires", "soon"], "not a time"),
        (
            ["add", "a", "--scope", "read", "--expires", "2020-01-01"],
            "not a time in the fut",
        ),
        (
            ["add", "a", "--scope", "read", "--expires", "999999w"],
            "not a time in the future",
        ),
        (["add", "a", "--scope", "root"], "--scope"),
        (["revoke", "a"], "no token"),
    ],
)
def test_bad_input_is_2_and_cured(tmp_path: Path, words: list[str], said: str) -> None:
    run(tmp_path, "token", "add", "other", "--scope", "read")
    result = run(tmp_path, "token", *words)
    assert result.exit_code == 2
    assert said in result.output


def test_the_audit_tells_what_commands_did(tmp_path: Path) -> None:
    run(tmp_path, "device", "add", "000413AABBCC", "--model", "D785", "--label", "Hall")
    run(tmp_path, "token", "add", "pbx", "--scope", "read")
    found = run_json(tmp_path, "audit", "--mac", "00:04:13:aa:bb:cc")
    assert found["total"] == 1
    (line,) = found["items"]
    assert (line["action"], line["from"]) == ("add", "command line")
    assert {"what": "label", "from": None, "to": "Hall"} in line["changes"]
    text = run(tmp_path, "audit", "--limit", "1")
    assert "add token pbx" in text.stdout
    assert "1 of 2 changes" in text.stderr


def test_the_audit_of_one_group_has_what_came_to_it_and_what_left_it(
    tmp_path: Path,
) -> None:
    for name in ("acme", "corp"):
        run(tmp_path, "group", "add", name)
    run(tmp_path, "device", "add", "000413AABBCC", "--group", "acme")
    run(tmp_path, "device", "add", "000413AABBCD", "--group", "corp")
    run(tmp_path, "layer", "set", "group:acme", "language=Deutsch")
    run(tmp_path, "device", "set", "000413AABBCC", "--group", "corp")
    found = run_json(tmp_path, "audit", "--group", "ACME")["items"]
    assert [(line["action"], line["subject"]) for line in found] == [
        ("add", "group acme"),
        ("add", "device 000413AABBCC"),
        ("add", "layer group:acme"),
        ("change", "device 000413AABBCC"),
    ]
    assert run(tmp_path, "audit", "--group", "no group").exit_code == 2


def test_a_token_is_limited_to_groups(tmp_path: Path) -> None:
    assert run(tmp_path, "group", "add", "acme").exit_code == 0
    words = ("token", "add", "a", "--scope", "read", "--group", "ACME")
    assert run_json(tmp_path, *words)["groups"] == ["acme"]
    assert "a  read of acme  active" in run(tmp_path, "token", "list").stdout
    wrong = run(tmp_path, "token", "add", "b", "--scope", "read", "--group", "acne")
    assert wrong.exit_code == 2
    assert "did you mean acme?" in wrong.stderr
    assert run(tmp_path, "group", "remove", "acme").exit_code == 0
    assert "a  read of no group  active" in run(tmp_path, "token", "list").stdout
