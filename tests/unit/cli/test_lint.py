"""``linekey lint``: exit statuses, JSON, text, and bad input."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.certificates import certificate, ec
from tests.unit.lint import files
from typer.testing import CliRunner

from linekey.certs.pem import to_pem
from linekey.cli.lint import app


def run(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exception
    )
    return result


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def test_nothing_that_counts_is_0_and_findings_are_1(tmp_path: Path) -> None:
    good = put(tmp_path, "805ec0a1b2c3.cfg", files.YEALINK_GOOD)
    bad = put(tmp_path, "805ec0a1b2c4.cfg", files.YEALINK_BAD)
    assert run(good).exit_code == 0
    assert "1 file, 0 warnings, 0 notes" in run(good).output
    said = run(good, bad)
    assert said.exit_code == 1
    assert "line 17: static.security.trust_certificates = 0" in said.stdout
    assert "cure: set static.security.trust_certificates to 1" in said.stdout
    assert "(M)" in said.stdout
    for secret in files.SECRETS:
        assert secret not in said.output
    shown = document(run(good, bad, "--json"))
    assert shown["warnings"] > 10
    assert shown["rules"]["verify.chain"] == 1
    first, second = shown["files"]
    assert (first["findings"], second["maker"]) == ([], "yealink")
    assert {"rule", "line", "setting", "evidence", "why", "cure", "source"} <= (
        second["findings"][0].keys()
    )


def test_what_cannot_be_read_is_2_and_the_rest_is_told(tmp_path: Path) -> None:
    bad = put(tmp_path, "a.cfg", files.YEALINK_BAD)
    nothing = put(tmp_path, "b.txt", b"hello")
    said = run(bad, nothing, tmp_path, tmp_path / "none.cfg")
    assert said.exit_code == 2
    assert "verify.chain" in said.stdout
    for words in ("no maker's configuration", "is a folder", "cannot read"):
        assert words in said.stderr
    assert said.stderr.count("hint: ") == 3
    shown = document(run(nothing, "--json"))
    assert shown["unreadable"] == 1
    assert shown["files"][0]["error"]["hint"]
    last = run(nothing, "--json").stderr.strip().splitlines()[-1]
    assert "no maker's" in json.loads(last)["error"]["message"]


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 99, b"<a>", b"#!version", b"\xff\xfe\xfa", b"<!DOCTYPE x>"]
)
def test_bad_input_is_an_error_and_no_traceback(tmp_path: Path, data: bytes) -> None:
    said = run(put(tmp_path, "x.cfg", data))
    assert said.exit_code == 2
    assert "Traceback" not in said.output
    assert "hint: " in said.output


def test_a_template_names_what_is_put_in(tmp_path: Path) -> None:
    file = put(tmp_path, "template.cfg", files.YEALINK_TEMPLATE)
    said = run(file)
    assert "a template" in said.stdout
    assert "put in later, so not judged: " in said.stdout
    assert "{{ line.user }}" in said.stdout
    places = document(run(file, "--json"))["files"][0]["placeholders"]
    assert places["count"] > 8
    assert {one["by"] for one in places["listed"]} == {"template"}


def test_names_are_held_against_a_certificate_and_dates_against_a_day(
    tmp_path: Path,
) -> None:
    file = put(tmp_path, "805ec0a1b2c3.cfg", files.YEALINK_GOOD)
    leaf = certificate("x", ec("leaf"), dns_names=["prov.example.com"])
    chain = put(tmp_path, "chain.pem", to_pem(leaf).encode())
    said = run(file, "--chain", chain)
    assert said.exit_code == 1
    assert "sip.example.com" in said.stdout
    assert "name.absent" in said.stdout
    assert run(file, "--chain", tmp_path / "none.pem").exit_code == 2
    assert run(file, "--at", "2030-01-01").exit_code == 0
    odd = run(file, "--at", "soon")
    assert (odd.exit_code, "not a date" in odd.output) == (2, True)


def test_without_a_file_it_is_wrong_usage() -> None:
    assert run().exit_code == 2
