import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.certificates import certificate, ec
from typer.testing import CliRunner

from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.cli.device import app as device_app
from linekey.cli.layer import app
from linekey.provisioning.document import merge
from linekey.provisioning.render import render
from linekey.store.layers import Layers, Scope
from linekey.store.opening import open_store

MAC = "000413AABBCC"
CANARY = "canary-password"
AT = datetime(2026, 1, 1, tzinfo=UTC)
CA = certificate("Our server CA", ec("ca"), ca=True)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    added = CliRunner().invoke(
        device_app, ["add", MAC, "--model", "D785", "--state", str(state)]
    )
    assert added.exit_code == 0
    return state


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


def test_layers_are_laid_over_each_other(state: Path) -> None:
    run(state, "set", "fleet", "language=fleet", "timezone=fleet", "dst=fleet")
    run(state, "set", "model:D785", "timezone=model", "dst=model")
    run(state, "set", f"device:{MAC}", "dst=device")
    run(state, "key", "fleet", "0", "speed", "4711", "--label", "Reception")
    merged = run_json(state, "show", f"device:{MAC}", "--merged")
    values = {s["name"]: s["value"] for s in merged["settings"]}
    assert values == {"language": "fleet", "timezone": "model", "dst": "device"}
    assert merged["function_keys"][0]["label"] == "Reception"
    own = run_json(state, "show", f"device:{MAC}")
    assert [s["name"] for s in own["settings"]] == ["dst"]
    assert run(state, "list").stdout.splitlines() == [
        "fleet  3 settings, 1 function key",
        "model:D785  2 settings",
    ]


def test_a_secret_comes_from_a_pipe_and_is_never_shown(state: Path) -> None:
    result = run(
        state, "set", "fleet", "--secret", "admin_mode_password", "--secret",
        "http_client_pass", input=f"{CANARY}-1\n{CANARY}-2\n",
    )  # fmt: skip
    assert result.exit_code == 0
    shown = run(state, "show", "fleet")
    assert "admin_mode_password = (set)" in shown.stdout
    for printed in (result, shown, run(state, "show", "fleet", "--json")):
        assert CANARY not in printed.output
    assert b"canary" not in b"".join(p.read_bytes() for p in state.glob("*.db*"))


def test_what_is_unset_is_gone(state: Path) -> None:
    run(state, "set", "fleet", "language=1", "user_name[1]=2")
    assert run_json(state, "unset", "fleet", "user_name[1]")["settings"] == [
        {"name": "language", "value": "1", "known": True}
    ]
    run(state, "key", "fleet", "3", "line")
    assert run_json(state, "key", "fleet", "3", "--remove")["function_keys"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "fleets", "language=1"),
        ("set", "device:000413000009", "language=1"),
        ("set", "fleet"),
        ("set", "fleet", "timezone=2", "nonsense"),
        ("set", "fleet", "timezone=2", "user_name[13]=x"),
        ("set", "fleet", "user_name[0]=x"),
        ("set", "fleet", "timezone=2", "--perm", "X"),
        ("unset", "fleet", "language", "timezone"),
        ("key", "fleet", "0"),
        ("key", "fleet", "0", "two words"),
        ("key", "fleet", "9", "--remove"),
        ("certificate", "fleet"),
        ("certificate", "fleet", "nowhere.pem"),
        ("certificate", "fleet", "--remove", "0011223344"),
        ("show", "model:X"),
    ],
)
def test_bad_input_is_told_with_a_cure_and_changes_nothing(
    state: Path, arguments: tuple[str, ...]
) -> None:
    before = run_json(state, "set", "fleet", "language=1")
    result = run(state, *arguments)
    assert result.exit_code == 2
    assert "error: " in result.stderr
    assert "hint: " in result.stderr
    assert result.stdout == ""
    assert run_json(state, "show", "fleet")["settings"] == before["settings"]


def test_certificates_come_as_pem_or_der_and_go_by_fingerprint(
    state: Path, tmp_path: Path
) -> None:
    pem, der = tmp_path / "ca.pem", tmp_path / "ca.der"
    pem.write_text(to_pem(CA))
    der.write_bytes(CA.der)
    for file in (pem, der):
        found = run_json(state, "certificate", "fleet", str(file))["certificates"]
        assert [c["sha256"] for c in found] == [CA.sha256]
    assert "Our server CA" in run(state, "show", "fleet").stdout
    gone = run_json(state, "certificate", "fleet", "--remove", CA.sha256[:12])
    assert gone["certificates"] == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        to_pem(CA).encode()[:200],
        CA.der[:-5],
        private_key_to_pem(ec("ca")),
        to_pem(CA).encode() + b"-----BEGIN CERTIFICATE-----\nAAAA\n"
        b"-----END CERTIFICATE-----\n",
    ],
    ids=["empty", "junk", "cut PEM", "cut DER", "key", "second one broken"],
)
def test_a_broken_certificate_file_changes_nothing(
    state: Path, tmp_path: Path, data: bytes
) -> None:
    good, broken = tmp_path / "good.pem", tmp_path / "broken.pem"
    good.write_text(to_pem(CA))
    broken.write_bytes(data)
    result = run(state, "certificate", "fleet", str(good), str(broken))
    assert result.exit_code == 2
    assert str(broken) in result.stderr.replace("\n", "")
    assert run_json(state, "show", "fleet")["certificates"] == []


