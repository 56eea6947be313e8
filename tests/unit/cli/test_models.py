import json

import pytest
from typer.testing import CliRunner

from linekey.catalog.models import MODELS
from linekey.cli.models import app


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "100")

    def call(*args: str):
        return CliRunner().invoke(app, list(args))

    return call


def test_without_a_model_every_one_has_its_line(run) -> None:
    result = run()
    assert result.exit_code == 0
    first_words = {
        line.split()[0] for line in result.stdout.splitlines() if line.strip()
    }
    assert set(MODELS) <= first_words
    assert "SHA-1/RSA-1024, shared" in result.stdout


def test_the_list_as_json(run) -> None:
    document = json.loads(run("--json").stdout)
    rows = {row["model"]: row for row in document["models"]}
    assert list(rows) == list(MODELS)
    assert rows["D715"]["sha2_since"] == ["8.9.3.60", "10.1"]
    assert rows["D785"]["sha2_since"] is None
    assert rows["300"]["certificate"] == {
        "generation": "sha1", "key_bits": 1024, "shared": True,
    }  # fmt: skip
    assert all(row["source"] and row["confidence"] in "HML" for row in rows.values())


@pytest.mark.parametrize("maker", ["yealink", "Poly", "grandstream", "gigaset"])
def test_another_makers_models_are_listed_with_their_sources(run, maker: str) -> None:
    document = json.loads(run("--maker", maker, "--json").stdout)
    assert document["models"]
    for row in document["models"]:
        assert row["maker"] == maker.lower()
        assert row["source"]
        assert "; ".join(row["sources"]) == row["source"]
        assert row["confidence"] in "HML"
    shown = run("--maker", maker)
    assert shown.exit_code == 0
    assert document["models"][0]["model"] in shown.stdout


def test_a_model_of_another_maker_names_its_sources_one_by_one(run) -> None:
    row = json.loads(run("T46U", "--json").stdout)
    assert row["maker"] == "yealink"
    assert row["sources"] == ["PBX-FUSION", "PBX-WAZO"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--maker", "cisco"), "comes later"),
        (("--maker", "acme"), "one of"),
        (("T46U", "--maker", "yealink"), "--maker lists models"),
    ],
)
def test_a_maker_that_cannot_be_listed_is_told(run, arguments, word) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert word in result.output


def test_snoms_are_the_usual_list(run) -> None:
    assert run("--maker", "snom", "--json").stdout == run("--json").stdout


def test_one_phone_says_what_it_can_do_and_where_that_is_written(run) -> None:
    result = run("snomD785", "--firmware", "10.1.33.33")
    assert result.exit_code == 0
    for words in (
        "D785 10.1.33.33",
        "TLSv1, TLSv1.1, TLSv1.2",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "SHA-2/RSA-2048",
        "SNOM-TLS, Supported Cipher Suites",
        "SNOM-SETTING",
        "inference",
    ):
        assert words in result.stdout


def test_one_phone_as_json(run) -> None:
    document = json.loads(run("D715", "--firmware", "8.9.3.60", "--json").stdout)
    assert (document["model"], document["firmware"]) == ("D715", "8.9.3.60")
    assert document["tls"]["versions"] == ["TLSv1", "TLSv1.1", "TLSv1.2"]
    assert document["tls"]["suites"][0] == {
        "number": "0xC030",
        "name": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "openssl_name": "ECDHE-RSA-AES256-GCM-SHA384",
    }
    assert document["certificates"]["hashes"][:3] == ["sha1", "sha224", "sha256"]
    assert document["certificates"]["generations"] == ["sha1", "sha256"]
    assert document["server_authentication"]["default"] is False
    assert document["provisioning"]["base64_certificates"] is True
    assert all(
        rule["source"] and rule["confidence"] in "HML" and rule["statement"]
        for rule in document["rules"]
    )


def test_without_a_firmware_the_newest_row_is_taken(run) -> None:
    assert json.loads(run("300", "--json").stdout)["firmware"] == "8.7.5.57"


def test_an_unlikely_phone_is_warned_of_on_stderr_and_in_json(run) -> None:
    result = run("D785", "--firmware", "8.7.5.35")
    assert result.exit_code == 0
    assert "warning: unlikely" in result.stderr
    assert "unlikely" not in result.stdout
    assert json.loads(run("D785", "--firmware", "8.7.5.35", "--json").stdout)[
        "warnings"
    ]


@pytest.mark.parametrize(
    ("args", "error", "hint"),
    [
        (("D786",), "unknown phone model: 'D786'", "D785"),
        (("D785", "--firmware", "ten"), "not a firmware version: 'ten'", "10.1.33.33"),
        (("--firmware", "10.1.33.33"), "--firmware was given without a model", "D785"),
    ],
)
def test_bad_input_is_an_error_with_a_hint_and_exit_2(
    run, args: tuple[str, ...], error: str, hint: str
) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    first, second = result.stderr.splitlines()[:2]
    assert first == f"error: {error}"
    assert second.startswith("hint: ")
    assert hint in second


def test_with_json_an_error_is_json_on_stderr(run) -> None:
    result = run("D786", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    error = json.loads(result.stderr)["error"]
    assert error["message"] == "unknown phone model: 'D786'"
    assert "D785" in error["hint"]
    assert (error["code"], error["exit"]) == ("input", 2)
