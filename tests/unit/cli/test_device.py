import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from linekey.cli.device import app
from linekey.mac import Mac
from linekey.store.devices import Devices
from linekey.store.opening import open_store

MAC = "000413AABBCC"
CANARY = "canary-password"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def run(state: Path, *arguments: str, input: str | None = None) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--state", str(state)], input=input)
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exception
    )
    return result


def run_json(state: Path, *arguments: str, input: str | None = None) -> Any:
    result = run(state, *arguments, "--json", input=input)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_phone_is_added_shown_and_listed(state: Path) -> None:
    result = run(
        state, "add", "00:04:13:aa:bb:cc", "--model", "785", "--firmware", "10.1.33.33",
        "--label", "Hall", "--set", "user_name[1]=4711", "--secret", "user_pass[1]",
        input=f"{CANARY}\n",
    )  # fmt: skip
    assert result.exit_code == 0
    assert result.stdout == f"added {MAC}  D785  10.1.33.33  active  'Hall'\n"
    shown = run(state, "show", MAC)
    assert "user_name[1] = 4711" in shown.stdout
    assert "user_pass[1] = (set)" in shown.stdout
    listed = run_json(state, "list")
    assert [device["mac"] for device in listed] == [MAC]
    for result in (shown, run(state, "show", MAC, "--json"), run(state, "list")):
        assert CANARY not in result.output
    with open_store(state) as database:
        layer = Devices(database).get(Mac(MAC)).layer
    assert {s.slot: s.value for s in layer.settings}["user_pass", 1] == CANARY


def test_the_state_is_private(state: Path) -> None:
    run(state, "add", MAC)
    assert [p for p in state.rglob("*") if p.stat().st_mode & 0o077] == []


def test_looking_into_a_state_that_is_not_there_makes_none(state: Path) -> None:
    result = run(state, "list")
    assert result.exit_code == 3
    assert "error: there is no state folder" in result.stderr
    assert "hint: " in result.stderr
    assert result.stdout == ""
    assert not state.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "00:04:13"),
        ("add", MAC, "--model", "D999"),
        ("add", MAC, "--firmware", "ten"),
        ("add", MAC, "--vendor", "snon"),
        ("add", MAC, "--set", CANARY),
        ("add", MAC, "--set", f"user pass={CANARY}"),
        ("add", MAC, "--secret", "user_pass[1]"),
        ("add", MAC, "--digest", "a:b"),
        ("show", MAC),
        ("set", MAC, "--label", "x"),
        ("revoke", MAC),
        ("restore", MAC),
        ("remove", MAC),
        ("token", MAC),
        ("import", "nowhere.csv"),
    ],
)
def test_bad_input_is_told_with_a_cure_and_changes_nothing(
    state: Path, arguments: tuple[str, ...]
) -> None:
    run(state, "add", "000413000001")
    result = run(state, *arguments)
    assert result.exit_code == 2
    assert "error: " in result.stderr
    assert "hint: " in result.stderr
    assert "Traceback" not in result.output
    assert CANARY not in result.output
    assert result.stdout == ""
    assert len(run_json(state, "list")) == 1


def test_adding_twice_is_told(state: Path) -> None:
    run(state, "add", MAC)
    result = run(state, "add", MAC, "--label", "other")
    assert result.exit_code == 2
    assert "registered already" in result.stderr
    assert run_json(state, "show", MAC)["label"] == ""


def test_a_password_on_the_command_line_is_taken_with_a_word(state: Path) -> None:
    result = run(state, "add", MAC, "--set", f"user_pass[1]={CANARY}")
    assert result.exit_code == 0
    assert "--secret 'user_pass[1]'" in result.stderr
    assert CANARY not in result.output


def test_setting_changes_what_is_named_and_nothing_else(state: Path) -> None:
    run(state, "add", MAC, "--model", "D785", "--label", "Hall", "--set", "language=1")
    changed = run_json(
        state, "set", MAC, "--firmware", "10.1.33.33", "--set", "dst=2", "--unset", "language",
        "--generation", "sha256",
    )  # fmt: skip
    assert (changed["model"], changed["label"]) == ("D785", "Hall")
    assert changed["firmware"] == "10.1.33.33"
    assert changed["generations"] == ["sha256"]
    assert changed["layer"]["settings"] == [
        {"name": "dst", "value": "2", "known": True}
    ]
    assert run_json(state, "set", MAC, "--any-generation")["generations"] is None
    missing = run(state, "set", MAC, "--label", "x", "--unset", "language")
    assert missing.exit_code == 2
    assert run_json(state, "show", MAC)["label"] == "Hall"