def test_the_key_is_rotated_and_all_still_opens(state: Path) -> None:
    run(state, "set", "fleet", "--secret", "admin_mode_password", input="x\n")
    before = (state / "keys" / "database.key").read_text()
    rotated = run_json(state, "rotate-key")
    assert (rotated["sealed"], rotated["done"], rotated["prepared"]) == (1, True, None)
    assert (state / "keys" / "database.key").read_text() != before
    assert "(set)" in run(state, "show", "fleet").stdout


def test_a_rotation_in_steps_says_what_is_next(state: Path) -> None:
    run(state, "set", "fleet", "--secret", "admin_mode_password", input="x\n")
    keys = run_json(state, "rotate-key", "--status")["keys"]
    assert [(key["role"], key["rows"]) for key in keys] == [("in use", 1)]
    prepared = run(state, "rotate-key", "--prepare")
    assert "nothing is encrypted with it yet" in prepared.stdout
    status = run(state, "rotate-key", "--status")
    assert status.exit_code == 1
    assert "prepared, 0 rows" in status.stdout
    assert "none has started yet" in status.stdout
    assert "rotate-key --finish" in status.stderr
    done = run(state, "rotate-key", "--finish")
    assert done.exit_code == 0
    assert "encrypted 1 record with the key" in done.stdout
    assert f"--forget {keys[0]['id']}" in done.stderr.replace("\n", " ")
    assert run(state, "rotate-key", "--status").exit_code == 0
    forgotten = run(state, "rotate-key", "--forget", keys[0]["id"])
    assert forgotten.exit_code == 0, forgotten.stderr
    assert [k["role"] for k in run_json(state, "rotate-key", "--status")["keys"]] == [
        "in use"
    ]
    secret = (state / "keys" / "database.key").read_text().split()[1]
    for said in (prepared, status, done, forgotten):
        assert secret not in said.stdout + said.stderr


