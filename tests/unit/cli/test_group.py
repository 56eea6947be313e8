import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.certificates import certificate, ec
from typer.testing import CliRunner

from linekey.cli import device, group, layer, trust

MAC, OTHER = "000413AABBCC", "000413AABBCD"
VERBS = {"group": group.app, "device": device.app, "layer": layer.app,
         "trust": trust.app}  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def run(state: Path, verb: str, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(VERBS[verb], [*words, "--state", str(state)])
    assert result.exit_code == code, result.output
    return result


def said(state: Path, verb: str, *words: str) -> Any:
    return json.loads(run(state, verb, *words, "--json").stdout)


def test_a_group_is_made_changed_shown_and_removed(state: Path, tmp_path: Path) -> None:
    ca = certificate("Customer CA", ec("customer"), ca=True)
    file = tmp_path / "ca.der"
    file.write_bytes(ca.der)
    run(state, "trust", "add", str(file))
    words = ("--note", "ACME Ltd.", "--ca", ca.sha256[:12])
    made = said(state, "group", "add", "ACME", *words)
    assert made == {
        "name": "acme", "note": "ACME Ltd.", "vendor_cas": [ca.sha256],
        "policies": {}, "phones": 0,
    }  # fmt: skip
    run(state, "device", "add", MAC, "--model", "D785", "--group", "acme")
    run(state, "layer", "set", "group:acme", "language=Deutsch")
    shown = run(state, "group", "show", "acme").stdout
    assert "Customer CA" in shown
    assert "language = Deutsch" in shown
    line = run(state, "group", "list").stdout
    assert line == "acme  1 phone  1 of the CAs  'ACME Ltd.'\n"
    changed = said(
        state, "group", "set", "acme", "--any-ca", "--policy", "blanked_for_shared=on"
    )
    assert (changed["vendor_cas"], changed["note"]) == (None, "ACME Ltd.")
    assert changed["policies"] == {"blanked_for_shared": "on"}
    assert "--ungroup" in run(state, "group", "remove", "acme", code=2).stderr
    assert said(state, "group", "remove", "acme", "--ungroup")["phones"] == 1
    assert said(state, "device", "show", MAC)["group"] is None


def test_bad_input_is_told(state: Path) -> None:
    run(state, "group", "add", "acme")
    for words in (
        ("add", "a b"), ("show", "nobody"), ("set", "acme", "--ca", "abcdefgh"),
        ("set", "acme", "--ca", "ab" * 32, "--any-ca"),
        ("set", "acme", "--policy", "x=on"), ("add", "acme"),
    ):  # fmt: skip
        assert "hint:" in run(state, "group", *words, code=2).stderr
    run(state, "device", "add", MAC, "--group", "acne", code=2)
    run(state, "layer", "set", "group:acne", "language=Deutsch", code=2)


def test_phones_are_put_into_groups_by_hand_by_selection_and_by_table(
    state: Path, tmp_path: Path
) -> None:
    run(state, "group", "add", "acme")
    run(state, "group", "add", "beta")
    table = tmp_path / "phones.csv"
    table.write_text(f"mac,model,group\n{MAC},D785,Acme\n{OTHER},D785,\n")
    run(state, "device", "import", str(table))
    assert [d["group"] for d in said(state, "device", "list")] == ["acme", None]
    assert run(state, "device", "list", "--group", "acme").stdout.split()[-1] == "acme"
    out = run(state, "device", "export").stdout
    table.write_text(out)
    nothing = {"added": [], "changed": [], "removed": []}
    assert said(state, "device", "import", str(table), "--sync") == nothing
    table.write_text(out.replace("acme", "acne"))
    bad = CliRunner().invoke(
        device.app, ["import", str(table), "--sync", "--state", str(state)]
    )
    assert bad.exit_code == 2
    assert ":2: there is no group 'acne' — did you mean acme?" in bad.stderr
    run(state, "device", "set", "--group", "acme", "--new-group", "beta")
    run(state, "device", "set", OTHER, "--group", "acme")
    groups = [d["group"] for d in said(state, "device", "list", "--sort", "group")]
    assert groups == ["acme", "beta"]
    run(state, "device", "set", "--all", "--new-group", "", "--yes")
    assert said(state, "device", "list", "--group", "*e*") == []


def test_each_value_says_which_layer_it_is_from(state: Path) -> None:
    run(state, "group", "add", "acme")
    run(state, "device", "add", MAC, "--model", "D785", "--group", "acme")
    for scope, setting in (
        ("fleet", "language"), ("group:acme", "language"), ("group:acme", "timezone"),
        ("model:D785", "timezone"), ("group:acme", "admin_mode"),
    ):  # fmt: skip
        run(state, "layer", "set", scope, f"{setting}={scope}")
    merged = said(state, "device", "show", MAC, "--merged")["merged"]["settings"]
    assert {s["name"]: s["from"] for s in merged} == {
        "language": "group:acme", "timezone": "model:D785", "admin_mode": "group:acme",
    }  # fmt: skip
    by_layer = said(state, "layer", "show", f"device:{MAC}", "--merged")["settings"]
    assert [s["value"] for s in by_layer] == [s["value"] for s in merged]
    xml = run(state, "device", "show", MAC, "--xml").stdout
    assert "group:acme" in xml
    assert "fleet" not in xml
