"""``linekey certificate deploy``: what it refuses, and that the old pair stays then."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from tests.certificates import authority, ca, intermediate, key, server
from typer.testing import CliRunner

import linekey.cli.certificate
from linekey.certs.pem import parse_bundle, private_key_to_pem, to_pem
from linekey.cli.certificate import LINEAGE, app
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import CertificateEntry, Layer
from linekey.store.devices import Devices
from linekey.store.opening import open_store

NAME = "prov.example.com"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ROOT = authority()
BETWEEN = intermediate(ROOT, "between")
LINES = """\
host = "127.0.0.1"
port = 1
certificate = "certificates/current/chain.pem"
key = "certificates/current/key.pem"
names = ["prov.example.com"]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of one phone that trusts ROOT, and files that may be deployed."""
    monkeypatch.setattr(linekey.cli.certificate, "now", lambda: NOW)
    monkeypatch.delenv(LINEAGE, raising=False)
    trusts = Layer(certificates=(CertificateEntry(ROOT.certificate.der),))
    with open_store(tmp_path / "state") as database:
        Devices(database).add_all(
            [Device(Mac("000413AABBCC"), "snom", "D785", "10.1.185.0", layer=trusts)],
            NOW,
        )
    (tmp_path / "state" / "linekey.toml").write_text(LINES)
    (tmp_path / "words.txt").write_text("no certificate")
    own = private_key_to_pem(key("server", "rsa", 2048))
    (tmp_path / "own.key").write_bytes(own)
    (tmp_path / "other.key").write_bytes(private_key_to_pem(key("another")))
    good = server(NAME, root=BETWEEN).chain
    chains = {
        "good": (*good, BETWEEN.certificate),
        "bare": good,
        "expired": server(NAME, root=ROOT, not_after=NOW - timedelta(days=1)).chain,
        "another": server("sip.example.com", root=ROOT).chain,
        "strange": server(NAME, root=ca("stranger")).chain,
        "short": server(NAME, root=ROOT, not_after=NOW + timedelta(days=9)).chain,
    }
    for name, chain in chains.items():
        (tmp_path / f"{name}.pem").write_text("".join(map(to_pem, chain)))
    return tmp_path


def deploy(
    place: Path, *words: str, chain: str = "good", with_key: str = "own"
) -> Result:
    files = [
        "--chain",
        str(place / f"{chain}.pem"),
        "--key",
        str(place / f"{with_key}.key"),
    ]
    return call(place, *files, "--reload", "", *words)


def call(place: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["deploy", *words, "--state", str(place / "state")])


def current(place: Path) -> Path:
    return place / "state" / "certificates" / "current"


def test_a_good_one_is_in_place_and_again_is_no_change(place: Path) -> None:
    done = deploy(place)
    assert done.exit_code == 0, done.output
    assert "1 accept the new certificate, 0 would be lost" in done.output
    assert "it is used at the next start" in done.output
    before = current(place).resolve()
    chain = parse_bundle((current(place) / "chain.pem").read_bytes()).certificates
    assert len(chain) == 2
    again = deploy(place)
    assert again.exit_code == 0
    assert "in place already" in again.output
    assert current(place).resolve() == before


@pytest.mark.parametrize(
    ("chain", "with_key", "status", "told"),
    [
        ("good", "other", 2, "does not belong to the first certificate"),
        ("expired", "own", 2, "expired on"),
        ("another", "own", 2, "is not for 'prov.example.com'"),
        ("bare", "own", 1, "1 would be lost"),
        ("strange", "own", 1, "1 would be lost"),
        ("none", "own", 2, "cannot read"),
        ("good", "none", 2, "cannot read"),
    ],
)
def test_an_unfit_one_is_refused_and_the_old_stays(
    place: Path, chain: str, with_key: str, status: int, told: str
) -> None:
    assert deploy(place).exit_code == 0
    before = current(place).resolve()
    done = deploy(place, chain=chain, with_key=with_key)
    assert done.exit_code == status, done.output
    assert told in done.output
    assert current(place).resolve() == before
    assert "PRIVATE" not in done.output


def test_why_and_which_phones_are_lost_and_how_many_may_be(place: Path) -> None:
    assert deploy(place).exit_code == 0
    done = deploy(place, "--json", chain="strange")
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert (said["deployed"], said["lost"], said["kept"]) == (False, 1, 0)
    assert said["events"][0]["macs"] == ["000413AABBCC"]
    assert said["events"][0]["cause"]
    assert said["events"][0]["cure"]
    assert "--allow-lost 1" in done.stderr
    done = deploy(place, "--allow-lost", "1", "--json", chain="strange")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["deployed"]


def test_a_dry_run_changes_nothing(place: Path) -> None:
    done = deploy(place, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "it would be deployed" in done.output
    assert not current(place).exists()
    assert deploy(place, "--dry-run", chain="strange").exit_code == 1


def test_a_chain_without_intermediate_that_nobody_vouches_for(place: Path) -> None:
    with open_store(place / "state") as database:
        Devices(database).remove(Mac("000413AABBCC"), NOW)
    done = deploy(place, chain="bare")
    assert done.exit_code == 2, done.output
    assert "give certbot's fullchain.pem" in done.output
    assert deploy(place).exit_code == 0


def test_as_a_hook_it_takes_what_certbot_names(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = call(place, "--certbot")
    assert done.exit_code == 2
    assert "RENEWED_LINEAGE is not set" in done.output
    archive, live = place / "archive", place / "live" / NAME
    archive.mkdir()
    live.mkdir(parents=True)
    for name, source in (("fullchain", "good.pem"), ("privkey", "own.key")):
        (archive / f"{name}1.pem").write_bytes((place / source).read_bytes())
        (live / f"{name}.pem").symlink_to(archive / f"{name}1.pem")
    monkeypatch.setenv(LINEAGE, str(live))
    done = call(place, "--certbot", "--lineage", "www.example.com")
    assert done.exit_code == 0
    assert "nothing to do" in done.output
    assert not current(place).exists()
    done = call(place, "--certbot", "--lineage", NAME, "--reload", "")
    assert done.exit_code == 0, done.output
    assert not (current(place) / "key.pem").is_symlink()
    (live / "privkey.pem").unlink()
    done = call(place, "--certbot", "--reload", "")
    assert done.exit_code == 2
    assert "cannot read the key file" in done.output


def test_a_server_that_cannot_be_told_is_told_of(place: Path) -> None:
    done = deploy(place, "--reload", "false")
    assert done.exit_code == 3
    assert "is in place, but the server was not told: false" in done.output
    assert current(place).exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "which certificate?"),
        (("--lineage", "x"), "needs --certbot"),
        (("--certbot", "--chain", "x"), "takes the files that certbot names"),
    ],
)
def test_options_that_do_not_fit(
    place: Path, words: tuple[str, ...], told: str
) -> None:
    done = call(place, *words)
    assert done.exit_code == 2
    assert told in done.output