def test_a_prepared_key_is_given_up(state: Path) -> None:
    run(state, "set", "fleet", "language=Deutsch")
    before = (state / "keys" / "database.key").read_text()
    made = run_json(state, "rotate-key", "--prepare")
    assert run_json(state, "rotate-key", "--cancel")["cancelled"] == made["key"]
    assert (state / "keys" / "database.key").read_text() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--finish"], "no new key is prepared"),
        (["--cancel"], "no new key is prepared"),
        (["--prepare", "--finish"], "one step can be done at a time"),
        (["--status", "--cancel"], "one step can be done at a time"),
        (["--without", "phones2"], "--without needs --finish"),
        (["--forget", "junk"], "has no key 'junk'"),
        (["--forget", ""], "has no key ''"),
    ],
)
def test_a_step_out_of_turn_is_refused_with_the_cure(
    state: Path, words: list[str], said: str
) -> None:
    run(state, "set", "fleet", "language=Deutsch")
    before = (state / "keys" / "database.key").read_text()
    result = run(state, "rotate-key", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "hint:" in result.stderr
    assert "Traceback" not in result.stderr
    assert (state / "keys" / "database.key").read_text() == before


@pytest.mark.parametrize(
    ("setting", "near"),
    [
        ("setting_serer=x", "setting_server"),
        ("user_name=4711", "user_name[1]"),
        ("user_name1=4711", "user_name[1]"),
        ("Language=Deutsch", "language"),
        ("language[2]=Deutsch", "language"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest_known_name(
    state: Path, setting: str, near: str
) -> None:
    result = run(state, "set", "fleet", setting)
    assert result.exit_code == 2
    assert f"did you mean {near}?" in result.stderr
    assert "--allow-unknown" in result.stderr
    assert run_json(state, "show", "fleet")["settings"] == []
    secret = run(state, "set", "fleet", "--secret", setting.partition("=")[0])
    assert secret.exit_code == 2
    assert run(state, "set", "fleet", setting, "--allow-unknown").exit_code == 0
    shown = run(state, "show", "fleet").stdout
    assert "not a known setting" in shown
    assert run_json(state, "show", "fleet")["settings"][0]["known"] is False


def common_file(state: Path, model: str | None = "D785") -> str:
    with open_store(state) as database:
        fleet = Layers(database).get(Scope.fleet())
        own = Layers(database).get(Scope.model("D785"))
    merged = merge(fleet, own) if model else merge(fleet)
    return render(
        merged, firmware=None, mac=None, model=model, blank_secrets=True,
        certificate_url=lambda c: c.sha256,
    ).decode()  # fmt: skip


def stored(state: Path) -> bytes:
    return b"".join(p.read_bytes() for p in state.glob("*.db*"))


@pytest.mark.parametrize("name", ["snmp_community", "x_site_code", "user_pasword[1]"])
def test_the_operators_word_on_a_secret_is_kept(state: Path, name: str) -> None:
    given = ("set", "model:D785", "--secret", name, "--allow-unknown")
    first = run(state, *given, input=f"{CANARY}-1\n")
    assert first.exit_code == 0
    assert "left out of files for more than one phone: it is a secret" in first.stderr
    # Given again without the option, in this layer and in another, it stays a secret.
    for number, layer in enumerate(("model:D785", "fleet", f"device:{MAC}"), 2):
        again = run(state, "set", layer, f"{name}={CANARY}-{number}", "--allow-unknown")
        assert again.exit_code == 0
    for scope in ("model:D785", "fleet", f"device:{MAC}"):
        for more in ((), ("--json",), ("--merged",)):
            shown = run(state, "show", scope, *more).output
            assert CANARY not in shown
            assert "secret" in shown
    assert CANARY.encode() not in stored(state)
    assert CANARY not in common_file(state)
    assert run_json(state, "marks") == [name.partition("[")[0]]
    refused = run(state, "set", "fleet", "--public", name)
    assert refused.exit_code == 2
    assert "unmark" in refused.stderr


def test_a_mark_needs_no_second_word(state: Path) -> None:
    first = run(state, "set", "model:D785", "--secret", "snmp_community", input="x\n")
    assert first.exit_code == 0
    assert run_json(state, "marks") == ["snmp_community"]
    given = ("set", "fleet", "x_note=hello", "--public", "x_note")
    assert run(state, *given).exit_code == 0
    assert "hello" in common_file(state)
    near = run(state, "set", "fleet", "--secret", "admin_mode_pasword", input="x\n")
    assert near.exit_code == 2
    assert "did you mean admin_mode_password?" in near.stderr


def test_what_linekey_does_not_know_is_in_no_common_file_unless_let_in(
    state: Path,
) -> None:
    result = run(state, "set", "fleet", "x_note=hello", "language=x", "--allow-unknown")
    assert "x_note is left out of files for more than one phone" in result.stderr
    assert "allow it with --public 'x_note'" in result.stderr
    assert "language is left out" not in result.stderr
    assert "hello" not in common_file(state)
    assert "<language>" in common_file(state)
    assert run(state, "set", "fleet", "--public", "x_note").exit_code == 0
    assert "hello" in common_file(state)
    again = run_json(state, "set", "fleet", "x_note=world", "--allow-unknown")
    assert again["settings"][0]["mark"] == "public"
    assert "world" in common_file(state)


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("admin_mode_password=x", "admin_mode_password"),
        ("setting_server=https://u:p@h/", "setting_server"),
        (None, "not_there"),
    ],
)
def test_what_is_a_secret_cannot_be_made_public(
    state: Path, setting: str | None, name: str
) -> None:
    given = [setting] if setting else []
    result = run(state, "set", "fleet", *given, "--public", name)
    assert result.exit_code == 2
    assert run_json(state, "show", "fleet")["settings"] == []


def test_the_operators_word_wins_over_a_guess(state: Path) -> None:
    run(state, "set", "fleet", "secretary_line=4711", "--allow-unknown")
    assert "secretary_line = (set)" in run(state, "show", "fleet").stdout
    assert run(state, "set", "fleet", "--public", "secretary_line").exit_code == 0
    assert "4711" in run(state, "show", "fleet").stdout
    assert "4711" in common_file(state)


def test_a_mark_is_taken_back_for_the_next_value(state: Path) -> None:
    run(state, "set", "fleet", "--secret", "phone_name", input=f"{CANARY}\n")
    assert run(state, "unmark", "phone_name").exit_code == 0
    assert run(state, "unmark", "phone_name").exit_code == 2
    assert CANARY not in run(state, "show", "fleet").output
    run(state, "unset", "fleet", "phone_name")
    run(state, "set", "fleet", "phone_name=Hall")
    assert "Hall" in common_file(state)


def test_a_function_keys_value_may_be_a_secret(state: Path) -> None:
    set_ = run(state, "key", "fleet", "3", "dtmf", "--secret", input=f"{CANARY}\n")
    assert set_.exit_code == 0
    assert CANARY not in run(state, "show", "fleet").output + common_file(state)
    assert CANARY.encode() not in stored(state)
    shown = run(state, "key", "fleet", "3", "dtmf", "x", "--secret")
    assert shown.exit_code == 2