def test_revoking_and_restoring(state: Path) -> None:
    run(state, "add", MAC)
    assert run(state, "revoke", MAC, "--reason", "stolen").exit_code == 0
    assert "revoked (stolen)" in run(state, "list").stdout
    assert run_json(state, "restore", MAC)["state"] == "active"


def test_a_token_is_shown_once(state: Path) -> None:
    made = run_json(state, "add", MAC, "--token")["token"]
    again = run_json(state, "token", MAC)["token"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", again)
    assert made != again
    shown = run(state, "show", MAC, "--json")
    assert again not in shown.output
    assert json.loads(shown.stdout)["token"] == "unused"
    assert run_json(state, "set", MAC, "--no-token")["token"] == "none"


@pytest.mark.parametrize(("length", "warned"), [(6, True), (9, True), (10, False)])
def test_a_short_digest_password_is_warned_of_and_not_shown(
    state: Path, length: int, warned: bool
) -> None:
    password = "q7Zm2x9KwB"[:length]
    result = run(state, "add", MAC, "--digest", "phone", input=f"{password}\n")
    assert result.exit_code == 0
    assert ("warning: this password has" in result.stderr) is warned
    assert password not in result.stdout + result.stderr


def test_a_digest_user_has_a_password_that_is_never_shown(state: Path) -> None:
    result = run(state, "add", MAC, "--digest", "phone", "--json", input=f"{CANARY}\n")
    assert json.loads(result.stdout)["digest_user"] == "phone"
    assert CANARY not in result.output
    with open_store(state) as database:
        digest = Devices(database).get(Mac(MAC)).digest
    assert digest is not None
    assert digest.realm == "linekey"
    assert run_json(state, "set", MAC, "--no-digest")["digest_user"] is None


def test_removing_forgets_the_phone(state: Path) -> None:
    run(state, "add", MAC)
    assert run_json(state, "remove", MAC) == {"removed": MAC}
    assert run_json(state, "list") == []


def table(tmp_path: Path, text: str) -> str:
    path = tmp_path / "phones.csv"
    path.write_bytes(text.encode("utf-8-sig"))
    return str(path)


def test_importing_registers_every_row(state: Path, tmp_path: Path) -> None:
    file = table(
        tmp_path,
        "mac;model;label;user_name1;user_pass1\r\n"
        f"000413AABBCC;D785;Hall;4711;{CANARY}\r\n"
        "000413AABBCD;D715;;4712;x\r\n",
    )
    dry = run_json(state, "import", file, "--dry-run")
    assert (dry["imported"], dry["would_import"]) == (0, 2)
    assert run_json(state, "list") == []
    result = run(state, "import", file)
    assert result.stdout == "imported 2 phones\n"
    assert CANARY not in result.output
    listed = run_json(state, "list")
    assert [device["model"] for device in listed] == ["D785", "D715"]


def test_one_bad_row_and_nothing_is_imported(state: Path, tmp_path: Path) -> None:
    run(state, "add", "000413AABBCF")
    file = table(
        tmp_path,
        "mac,model,user_pass1\n"
        "000413AABBCC,D785,x\n"
        f"nonsense,D785,{CANARY}\n"
        "000413AABBCD,D9999,x\n"
        "000413aabbcc,,x\n"
        "000413AABBCF,,x\n",
    )
    result = run(state, "import", file, "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert told["imported"] == 0
    assert [error["line"] for error in told["errors"]] == [3, 4, 5, 6]
    assert f"{file}:5: 000413AABBCC is on line 2 already" in result.stderr
    assert f"{file}:6: 000413AABBCF is registered already" in result.stderr
    assert "4 rows cannot be imported, so nothing was imported" in result.stderr
    assert CANARY not in result.output
    assert len(run_json(state, "list")) == 1


def test_phones_that_are_registered_can_be_left_out(
    state: Path, tmp_path: Path
) -> None:
    run(state, "add", MAC, "--label", "kept")
    file = table(tmp_path, f"mac,label\n{MAC},new\n000413AABBCD,new\n")
    told = run_json(state, "import", file, "--skip-registered")
    assert (told["imported"], told["skipped"]) == (1, [MAC])
    assert run_json(state, "show", MAC)["label"] == "kept"


@pytest.mark.parametrize("verb", ["add", "list", "show", "set", "import", "token"])
def test_every_verb_tells_what_it_does(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert "--state" in result.stdout
    assert "--json" in result.stdout


def test_control_characters_are_not_printed(state: Path) -> None:
    run(state, "add", MAC, "--label", "a\x1b[31mb", "--set", "x=\tz")
    assert "\x1b[31m" not in run(state, "list").stdout
    assert "\x1b[31m" not in run(state, "show", MAC).stdout


def test_unknown_settings_and_columns_are_refused(state: Path, tmp_path: Path) -> None:
    refused = run(state, "add", MAC, "--set", "user_name=4711")
    assert refused.exit_code == 2
    assert "user_name[1]" in refused.stderr
    assert run(state, "add", MAC, "--set", "x=1", "--allow-unknown").exit_code == 0
    refused = run(state, "set", MAC, "--set", "setting_serer=x")
    assert (refused.exit_code, "setting_server" in refused.stderr) == (2, True)
    table = tmp_path / "phones.csv"
    table.write_text("mac,Modell,lable\n000413AABBD0,D785,Hall\n")
    refused = run(state, "import", str(table))
    assert refused.exit_code == 2
    assert "did you mean model?" in refused.stderr
    assert "did you mean label?" in refused.stderr
    assert run(state, "import", str(table), "--allow-unknown").exit_code == 0
    shown = run_json(state, "show", "000413AABBD0")["layer"]["settings"]
    assert [entry["known"] for entry in shown] == [False, False]


def test_a_column_of_secrets_is_sealed_and_not_shown(
    state: Path, tmp_path: Path
) -> None:
    table = tmp_path / "phones.csv"
    table.write_text("mac,site_code\n000413AABBD0,canary-7f3a\n")
    given = ("import", str(table), "--secret", "site_code", "--allow-unknown")
    assert run(state, *given).exit_code == 0
    assert "canary-7f3a" not in run(state, "show", "000413AABBD0").output
    stored = b"".join(path.read_bytes() for path in state.glob("*.db*"))
    assert b"canary-7f3a" not in stored
    given = ("import", str(table), "--secret", "site", "--allow-unknown")
    assert run(state, *given).exit_code == 2


def test_a_fusionpbx_export_is_read_by_its_own_names(
    state: Path, tmp_path: Path
) -> None:
    table = tmp_path / "fusion.csv"
    table.write_text(
        "device_uuid,device_mac_address,device_vendor,device_model,device_enabled\n"
        "a1,00-15-65-aa-bb-cc,Yealink,T46S,false\n"
    )
    result = run(state, "import", str(table))
    assert result.exit_code == 0
    assert "device_vendor as vendor" in result.stderr
    assert "1 disabled in the table, revoked here" in result.stderr
    device = run_json(state, "show", "001565AABBCC")
    assert (device["vendor"], device["state"]) == ("yealink", "revoked")
    table.write_text(table.read_text().replace("aa-bb-cc", "aa-bb-cd"))
    assert run_json(state, "import", str(table))["notes"]


def test_a_desk_gets_another_phone(state: Path) -> None:
    new = "000413AABBDD"
    run(state, "add", MAC, "--model", "D785", "--label", "Hall", "--digest", "u",
        "--secret", "user_pass[1]", input="long enough 1\ngeheim\n")  # fmt: skip
    done = run(state, "replace", MAC, new, "--model", "D735")
    assert done.stdout == f"replaced {MAC} by {new}, D735, 'Hall'\n"
    assert f"linekey device set {new} --digest" in done.stderr
    assert f"linekey device rotate-passwords {new}" in done.stderr
    old = run_json(state, "show", MAC)
    assert (old["state"], old["revoked_reason"]) == ("revoked", f"replaced by {new}")
    again = run(state, "replace", MAC, new)
    assert again.exit_code == 2
    assert "registered already" in again.stderr


def test_what_a_certificate_is_worth_after_its_end(state: Path) -> None:
    run_json(state, "add", MAC, "--model", "D785")
    said = run(state, "set", MAC, "--expired", "accept")
    assert "changes nothing yet" in said.output
    shown = run_json(state, "show", MAC)
    assert shown["expired"] == "accept"
    assert shown["registered_at"]
    assert run_json(state, "set", MAC, "--expired", "default")["expired"] is None
    odd = run(state, "set", MAC, "--expired", "named")
    assert odd.exit_code == 2
    assert "refuse, registered, accept" in odd.output
