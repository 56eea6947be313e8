import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

import linekey.provisioning.ca_rules
import linekey.store.vendor_cas
from linekey.catalog.authorities import ALL_CAS
from linekey.certs.build import HashName, Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.cli.trust import app

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEY = new_key("rsa", 1024)


def make(
    name: str,
    issuer: Issuer | None = None,
    *,
    ca: bool | None = True,
    days: int = 9999,
    o: str = "Some",
    hash: HashName = "sha1",
    **more: Any,
) -> Certificate:
    return issue(
        Name.build([("O", o), ("CN", name)]), KEY, issuer, serial=7, not_before=AT,
        not_after=AT + timedelta(days=days), ca=ca, hash=hash, **more,
    )  # fmt: skip


ROOT = make("Some Root CA")
INTERMEDIATE = make("Some Intermediate", Issuer(ROOT, KEY))
LEAF = make("000413AABBCC", Issuer(ROOT, KEY), ca=None)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def run(state: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--state", str(state)])
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exception
    )
    return result


def run_json(state: Path, *arguments: str) -> Any:
    result = run(state, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def file(tmp_path: Path, *certificates: Certificate, der: bool = False) -> str:
    path = tmp_path / f"{certificates[0].sha1}{'.der' if der else '.pem'}"
    data = certificates[0].der if der else "".join(map(to_pem, certificates)).encode()
    path.write_bytes(data)
    return str(path)


def test_a_bundle_is_added_described_and_listed(state: Path, tmp_path: Path) -> None:
    result = run(state, "add", file(tmp_path, INTERMEDIATE, ROOT))
    assert result.exit_code == 0
    assert "added root  Some Root CA" in result.stdout
    assert "added intermediate  Some Intermediate" in result.stdout
    assert "sha1" in result.stdout
    assert "NOT KNOWN" in result.stdout
    assert f"SHA-256 {ROOT.sha256}" in result.stdout
    assert f"until {ROOT.not_after:%Y-%m-%d}" in result.stdout
    assert result.stderr.count("does not know this CA") == 2
    listed = run_json(state, "list")
    assert [ca["role"] for ca in listed] == ["root", "intermediate"]
    assert listed[0]["sha256"] == ROOT.sha256


def test_der_is_fine_and_adding_twice_says_so(state: Path, tmp_path: Path) -> None:
    path = file(tmp_path, ROOT, der=True)
    assert run_json(state, "add", path)[0]["new"] is True
    assert run_json(state, "add", path)[0]["new"] is False
    assert "already there" in run(state, "add", path).stdout


def test_a_ca_that_the_catalogue_has_is_known_and_not_warned_of(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snom = ALL_CAS[0]
    monkeypatch.setattr(linekey.store.vendor_cas, "known_ca", lambda _: snom)
    monkeypatch.setattr(linekey.provisioning.ca_rules, "known_ca", lambda _: snom)
    named = make(snom.name, o=snom.organization)
    result = run(state, "add", file(tmp_path, named))
    assert "snom, sha1" in result.stdout
    assert "NOT KNOWN" not in result.stdout
    assert "warning" not in result.stderr
    assert run_json(state, "list")[0]["known_as"] == snom.name


def test_a_phones_certificate_is_refused_and_nothing_is_added(
    state: Path, tmp_path: Path
) -> None:
    result = run(state, "add", file(tmp_path, ROOT), file(tmp_path, LEAF))
    assert result.exit_code == 2
    assert "000413AABBCC" in result.stderr
    assert "hint: give the vendor's root and intermediates" in result.stderr
    run(state, "add", file(tmp_path, INTERMEDIATE))
    assert len(run_json(state, "list")) == 1


def test_an_intermediate_without_its_root_and_an_expired_ca_are_warned_of(
    state: Path, tmp_path: Path
) -> None:
    result = run(state, "add", file(tmp_path, INTERMEDIATE))
    assert "no path from CN=Some Intermediate" in result.stderr
    assert "its issuer is not in the list: CN=Some Root CA,O=Some" in result.stderr
    result = run(state, "add", file(tmp_path, make("Old Root", days=1)))
    assert "expired on 2026-01-02" in result.stderr.replace("\n", " ")


def test_a_private_key_in_the_file_is_warned_of_and_not_kept(
    state: Path, tmp_path: Path
) -> None:
    path = tmp_path / "both.pem"
    path.write_bytes(to_pem(ROOT).encode() + private_key_to_pem(KEY))
    result = run(state, "add", str(path))
    assert result.exit_code == 0
    assert "holds a private key" in result.stderr
    assert "PRIVATE" not in result.stdout


@pytest.mark.parametrize("data", [b"", b"junk", ROOT.der[:-9], private_key_to_pem(KEY)])
def test_a_file_without_a_certificate_is_told(
    state: Path, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "x.pem"
    path.write_bytes(data)
    result = run(state, "add", str(path))
    assert result.exit_code == 2
    assert "error: " in result.stderr
    assert "PRIVATE" not in result.output


def test_a_ca_is_removed_by_its_fingerprint(state: Path, tmp_path: Path) -> None:
    run(state, "add", file(tmp_path, ROOT))
    assert run(state, "remove", "0011223344").exit_code == 2
    assert run_json(state, "remove", ROOT.sha256[:16])["sha256"] == ROOT.sha256
    empty = run(state, "list")
    assert empty.stdout == ""
    assert "linekey trust add" in empty.stderr


# Whose rule the phones of a CA follow


OWN = "for your own CA, --rule cn-mac"


def test_a_ca_without_a_rule_is_warned_of_with_the_way_out(
    state: Path, tmp_path: Path
) -> None:
    result = run(state, "add", file(tmp_path, ROOT))
    assert result.exit_code == 0
    said = " ".join(result.stderr.split())
    assert "phones of this CA will be refused: CN=Some Root CA,O=Some" in said
    assert f"linekey trust set {ROOT.sha256[:16]} --vendor VENDOR" in said
    assert "--rule cn-mac" in said
    (listed,) = run_json(state, "list")
    assert (listed["rule"], listed["rule_by"]) == (None, None)
    assert "phones: refused: nothing says" in run(state, "list").stdout


@pytest.mark.parametrize("rule", ["cn-mac", "st-mac", "shared"])
def test_a_ca_of_ones_own_has_the_rule_that_is_said(
    state: Path, tmp_path: Path, rule: str
) -> None:
    result = run(state, "add", file(tmp_path, ROOT), "--rule", rule)
    assert result.exit_code == 0
    assert result.stderr == ""
    (listed,) = run_json(state, "list")
    assert (listed["rule"], listed["rule_by"], listed["vendor"]) == (
        rule, "operator", "own",
    )  # fmt: skip
    assert "registered for any vendor" in run(state, "list").stdout


def test_a_vendors_rule_is_followed_by_name(state: Path, tmp_path: Path) -> None:
    assert run(state, "add", file(tmp_path, ROOT), "--vendor", "Panasonic").stderr == ""
    (listed,) = run_json(state, "list")
    assert (listed["rule"], listed["vendor"]) == ("shared", "panasonic")
    assert "of panasonic, no MAC" in run(state, "list").stdout


def test_a_rule_can_be_changed_and_taken_back(state: Path, tmp_path: Path) -> None:
    path = file(tmp_path, ROOT)
    run(state, "add", path)
    changed = run(state, "add", path, "--rule", "cn-mac", "--vendor", "snom")
    assert "changed root  Some Root CA" in changed.stdout
    assert "of snom, MAC in the CN, as you said" in changed.stdout
    assert "already there" in run(state, "add", path).stdout
    assert run_json(state, "list")[0]["rule"] == "cn-mac"
    assert (
        run_json(state, "set", ROOT.sha1[:12], "--rule", "st-mac")["rule"] == "st-mac"
    )
    result = run(state, "set", ROOT.sha256, "--no-rule")
    assert "set root  Some Root CA" in result.stdout
    assert "will be refused" in result.stderr
    assert run_json(state, "list")[0]["rule"] is None


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--vendor", "panasonik"], "unknown vendor: 'panasonik'", "mean panasonic"),
        (["--vendor", "acme"], "unknown vendor: 'acme'", OWN),
        (["--vendor", "audiocodes"], "where audiocodes puts the MAC", "add --rule"),
        (["--vendor", "a b", "--rule", "cn-mac"], "not a vendor's name", "at most 32"),
        (["--rule", "dn-mac"], "dn-mac", "cn-mac"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(
    state: Path, tmp_path: Path, words: list[str], message: str, hint: str
) -> None:
    result = run(state, "add", file(tmp_path, ROOT), *words)
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("\u2502", " ").split())
    assert message in said
    assert hint in said
    assert not state.exists() or run_json(state, "list") == []


@pytest.mark.parametrize("words", [[], ["--no-rule", "--rule", "cn-mac"]])
def test_to_set_nothing_or_two_things_is_refused(
    state: Path, tmp_path: Path, words: list[str]
) -> None:
    run(state, "add", file(tmp_path, ROOT))
    result = run(state, "set", ROOT.sha256, *words)
    assert result.exit_code == 2
    assert "--no-rule" in result.stderr


def test_a_name_of_ones_own_is_told_what_it_means(state: Path, tmp_path: Path) -> None:
    words = ("--vendor", "snon", "--rule", "cn-mac")
    result = run(state, "add", file(tmp_path, ROOT), *words)
    said = " ".join(result.stderr.split())
    assert "linekey does not know the vendor 'snon' (did you mean snom?)" in said
    assert "any vendor" in said


def test_md5_is_called_md5(state: Path, tmp_path: Path) -> None:
    root = make("VPN", o="Grandstream Networks", hash="md5")
    result = run(state, "add", file(tmp_path, root))
    assert "grandstream, md5, RSA-1024" in result.stdout
    assert "sha1" not in result.stdout
    (listed,) = run_json(state, "list")
    assert (listed["generation"], listed["signature_hash"]) == (None, "md5")
    assert listed["rule"] == "cn-mac"


def test_what_is_missing_above_an_intermediate_is_named_and_no_root(
    state: Path, tmp_path: Path
) -> None:
    top = make("Polycom Root CA")
    policy = make("Polycom Equipment Policy CA", Issuer(top, KEY))
    issuing = make("Polycom Equipment Issuing CA 1", Issuer(policy, KEY))
    said = " ".join(run(state, "add", file(tmp_path, issuing)).stderr.split())
    assert (
        "its issuer is not in the list: CN=Polycom Equipment Policy CA,O=Some" in said
    )
    assert "its root" not in said.replace("only with its root", "")
    said = " ".join(run(state, "add", file(tmp_path, policy)).stderr.split())
    assert "its issuer is not in the list: CN=Polycom Root CA,O=Some" in said
    said = " ".join(run(state, "add", file(tmp_path, issuing)).stderr.split())
    assert (
        "the issuer of CN=Polycom Equipment Policy CA,O=Some is not in the list" in said
    )
    assert "no path" not in run(state, "add", file(tmp_path, top)).stderr
    assert "no path" not in run(state, "add", file(tmp_path, issuing)).stderr


def test_a_root_of_the_right_name_that_did_not_sign_is_told(
    state: Path, tmp_path: Path
) -> None:
    other = new_key("rsa", 1024)
    posing = issue(ROOT.subject, other, None, serial=9, not_before=AT, hash="sha1",
                   not_after=AT + timedelta(days=9999), ca=True)  # fmt: skip
    result = run(state, "add", file(tmp_path, INTERMEDIATE, posing))
    assert "no path from CN=Some Intermediate" in result.stderr


def test_a_ca_for_another_purpose_is_warned_of(state: Path, tmp_path: Path) -> None:
    root = make("Yealink Equipment Issuing CA", extended_key_usage=["codeSigning"])
    result = run(state, "add", file(tmp_path, root))
    assert "will be refused" in result.stderr
    assert "codeSigning" in result.stderr


def test_what_phones_get_after_the_end_is_set_and_shown(
    state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(to_pem(ROOT))
    run(state, "add", str(file), "--rule", "cn-mac")
    word = ROOT.sha256[:16]
    assert run_json(state, "set", word, "--expired", "registered")["expired"] == (
        "registered"
    )
    assert "expired certificates: registered" in run(state, "list").stdout
    assert run_json(state, "set", word, "--pending", "waiting")["expired"] == (
        "registered"
    )
    assert run_json(state, "set", word, "--expired", "default")["expired"] is None
    odd = run(state, "set", word, "--expired", "always")
    assert odd.exit_code == 2
    assert "refuse, named, registered, accept" in odd.output
