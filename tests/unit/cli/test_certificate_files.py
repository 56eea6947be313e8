"""Whichever verb reads a file of certificates: what it is instead is said by name."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from tests.certificates import ca, key, leaf
from typer.testing import CliRunner

from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.cli.check_inputs import read_identity
from linekey.cli.main import app

ROOT = ca("root")
LEAF = leaf(ROOT, "prov.example.com")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    p7 = pkcs7.serialize_certificates([LEAF.x509], ser.Encoding.PEM)
    (tmp_path / "chain.p7b").write_bytes(p7)
    p12 = pkcs12.serialize_key_and_certificates(
        None, key("leaf"), LEAF.x509, None, ser.BestAvailableEncryption(b"x")
    )
    (tmp_path / "server.p12").write_bytes(p12)
    (tmp_path / "good.pem").write_text(to_pem(LEAF))
    (tmp_path / "key.pem").write_bytes(private_key_to_pem(key("leaf")))
    return tmp_path


CHECK = ("check", "--name", "prov.example.com", "--model", "D785", "--chain")
VERBS = {
    "check --chain": (*CHECK, "FILE"),
    "check --trust": (*CHECK, "good.pem", "--trust", "FILE"),
    "check --identity": (*CHECK, "good.pem", "--identity", "FILE"),
    "trust add": ("trust", "add", "FILE", "--state", "state"),
    "serve --check": (
        "serve", "--check", "--state", "state", "--certificate", "FILE",
        "--key", "key.pem",
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize(
    ("name", "kind"), [("chain.p7b", "PKCS#7"), ("server.p12", "PKCS#12")]
)
def test_a_file_of_another_form_is_named_with_the_file_and_the_cure(
    words: tuple[str, ...],
    name: str,
    kind: str,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(files)
    done = CliRunner().invoke(app, [name if w == "FILE" else w for w in words])
    told = done.output + done.stderr
    assert done.exit_code in (2, 3), told
    assert kind in told
    assert name in told
    assert f"openssl {'pkcs7' if kind == 'PKCS#7' else 'pkcs12'}" in " ".join(
        told.split()
    )


def test_a_phones_identity_is_the_certificate_of_the_key_wherever_it_stands(
    tmp_path: Path,
) -> None:
    path = tmp_path / "phone.pem"
    path.write_text(to_pem(ROOT.certificate) + to_pem(LEAF))
    with path.open("ab") as file:
        file.write(private_key_to_pem(key("leaf")))
    assert read_identity(path).chain == (LEAF, ROOT.certificate)
