"""The `openssl` command reads, prints and verifies as we do; a foreign reader."""

import subprocess
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.conftest import peer_path

from linekey.catalog.models import Generation
from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.certs.host_names import match_host
from linekey.certs.path import prove
from linekey.certs.pem import parse_certificates
from linekey.lab.authority import LabAuthority
from linekey.lab.files import chain_pem
from linekey.mac import Mac

pytestmark = pytest.mark.peer("openssl")

MAC = Mac("000413AABBCC")


def openssl(*words: object) -> tuple[int, str]:
    program = peer_path("openssl")
    assert program
    done = subprocess.run(
        [program, *map(str, words)], capture_output=True, text=True, timeout=30
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> LabAuthority:
    return LabAuthority.open(tmp_path_factory.mktemp("state") / "lab")


@pytest.fixture(scope="module")
def root_files(lab, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("roots") / "roots.pem"
    path.write_bytes(chain_pem(lab.vendor_roots()))
    return path


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize("shared", [False, True])
def test_the_lab_chain_verifies(lab, root_files, tmp_path, generation, shared) -> None:
    chain, _ = (
        lab.shared_identity(generation)
        if shared
        else lab.device_identity(MAC, generation)
    )
    leaf, others = tmp_path / "leaf.pem", tmp_path / "others.pem"
    leaf.write_bytes(chain_pem(chain[:1]))
    others.write_bytes(chain_pem(chain[1:]))
    code, said = openssl(
        "verify", "-auth_level", 0, "-purpose", "sslclient", "-CAfile", root_files,
        "-untrusted", others, leaf,
    )  # fmt: skip
    assert code == 0, said
    code, said = openssl("verify", "-auth_level", 0, "-CAfile", root_files, leaf)
    assert code != 0
    problems = prove(chain[0], [], lab.vendor_roots(), at=datetime.now(UTC)).problems
    assert f"error {problems[0].code} at {problems[0].depth} depth" in said


def test_expiry_and_unknown_root_have_openssls_numbers(lab, tmp_path) -> None:
    chain, _ = lab.device_identity(MAC, Generation.SHA256)
    whole, root = tmp_path / "all.pem", tmp_path / "root.pem"
    whole.write_bytes(chain_pem([chain[1], lab.vendor_roots()[1]]))
    root.write_bytes(chain_pem([lab.server_root()]))
    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(chain_pem(chain[:1]))
    late = datetime(2040, 1, 1, tzinfo=UTC)
    _, said = openssl(
        "verify", "-auth_level", 0, "-attime", int(late.timestamp()), "-CAfile", root,
        "-untrusted", whole, leaf,
    )  # fmt: skip
    ours = prove(
        chain[0], [chain[1], lab.vendor_roots()[1]], [lab.server_root()], at=late
    )
    assert {(19, 2), (10, 0), (10, 1), (10, 2)} == {
        (p.code, p.depth) for p in ours.problems
    }
    first = next(line for line in said.splitlines() if line.startswith("error "))
    assert any(f"error {p.code} at {p.depth} depth" in first for p in ours.problems)


def test_what_openssl_prints_is_what_we_read(lab, tmp_path) -> None:
    chain, _ = lab.device_identity(MAC, Generation.SHA1)
    path = tmp_path / "leaf.pem"
    path.write_bytes(chain_pem(chain[:1]))
    leaf = parse_certificates(path.read_bytes())[0]
    _, said = openssl(
        "x509", "-in", path, "-noout", "-serial", "-fingerprint", "-sha1", "-subject",
        "-nameopt", "RFC2253", "-text",
    )  # fmt: skip
    assert f"serial={leaf.serial:X}" in said.replace("serial=0", "serial=")
    assert leaf.sha1.upper() in said.replace(":", "")
    assert f"subject={leaf.subject}" in said
    assert f"Signature Algorithm: {leaf.signature_algorithm}" in said
    assert f"({leaf.key.bits} bit)" in said


@pytest.mark.parametrize(
    "rdns",
    [
        [("C", "DE"), ("ST", "Berlin"), ("O", "LAB"), ("CN", "000413AABBCC"), ("emailAddress", "a@b.invalid")],
        [("CN", "one"), [("CN", "two"), ("OU", "x")], ("CN", "three")],
        [("ST", "708105B37234"), ("CN", "SPA-525G2, MAC: 708105B37234, Serial: CBT")],
        [("O", ' "quoted" <&> ;'), ("CN", "#first")],
    ],
)  # fmt: skip
def test_names_print_as_openssl_prints_them_by_rfc_2253(rdns, tmp_path) -> None:
    name = Name.build(rdns)
    now = datetime(2026, 6, 1, tzinfo=UTC)
    certificate = issue(
        name, new_key("rsa", 2048), None, serial=1, not_before=now, not_after=now
    )
    path = tmp_path / "name.pem"
    path.write_bytes(chain_pem([certificate]))
    _, said = openssl("x509", "-in", path, "-noout", "-subject", "-nameopt", "RFC2253")
    assert said.strip() == f"subject={name}"


HOSTS = [
    "a.example.com",
    "b.a.example.com",
    "x.example.org",
    "fooz.example.net",
    "192.0.2.1",
]


@pytest.mark.parametrize("host", HOSTS)
def test_host_names_match_as_the_command_says(tmp_path, host) -> None:
    now = datetime.now(UTC)
    made = issue(
        Name.build([("CN", "x.example.org")]), new_key("ec", "secp256r1"), None, serial=1,
        not_before=datetime(2020, 1, 1, tzinfo=UTC),
        not_after=datetime(now.year + 5, 1, 1, tzinfo=UTC),
        dns_names=["*.example.com", "foo*.example.net"], ip_addresses=[ip_address("192.0.2.1")],
    )  # fmt: skip
    path = tmp_path / "x.pem"
    path.write_bytes(chain_pem([made]))
    option = "-verify_ip" if host[0].isdigit() else "-verify_hostname"
    code, _ = openssl("verify", "-CAfile", path, option, host, path)
    assert (code == 0) == match_host(made, host).ok
