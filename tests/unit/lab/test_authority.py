"""The lab is shaped like the vendor's, is kept, and is never overwritten."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_VENDOR, rule_for, vendor_of_authority
from linekey.certs.dn import SHORT_NAMES
from linekey.certs.host_names import match_host
from linekey.certs.path import prove
from linekey.certs.pem import private_key_to_pem
from linekey.errors import InputError, LinekeyError, StorageError
from linekey.lab import files
from linekey.lab.authority import LabAuthority
from linekey.lab.vendor_ca import new_vendor_key
from linekey.mac import Mac

MAC = Mac("000413AABBCC")
NOW = datetime(2025, 6, 1, tzinfo=UTC)
SHA1, SHA256 = Generation.SHA1, Generation.SHA256


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> LabAuthority:
    return LabAuthority.open(tmp_path_factory.mktemp("state") / "lab")


@pytest.mark.parametrize(
    ("generation", "bits", "hash_name"),
    [(SHA1, 1024, "sha1"), (SHA256, 2048, "sha256")],
)
def test_a_device_chain_is_shaped_like_the_vendors(
    lab, generation, bits, hash_name
) -> None:
    chain, key = lab.device_identity(MAC, generation)
    leaf, intermediate = chain
    root = dict(zip(Generation, lab.vendor_roots(), strict=True))[generation]
    assert leaf.common_names == ("000413AABBCC",)
    assert files.belongs(leaf, key)
    for certificate in (leaf, intermediate, root):
        assert certificate.key.bits == bits
        assert certificate.signature_hash == hash_name
        assert [SHORT_NAMES[rdn[0][0]] for rdn in certificate.subject.rdns] == (
            ["C", "ST", "L", "O", "CN", "emailAddress"]
        )
        assert str(certificate.subject).startswith(
            f"emailAddress=security@lab.invalid,CN={certificate.common_names[0]},O=LAB"
        )
        assert certificate.subject_key_id
        assert certificate.authority_key_id
        assert certificate.key_usage is None
    for authority in (intermediate, root):
        assert authority.is_ca
        assert authority.path_length is None
        assert not authority.extensions["2.5.29.19"].critical
        assert "LAB" in authority.common_names[0].split()
        assert len(authority.extensions) == 3  # no CRL or AIA pointer
    result = prove(leaf, [intermediate], [root], at=NOW, purpose="client")
    assert result.ok


def test_nobody_takes_a_lab_name_for_the_vendors(lab) -> None:
    certificates = [*lab.vendor_roots(), *lab.vendor_intermediates(), lab.server_root()]
    for generation in Generation:
        certificates += [lab.shared_identity(generation)[0][0]]
    for certificate in certificates:
        text = str(certificate.subject)
        assert "LAB" in text
        assert "snom" not in text.lower()
    for authority in lab.vendor_intermediates():
        rule = rule_for(authority.subject)
        assert rule is not None
        assert rule.vendor == LAB_VENDOR
    assert vendor_of_authority(lab.server_root().subject) is None


@pytest.mark.parametrize("generation", Generation)
def test_the_shared_certificate_names_no_phone(lab, generation) -> None:
    chain, _ = lab.shared_identity(generation)
    leaf = chain[0]
    assert leaf.version == 1
    assert Mac.from_bare(leaf.common_names[0]) is None
    assert leaf.key.bits == {SHA1: 1024, SHA256: 2048}[generation]
    assert prove(leaf, chain[1:], lab.vendor_roots(), at=NOW, purpose="client").ok


def test_a_second_opening_gives_the_same_lab(lab) -> None:
    device = lab.device_identity(MAC, SHA256)[0]
    shared = lab.shared_identity(SHA1)[0]
    again = LabAuthority.open(lab.folder, create=False)
    assert again.vendor_roots() == lab.vendor_roots()
    assert again.vendor_intermediates() == lab.vendor_intermediates()
    assert again.server_root() == lab.server_root()
    assert again.device_identity(MAC, SHA256)[0] == device
    assert again.shared_identity(SHA1)[0] == shared


def test_keys_are_ours_alone_and_no_draft_is_left(lab) -> None:
    lab.device_identity(MAC, SHA1)
    lab.server_identity()
    assert stat.S_IMODE(lab.folder.stat().st_mode) == 0o700
    for path in lab.folder.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700
        elif path.suffix == ".key":
            assert mode == 0o600
        else:
            assert path.suffix in {".pem", ".json"} or path.name == ".lock"


def test_a_given_key_is_used_and_many_phones_may_share_it(lab) -> None:
    key = new_vendor_key(SHA1)
    chain, kept = lab.device_identity(Mac("000413000001"), SHA1, key=key)
    assert files.belongs(chain[0], key)
    assert kept is key
    one = lab.issue_device(Mac("000413000002"), SHA1, key)
    two = lab.issue_device(Mac("000413000003"), SHA1, key)
    assert one[0].public_key_der == two[0].public_key_der
    assert one[0].serial != two[0].serial
    assert Mac("000413000002") not in [mac for mac, _ in lab.devices()]
    assert (Mac("000413000001"), SHA1) in lab.devices()


def test_the_servers_certificate_is_for_this_machine_and_the_given_names(lab) -> None:
    chain, key = lab.server_identity(["prov.example.com", "192.0.2.7"], now=NOW)
    leaf = chain[0]
    assert files.belongs(leaf, key)
    for name in ("localhost", "127.0.0.1", "::1", "prov.example.com", "192.0.2.7"):
        assert match_host(leaf, name)
    assert not match_host(leaf, "other.example.com")
    assert prove(leaf, [], [lab.server_root()], at=NOW, purpose="server").ok
    assert not prove(leaf, [], lab.vendor_roots(), at=NOW).ok


def test_the_servers_certificate_is_kept_until_it_does_not_fit(lab) -> None:
    first = lab.server_identity(["a.example"], now=NOW)[0]
    assert lab.server_identity(["a.example"], now=NOW)[0] == first
    assert lab.server_identity([], now=NOW + timedelta(days=300))[0] == first
    renewed = lab.server_identity(["a.example"], now=NOW + timedelta(days=390))[0]
    assert renewed != first
    assert renewed[0].public_key_der == first[0].public_key_der
    other = lab.server_identity(["b.example"], now=NOW + timedelta(days=390))[0]
    assert match_host(other[0], "b.example")
    old = lab.server_identity(["b.example"], now=NOW + timedelta(days=390), hash="sha1")
    assert old[0][0].signature_hash == "sha1"


@pytest.mark.parametrize("name", ["", "a b", "ünï.example", "a\n"[:1] + "\x00"])
def test_what_is_no_host_name_is_refused(lab, name) -> None:
    with pytest.raises(InputError, match="not a host name"):
        lab.server_identity([name], now=NOW)


def test_where_the_server_listened_is_remembered(tmp_path) -> None:
    lab = LabAuthority.open(tmp_path / "lab")
    assert lab.server_url() is None
    lab.record_urls("https://localhost:8443/")
    lab.record_urls("https://localhost:9443/")
    assert lab.server_url() == "https://localhost:9443/"
    (lab.folder / "server.json").write_text("{")
    with pytest.raises(StorageError, match=r"server\.json"):
        lab.server_url()


def test_no_lab_is_made_unasked(tmp_path) -> None:
    with pytest.raises(StorageError, match="no lab") as caught:
        LabAuthority.open(tmp_path / "lab", create=False)
    assert "linekey up" in caught.value.hint
    assert not (tmp_path / "lab").exists()


def test_a_crash_between_key_and_certificate_is_healed(tmp_path, lab) -> None:
    other = LabAuthority.open(tmp_path / "lab")
    key_file = other.folder / "vendor" / "sha1" / "root.key"
    key = key_file.read_bytes()
    for name in ("root.pem", "intermediate.pem"):
        (key_file.parent / name).unlink()
    again = LabAuthority.open(other.folder)
    assert key_file.read_bytes() == key
    assert again.vendor_roots()[0] != other.vendor_roots()[0]
    assert (
        again.vendor_roots()[0].public_key_der == other.vendor_roots()[0].public_key_der
    )


def swap_key(path: Path) -> None:
    path.write_bytes(private_key_to_pem(new_vendor_key(SHA1)))


def other_root(path: Path) -> None:
    from linekey.lab.vendor_ca import issue_root

    key = new_vendor_key(SHA1)
    swap = path.with_suffix(".key")
    swap.write_bytes(private_key_to_pem(key))
    path.write_bytes(files.chain_pem((issue_root(SHA1, key),)))


@pytest.mark.parametrize(
    ("file", "harm", "reason"),
    [
        ("vendor/sha1/root.key", lambda p: p.unlink(), "is missing"),
        ("vendor/sha1/root.key", swap_key, "not the one beside"),
        ("vendor/sha1/root.key", lambda p: p.write_bytes(b"x"), "no private key"),
        ("vendor/sha1/root.pem", lambda p: p.write_bytes(b"x"), "damaged"),
        ("vendor/sha1/root.pem", other_root, "damaged"),
        ("vendor/sha1/root.key", lambda p: p.chmod(0o644), "other users can read"),
    ],
)
def test_files_that_do_not_fit_are_told_and_left(tmp_path, file, harm, reason) -> None:
    lab = LabAuthority.open(tmp_path / "lab")
    path = lab.folder / file
    harm(path)
    before = {p: p.read_bytes() for p in lab.folder.rglob("*") if p.is_file()}
    with pytest.raises(LinekeyError, match=reason) as caught:
        LabAuthority.open(lab.folder)
    assert caught.value.hint
    assert {p: p.read_bytes() for p in lab.folder.rglob("*") if p.is_file()} == before


def test_a_file_is_not_overwritten_unasked(tmp_path) -> None:
    path = tmp_path / "x.key"
    files.write_file(path, b"one", private=True)
    with pytest.raises(InputError, match="exists already"):
        files.write_file(path, b"two", private=True)
    assert path.read_bytes() == b"one"
    files.write_file(path, b"two", private=True, force=True)
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["x.key"]
