import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from linekey.cli import device_selection
from linekey.cli.device import app
from linekey.cli.device_selection import read_macs
from linekey.errors import InputError

MACS = [f"000413AABBC{n}" for n in range(6)]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state, table = tmp_path / "state", tmp_path / "first.csv"
    rows = [f"{mac},{'D785' if n < 4 else 'D710'},Room {n}" for n, mac in
            enumerate(MACS)]  # fmt: skip
    table.write_text("mac,model,label\n" + "\n".join(rows))
    assert run(state, "import", str(table)).exit_code == 0
    return state


def run(state: Path, *arguments: str, input: str | None = None) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--state", str(state)], input=input)
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exception
    )
    return result


def listed(state: Path, *options: str) -> list[Any]:
    result = run(state, "list", "--json", *options)
    assert result.exit_code == 0, result.output
    found: list[Any] = json.loads(result.stdout)
    return found


def macs(state: Path, *options: str) -> list[str]:
    return [device["mac"] for device in listed(state, *options)]


def test_a_selection_is_set_after_it_was_agreed_to(state: Path) -> None:
    change = ("set", "--model", "D785", "--set", "language=Deutsch")
    refused = run(state, *change)
    assert refused.exit_code == 2
    assert "this would change 4 phones (--model 'D785')" in refused.stderr
    assert macs(state, "--where", "language=deutsch") == []
    trial = run(state, *change, "--dry-run")
    assert trial.exit_code == 0
    assert f"~ {MACS[0]}  language: 'Deutsch'" in trial.stdout
    assert trial.stdout.endswith("would change 4\n")
    assert macs(state, "--where", "language=deutsch") == []
    done = run(state, *change, "--yes", "--json")
    told = json.loads(done.stdout)
    assert told["selected"] == 4
    assert [one["mac"] for one in told["changed"]] == MACS[:4]
    assert macs(state, "--where", "language=deutsch") == MACS[:4]
    again = run(state, *change, "--yes")
    assert "already so: 4 of 4 phones" in again.stderr


def test_one_phone_needs_no_agreement(state: Path) -> None:
    assert run(state, "revoke", "--label", "Room 2").exit_code == 0
    assert (
        run(state, "set", MACS[3], "--label", "new", "--model", "D735").exit_code == 0
    )
    assert macs(state, "--revoked") == [MACS[2]]
    assert macs(state, "--model", "D735") == [MACS[3]]


def test_the_question_is_asked_at_a_terminal(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal:
        @staticmethod
        def isatty() -> bool:
            return True

    class System:
        stdin = Terminal

    monkeypatch.setattr(device_selection, "sys", System)
    refused = run(state, "revoke", "--model", "D7*", input="n\n")
    assert refused.exit_code == 2
    assert "revoke 6 phones (--model 'D7*')? [y/N]" in refused.stderr
    assert macs(state, "--revoked") == []
    assert run(state, "revoke", "--model", "D7*", input="y\n").exit_code == 0
    assert macs(state, "--revoked") == MACS


def test_a_list_of_macs_is_revoked_and_restored(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "stolen"
    file.write_text(f"mac\n{MACS[1]} # desk 1\n\n00:04:13:aa:bb:c4,D710\n")
    revoked = run(state, "revoke", "--file", str(file), "--yes", "--reason", "lost")
    assert revoked.exit_code == 0
    assert {d["revoked_reason"] for d in listed(state, "--revoked")} == {"lost"}
    assert macs(state, "--where", "state=revoked") == [MACS[1], MACS[4]]
    assert run(state, "restore", "--all", "--yes").exit_code == 0
    assert macs(state, "--revoked") == []
    file.write_text(f"{MACS[1]}\n000413FFFFFF\n")
    refused = run(state, "revoke", "--file", str(file), "--yes")
    assert refused.exit_code == 2
    assert "not registered: 000413FFFFFF" in refused.stderr
    assert macs(state, "--revoked") == [], "none, if not all"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "say which phones"),
        (("--all", "--model", "D785"), "named in two ways"),
        ((MACS[0], "--where", "label=x"), "named in two ways"),
        (("--model", "D799"), "no phone fits --model 'D799'"),
        (("--where", "usr_name[1]=x"), "did you mean user_name"),
        (("--where", "user_pass[1]=x"), "is a secret"),
    ],
)
@pytest.mark.parametrize("verb", ["set", "revoke", "restore"])
def test_what_cannot_be_meant_is_refused(
    state: Path, verb: str, options: tuple[str, ...], reason: str
) -> None:
    result = run(state, verb, *options, "--yes")
    assert result.exit_code == 2
    assert reason in result.stderr
    assert "hint: " in result.stderr


def test_one_that_cannot_be_changed_leaves_all_as_they_were(state: Path) -> None:
    before = listed(state)
    result = run(state, "set", "--all", "--yes", "--new-model", "D9999")
    assert result.exit_code == 2
    assert listed(state) == before


def test_new_values_of_a_selection(state: Path) -> None:
    run(state, "set", "--label", "Room ?", "--yes", "--new-label", "x",
        "--new-model", "D735", "--set", "language=Deutsch")  # fmt: skip
    assert {(d["label"], d["model"]) for d in listed(state)} == {("x", "D735")}
    run(state, "set", "--all", "--yes", "--unset", "language")
    assert macs(state, "--where", "language=") == MACS


def test_a_list_says_the_total_and_how_to_go_on(state: Path) -> None:
    found: list[str] = []
    options: list[str] = []
    for count in (4, 2):
        result = run(state, "list", "--limit", "4", "--sort", "-label", *options)
        found += result.stdout.splitlines()
        assert f"{count} of 6 phones" in result.stderr
        if going_on := re.search(r"--after (\S+)", result.stderr):
            options = ["--after", going_on[1]]
    assert "--after" not in result.stderr
    assert [line.split()[0] for line in found] == MACS[::-1]
    assert "6 phones\n" in run(state, "list").stderr
    assert "4 phones\n" in run(state, "list", "--json", "--search", "d785").stderr
    assert run(state, "list", "--sort", "colour").exit_code == 2
    assert run(state, "list", "--after", "xyz").exit_code == 2
    assert run(state, "list", "--search", "x" * 10_000).exit_code == 2


def test_a_line_that_is_no_mac_is_told_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "list"
    for text, reason in ((f"{MACS[0]}\nnonsense\n", "list:2: "), ("# x\n", "no MAC")):
        file.write_text(text)
        with pytest.raises(InputError, match=reason):
            read_macs(file)
