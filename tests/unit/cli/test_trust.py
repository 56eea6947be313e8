import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

import linekey.store.vendor_cas
from linekey.catalog.authorities import ALL_CAS
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.name import Name
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.cli.trust import app

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEY = new_key("rsa", 1024)


def make(
    name: str, issuer: Issuer | None = None, *, ca: bool | None = True, days: int = 9999
) -> Certificate:
    return issue(
        Name.build([("CN", name)]), KEY, issuer, serial=7, not_before=AT, hash="sha1",
        not_after=AT + timedelta(days=days), ca=ca,
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
    assert "had already" in run(state, "add", path).stdout


def test_a_ca_that_the_catalogue_has_is_known_and_not_warned_of(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snom = ALL_CAS[0]
    monkeypatch.setattr(linekey.store.vendor_cas, "known_ca", lambda _: snom)
    result = run(state, "add", file(tmp_path, ROOT))
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
    assert "its root is not in the list" in result.stderr
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
