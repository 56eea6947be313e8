import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result
from typer.testing import CliRunner

from linekey.cli.device import app as device_app
from linekey.cli.layer import app as layer_app

MAC = "000413AABBCC"
CANARY = "canary-password"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    for words in (
        ("add", MAC, "--model", "D785", "--firmware", "10.1.33.33",
         "--set", "language=English", "--set", f"user_pass[1]={CANARY}"),
    ):  # fmt: skip
        assert run(state, *words).exit_code == 0
    for words in (
        ("set", "fleet", "language=Deutsch", "timezone=GER+1", "admin_mode=off"),
        ("set", "model:D785", "timezone=USA-5"),
        ("key", "fleet", "0", "speed", "4711"),
    ):
        result = CliRunner().invoke(layer_app, [*words, "--state", str(state)])
        assert result.exit_code == 0, result.output
    return state


def run(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(device_app, [*arguments, "--state", str(state)])


def test_each_setting_is_shown_with_the_layer_it_is_from(state: Path) -> None:
    result = run(state, "show", MAC, "--merged")
    told = {tuple(line.split()) for line in result.stdout.splitlines()}
    for source, entry in (
        ("fleet", "admin_mode = off"), ("device", "language = English"),
        ("model:D785", "timezone = USA-5"), ("fleet", "key 0: speed 4711"),
        ("device", "user_pass[1] = (set)"),
    ):  # fmt: skip
        assert (source, *entry.split()) in told
    assert "Deutsch" not in result.stdout
    merged = json.loads(run(state, "show", MAC, "--merged", "--json").stdout)["merged"]
    assert {s["name"]: s["from"] for s in merged["settings"]} == {
        "language": "device", "timezone": "model:D785", "admin_mode": "fleet",
        "user_pass": "device",
    }  # fmt: skip
    assert [key["from"] for key in merged["function_keys"]] == ["fleet"]
    assert CANARY not in json.dumps(merged)


def test_the_file_is_shown_with_stars_for_its_secrets(state: Path) -> None:
    result = run(state, "show", MAC, "--xml")
    assert result.exit_code == 0, result.output
    root = ElementTree.fromstring(result.stdout)
    settings = {e.tag: e.text for e in root.iter()}
    assert settings["timezone"] == "USA-5"
    assert set(settings["user_pass"] or "") == {"*"}
    assert CANARY not in result.output
    assert run(state, "show", MAC, "--xml", "--json").exit_code == 2
