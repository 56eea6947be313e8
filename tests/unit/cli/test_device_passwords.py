import csv
import json
import stat
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from linekey.cli.device import app
from linekey.mac import Mac
from linekey.store.devices import Devices
from linekey.store.exported import Exported, note_export, registry_revision
from linekey.store.opening import open_store

MACS = [f"000413AABBC{n}" for n in range(3)]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state, table = tmp_path / "state", tmp_path / "first.csv"
    rows = [f"{mac},=1+1,4{n},canary-{n}" for n, mac in enumerate(MACS[:2])]
    rows.append(f"{MACS[2]},none,,")
    table.write_text("mac,label,user_name[1],user_pass[1]\n" + "\n".join(rows))
    run(state, "import", str(table))
    return state


def run(state: Path, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [*words, "--state", str(state)])
    assert result.exit_code == code, result.output
    return result


def passwords(state: Path) -> list[str]:
    with open_store(state) as database:
        layers = [Devices(database).get(Mac(mac)).layer for mac in MACS[:2]]
    return [s.value for layer in layers for s in layer.settings if s.secret]


def test_new_passwords_are_in_a_file_of_its_owners_and_nowhere_else(
    state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new.csv"
    words = ("rotate-passwords", "--all", "--yes", "--with-secrets", str(file))
    done = run(state, *words, "--json")
    found = passwords(state)
    assert "canary" not in str(found)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    header, *rows = csv.reader(file.read_text().splitlines())
    assert header == ["mac", "label", "idx", "user_name", "user_pass"]
    assert rows == [
        [mac, "'=1+1", "1", f"4{n}", found[n]] for n, mac in enumerate(MACS[:2])
    ]
    said = json.loads(done.stdout)
    assert (said["selected"], [one["mac"] for one in said["changed"]]) == (3, MACS[:2])
    assert said["changed"][0]["changes"] == [
        {"what": "setting user_pass[1]", "from": "secret", "to": "changed"}
    ]
    assert not any(password in done.output for password in found)
    again = run(state, *words, code=2)
    assert "cannot write" in again.stderr
    assert passwords(state) == found, "nothing is changed without the file"


def test_a_dry_run_and_a_refusal_change_nothing(state: Path, tmp_path: Path) -> None:
    before = passwords(state)
    said = run(state, "rotate-passwords", "--all", "--dry-run").stdout
    assert "would change 2" in said
    file = tmp_path / "new.csv"
    run(state, "rotate-passwords", "--label", "nobody", "--with-secrets", str(file),
        code=2)  # fmt: skip
    run(state, "rotate-passwords", "--all", code=2)
    run(state, "rotate-passwords", "--all", "--dry-run", "--with-secrets", str(file),
        code=2)  # fmt: skip
    assert not file.exists()
    assert passwords(state) == before
    other = run(state, "rotate-passwords", MACS[0], "--idx", "2")
    assert "without such a password: 1 of 1 phone" in other.stderr
    assert passwords(state) == before


def test_only_servers_that_have_the_old_passwords_are_named(state: Path) -> None:
    words = ("rotate-passwords", "--all", "--yes")
    assert "old passwords" not in run(state, *words).stderr, "nothing was exported"
    with open_store(state) as database:
        now_at = registry_revision(database)
    for peer in ("kamailio", "nginx", "slapd"):
        note_export(state, Exported(peer, f"/etc/{peer}", {}, None, now_at, "then"))
    told = run(state, *words).stderr
    assert "kamailio with /etc/kamailio (then) has the old passwords" in told
    assert "nginx" not in told
    assert "slapd" not in told


@pytest.mark.parametrize(
    ("words", "whom"),
    [
        (f"revoke {MACS[0]}", "it"),
        (f"remove {MACS[0]}", "it"),
        (f"replace {MACS[0]} 000413AABBFF", MACS[0]),
        (f"replace {MACS[0]} 000413AABBFF --json", MACS[0]),
        ("import {less} --sync --allow-removals 2", "the 2 phones removed or revoked"),
        ("import {revoked} --update", "the 1 phone removed or revoked"),
    ],
)
def test_who_is_shut_out_is_said_to_be_let_in_by_exported_servers(
    state: Path, tmp_path: Path, words: str, whom: str
) -> None:
    less, revoked = tmp_path / "less.csv", tmp_path / "revoked.csv"
    less.write_text(f"mac,label\n{MACS[0]},x\n")
    revoked.write_text(f"mac,state\n{MACS[0]},revoked\n")
    for peer in ("kamailio", "nginx"):
        note_export(state, Exported(peer, f"/etc/{peer}", {}, None, 0, "then"))
    line = words.format(less=less, revoked=revoked).split()
    told = run(state, *line).stderr
    assert f"kamailio with /etc/kamailio (then) still lets {whom} in" in told
    assert "nginx" not in told, "it asks linekey each time"
