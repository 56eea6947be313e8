"""``linekey lab``: files where they were asked for, and one JSON document."""

import json
import stat

import pytest
from typer.testing import CliRunner

from linekey.certs.pem import parse_certificates, parse_private_key
from linekey.cli.lab import app
from linekey.lab.authority import LabAuthority
from linekey.lab.files import belongs
from linekey.phone.patch import read_patch

MAC = "00:04:13:aa:bb:cc"


@pytest.fixture
def run(tmp_path):
    def run(*words: str):
        result = CliRunner().invoke(app, [*words, "--state", str(tmp_path / "state")])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result

    return run


@pytest.mark.parametrize(("generation", "bits"), [("sha1", 1024), ("sha256", 2048)])
def test_identity_writes_chain_and_key(run, tmp_path, generation, bits) -> None:
    out = tmp_path / "out"
    result = run("identity", MAC, "--generation", generation, "--out", str(out))
    chain = parse_certificates((out / "000413AABBCC.pem").read_bytes())
    key = parse_private_key((out / "000413AABBCC.key").read_bytes())
    assert len(chain) == 2
    assert chain[0].key.bits == bits
    assert belongs(chain[0], key)
    assert stat.S_IMODE((out / "000413AABBCC.key").stat().st_mode) == 0o600
    old = generation == "sha1"
    files = sorted(path.suffix for path in out.iterdir())
    assert files == ([".cnf"] if old else []) + [".key", ".pem"]
    assert result.stdout.count("\n") == len(files)  # all else is no result
    assert "curl --cacert" in result.stderr
    assert (f"OPENSSL_CONF={out}/000413AABBCC.openssl.cnf curl" in result.stderr) == old
    assert "PRIVATE" not in result.output


def test_identity_overwrites_only_when_told_to(run, tmp_path) -> None:
    words = ("identity", MAC, "--out", str(tmp_path))
    run(*words)
    before = (tmp_path / "000413AABBCC.key").read_bytes()
    with pytest.raises(AssertionError, match="exists already"):
        run(*words, "--generation", "sha1")
    assert (tmp_path / "000413AABBCC.key").read_bytes() == before
    run(*words, "--generation", "sha1", "--force")
    assert (tmp_path / "000413AABBCC.key").read_bytes() != before


def test_identity_speaks_json_with_the_servers_url(run, tmp_path) -> None:
    lab_folder = tmp_path / "state" / "lab"
    LabAuthority.open(lab_folder).record_urls("https://localhost:8443/")
    result = run("identity", MAC, "--out", str(tmp_path / "o"), "--json")
    document = json.loads(result.stdout)
    assert document["mac"] == "000413AABBCC"
    assert document["certificate"] == str(tmp_path / "o" / "000413AABBCC.pem")
    assert "https://localhost:8443/snomD785-000413AABBCC.htm" in document["curl"]


def test_a_wrong_mac_is_refused(run, tmp_path) -> None:
    with pytest.raises(AssertionError, match="not a MAC"):
        run("identity", "0004", "--out", str(tmp_path / "o"))
    assert not (tmp_path / "o").exists()


def test_show_names_the_files(run, tmp_path) -> None:
    with pytest.raises(AssertionError, match="state folder"):
        run("show", "--json")
    run("identity", MAC, "--out", str(tmp_path))
    document = json.loads(run("show", "--json").stdout)
    assert (document["server_url"], document["api_url"]) == (None, None)
    LabAuthority.open(tmp_path / "state" / "lab").record_urls(
        "https://localhost:8443/", "http://127.0.0.1:8480/api/v1", "http://c/console/"
    )
    told = json.loads(run("show", "--json").stdout)
    assert told["api_url"] == "http://127.0.0.1:8480/api/v1"
    assert told["console_url"] == "http://c/console/"
    for path in (
        document["server_ca"], *document["vendor_roots"],
        *document["vendor_intermediates"], document["devices"][0]["certificate"],
    ):  # fmt: skip
        with open(path, "rb") as file:
            assert parse_certificates(file.read())
    assert "server CA" in run("show").stdout


def test_patch_writes_a_file_for_one_phone_that_only_its_owner_reads(
    run, tmp_path
) -> None:
    document = json.loads(run("patch", MAC, "--out", str(tmp_path), "--json").stdout)
    path = tmp_path / "000413AABBCC.patch"
    assert document["patch"] == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    made = read_patch(path.read_bytes())
    assert (str(made.mac), made.identity.generation) == ("000413AABBCC", "sha256")
    assert made.identity.leaf.sha256 == document["sha256"]
    with pytest.raises(AssertionError, match="exists already"):
        run("patch", MAC, "--out", str(tmp_path))
