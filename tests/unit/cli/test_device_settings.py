"""Settings and accounts of a phone of any maker, as they are typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.certificates import ca, ec, leaf
from typer.testing import CliRunner

from linekey.certs.pem import to_pem
from linekey.cli.device import app
from linekey.cli.device_settings import maker_named
from linekey.makers.all import MAKERS

MAC = "001565AABBCC"
CANARY = "canary-password"
SNOM_LIKE = ("snom", "gigaset")
ACCOUNT = f"user=4711,password={CANARY},registrar=pbx.example.com,transport=tls"


def run(state: Path, *arguments: str, input: str | None = None) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--state", str(state)], input=input)
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exception
    )
    return result


def run_json(state: Path, *arguments: str) -> Any:
    result = run(state, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("model", "vendor", "word"),
    [
        ("T46U", "yealink", "account.1.user_name = 4711"),
        ("VVX 450", "poly", 'reg.1.address="4711"'),
        ("grp2614", "grandstream", "<P35>4711</P35>"),
        ("D785", "snom", '<user_name idx="1">4711</user_name>'),
        ("P850", "gigaset", '<user_name idx="1">4711</user_name>'),
    ],
)
def test_one_option_makes_an_account_of_any_maker(
    tmp_path: Path, model: str, vendor: str, word: str
) -> None:
    state = tmp_path / "state"
    added = run(state, "add", MAC, "--model", model, "--account", ACCOUNT)
    assert added.exit_code == 0, added.output
    device = run_json(state, "show", MAC)
    assert device["vendor"] == vendor
    assert all(entry["known"] for entry in device["layer"]["settings"])
    file = run(state, "show", MAC, "--xml")
    assert word in file.stdout
    assert ("names no certificate" in file.stderr) is (vendor not in SNOM_LIKE)
    merged = run(state, "show", MAC, "--merged")
    for said in (added, file, merged, run(state, "show", MAC, "--json")):
        assert CANARY not in said.output
    assert "any.account.password[1] = (set)" in merged.stdout


def test_a_bare_password_is_asked_for_and_several_accounts_are_counted(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    result = run(
        state, "add", MAC, "--model", "T46U", "--account", "user=1,password",
        "--account", "user=2,password", input="one\ntwo\n",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    layer = run_json(state, "show", MAC)["layer"]["settings"]
    assert [(s["name"], s["idx"]) for s in layer] == [
        ("any.account.user", 1), ("any.account.password", 1),
        ("any.account.user", 2), ("any.account.password", 2),
    ]  # fmt: skip
    changed = run(state, "set", MAC, "--account", "number=2,user=3")
    assert changed.exit_code == 0
    layer = run_json(state, "show", MAC)["layer"]["settings"]
    assert {s["idx"]: s["value"] for s in layer if "value" in s} == {1: "1", 2: "3"}


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (("--model", "T46U", "--set", "account.1.lable=x"), "account.1.label"),
        (("--model", "T46U", "--set", "user_name[1]=x"), "no known setting"),
        (("--model", "D785", "--set", "account.1.label=x"), "no known setting"),
        (("--model", "T46U", "--set", "yealnk:account.1.label=x"), "did you mean"),
        (("--model", "T46U", "--set", "any.account.user=x"), "needs its number"),
        (("--model", "T46U", "--set", "any.language=deutsch"), "two letters"),
        (("--model", "T46U", "--account", "usr=1"), "did you mean user"),
        (("--model", "T46U", "--vendor", "poly"), "give the vendor yealink"),
        (
            (
                "--model",
                "T46X",
            ),
            "T46",
        ),
    ],
)
def test_bad_input_is_told_with_a_cure(
    tmp_path: Path, arguments: tuple[str, ...], cure: str
) -> None:
    result = run(tmp_path / "state", "add", MAC, *arguments)
    assert result.exit_code == 2
    assert cure in result.output.replace("\n", " ")
    assert "Traceback" not in result.output


def test_a_makers_own_setting_passes_beside(tmp_path: Path) -> None:
    state = tmp_path / "state"
    run(state, "add", MAC, "--model", "T46U", "--set", "account.1.label=Hall",
        "--set", "static.security.trust_certificates=0")  # fmt: skip
    result = run(state, "show", MAC, "--xml")
    assert "account.1.label = Hall" in result.stdout
    assert "static.security.trust_certificates = 1" in result.stdout
    assert "left out" in result.stderr


def test_whose_a_bare_name_is() -> None:
    assert maker_named("Yealink", None) == "yealink"
    assert maker_named(None, "T46U") == "yealink"
    assert maker_named(None, "D785") == "snom"
    assert maker_named(None, None) is None


ROOT = ca("show root", own=ec("show root"))
BETWEEN = ca("show intermediate", ROOT, own=ec("show intermediate"))
LEAF = leaf(BETWEEN, "prov.test", leaf_key=ec("show leaf"))


def served(state: Path, *, toml: str = "", whole: bool = False) -> None:
    """A state folder whose server has a certificate."""
    state.mkdir(exist_ok=True)
    chain = [LEAF, BETWEEN.certificate, *([ROOT.certificate] if whole else [])]
    (state / "chain.pem").write_text("".join(map(to_pem, chain)))
    (state / "root.pem").write_text(to_pem(ROOT.certificate))
    (state / "linekey.toml").write_text(f'certificate = "chain.pem"\n{toml}')


NAMED = '[trust_anchor]\nfile = "root.pem"\n'


@pytest.mark.parametrize("how", [{"whole": True}, {"toml": NAMED}])
def test_the_root_of_the_servers_chain_is_shown(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    state = tmp_path / "state"
    run(state, "add", MAC, "--model", "T46U")
    served(state, **how)
    file = run(state, "show", MAC, "--xml")
    url = f"/certificates/{ROOT.certificate.sha256}.der"
    assert f"static.trusted_certificates.url = https://localhost:8443{url}" in (
        file.stdout
    )
    assert file.stderr == ""
    (held,) = run_json(state, "show", MAC, "--merged")["merged"]["certificates"]
    assert (held["sha256"], held["from"]) == (ROOT.certificate.sha256, "server")


def test_a_root_that_nobody_has_is_said_with_its_cure(tmp_path: Path) -> None:
    state = tmp_path / "state"
    run(state, "add", MAC, "--model", "VVX450")
    served(state)
    file = run(state, "show", MAC, "--xml")
    assert "the root above" in file.stderr
    assert "trust_anchor.file" in file.stderr
    served(state, toml='[trust_anchor]\nfile = "gone.pem"\n')
    file = run(state, "show", MAC, "--xml")
    assert file.exit_code == 0
    assert "gone.pem" in file.stderr
    served(state, toml="[trust_anchor]\nin_files = false\n")
    assert "no CA is in this file" in run(state, "show", MAC, "--xml").stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("P35=4711", "no known setting of Yealink"),
        ("reg.1.address=4711", "no known setting of Yealink"),
        ("account.1.label=a\nlinekey.1.type = 15", "a value is one line"),
        ("account.1.label=#hash", "begins with #"),
        ("account.1.label= blank", "begins or ends with a blank"),
        ("any.account.label[1]=a\nb", "a value is one line"),
        ("yealink:account.1.label=a\nb", "a value is one line"),
    ],
)
def test_what_no_file_of_the_phones_maker_can_carry_is_refused(
    tmp_path: Path, setting: str, said: str
) -> None:
    state = tmp_path / "state"
    adding = run(state, "add", MAC, "--model", "T46U", "--set", setting)
    assert adding.exit_code == 2, adding.output
    assert said in adding.stderr
    assert "hint:" in adding.stderr
    run(state, "add", MAC, "--model", "T46U")
    changing = run(state, "set", MAC, "--set", setting)
    assert (changing.exit_code, said in changing.stderr) == (2, True)
    taken = run(state, "set", MAC, "--set", setting, "--allow-unknown")
    assert taken.exit_code == 0, taken.output


@pytest.mark.parametrize("model", ["T46U", "VVX450", "GRP2614"])
def test_what_it_can_carry_comes_back_as_it_was(tmp_path: Path, model: str) -> None:
    state = tmp_path / "state"
    label = 'Jürgen "Q" & <Söhne> #1 = ok'
    added = run(state, "add", MAC, "--model", model, "--set",
                f"any.account.label[1]={label}")  # fmt: skip
    assert added.exit_code == 0, added.output
    file = run(state, "show", MAC, "--xml").stdout.encode()
    maker = MAKERS[run_json(state, "show", MAC)["vendor"]]
    terms, _ = maker.terms_of(maker.grammar.read(file).lines)
    assert [t.value for t in terms if t.name == "any.account.label"] == [label]


def test_a_block_of_another_maker_is_said(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert (
        "is a block of Poly"
        in run(state, "add", "0004F2AABBCC", "--model", "T46U").stderr
    )
    assert run(state, "add", MAC, "--model", "T46U").stderr == ""
