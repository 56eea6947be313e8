"""``linekey user``, as it is typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from linekey.cli.main import app
from linekey.store.users import LINK_FOR

PASSWORD = "correct horse battery\n"


def run(state: Path, *words: str, given: str = "") -> Result:
    result = CliRunner().invoke(
        app, ["user", *words, "--state", str(state)], input=given,
        env={"COLUMNS": "200"},
    )  # fmt: skip
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def run_json(state: Path, *words: str, given: str = "") -> Any:
    result = run(state, *words, "--json", given=given)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_user_is_added_changed_listed_and_revoked(tmp_path: Path) -> None:
    made = run(tmp_path, "add", "anna", "--role", "helpdesk", given=PASSWORD)
    assert made.stdout == "added anna, helpdesk\n"
    assert run_json(tmp_path, "role", "anna", "admin")["role"] == "admin"
    new = run(tmp_path, "password", "anna", given="another good password\n")
    assert new.stdout == "anna has a new password\n"
    assert run_json(tmp_path, "list")[0]["password"] is True
    assert run(tmp_path, "password", "anna", "--none").exit_code == 0
    assert "anna  admin  active  last log-in never" in run(tmp_path, "list").stdout
    assert run_json(tmp_path, "revoke", "anna")["state"] == "revoked"


def test_a_link_is_at_the_console_of_the_settings(tmp_path: Path) -> None:
    made = run_json(tmp_path, "add", "anna", "--role", "viewer", "--link")
    assert made["link"].startswith("http://127.0.0.1:8480/console/link?token=")
    (tmp_path / "linekey.toml").write_text(
        '[console]\nurl = "https://pbx.example.com"\n'
    )
    link = run(tmp_path, "link", "anna", "--expires", "2h")
    assert link.stdout.startswith("https://pbx.example.com/console/link?token=")
    assert "logs anna in once" in link.stderr


def test_the_help_says_how_long_a_link_works() -> None:
    said = CliRunner().invoke(app, ["user", "link", "--help"], env={"COLUMNS": "200"})
    assert f"Default: {LINK_FOR.seconds // 60}m." in said.stdout


def test_a_user_of_an_identity_provider(tmp_path: Path) -> None:
    refused = run(tmp_path, "add", "anna", "--role", "viewer", "--subject", "u1")
    assert refused.exit_code == 2
    assert "console.oidc.issuer" in refused.stderr
    (tmp_path / "linekey.toml").write_text(
        '[console]\nurl = "https://pbx.example.com"\n'
        '[console.oidc]\nissuer = "https://id.example.com"\nclient_id = "linekey"\n'
    )
    made = run_json(tmp_path, "add", "anna", "--role", "viewer", "--subject", "u1")
    assert (made["issuer"], made["subject"]) == ("https://id.example.com", "u1")
    assert run_json(tmp_path, "subject", "anna")["subject"] is None
    told = run(tmp_path, "subject", "anna", "u2").stdout
    assert told == "anna is 'u2' at https://id.example.com\n"


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (["add", "a b", "--role", "admin"], PASSWORD, "not a user's name"),
        (["add", "a", "--role", "viwer"], PASSWORD, "did you mean viewer?"),
        (["add", "a", "--role", "admin"], "short\n", "12 to 1,024"),
        (["add", "a", "--role", "admin"], "", "no value for"),
        (["add", "a", "--role", "admin", "--group", "acme"], PASSWORD, "no group"),
        (["role", "bem", "admin"], "", "did you mean ben?"),
        (["role", "ben", "admin", "--group", "a", "--all-groups"], "", "one of them"),
        (["link", "ben", "--expires", "2020-01-01"], "", "not a time in the future"),
        (["revoke", "xaver"], "", "no user"),
    ],
)
def test_bad_input_is_2_and_cured(
    tmp_path: Path, words: list[str], given: str, said: str
) -> None:
    run(tmp_path, "add", "ben", "--role", "viewer", given=PASSWORD)
    result = run(tmp_path, *words, given=given)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "hint: " in result.stderr
