"""What `linekey serve` would not start with, `linekey export` does not write."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from tests.phone_pki import MAC, authority, server
from tests.unit.cli.test_export import OWN, run

from linekey.catalog.firmware import Firmware
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.lab.authority import LabAuthority
from linekey.phone.identity import DeviceIdentity
from linekey.provisioning.device import Device
from linekey.store.devices import Devices
from linekey.store.opening import open_store
from linekey.store.vendor_cas import VendorCas, describe_ca

AT = datetime(2026, 1, 1, tzinfo=UTC)
HOST = "phones.example.com"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    with open_store(folder) as database:
        VendorCas(database).add([describe_ca(authority().certificate, AT, OWN)])
    return folder


def export(state: Path, identity: DeviceIdentity, *words: str) -> Result:
    certificate, key = state.parent / "server.pem", state.parent / "server.key"
    certificate.write_text("".join(map(to_pem, identity.chain)))
    if not key.exists():
        key.write_bytes(identity.key_pem)
        key.chmod(0o600)
    out = state.parent / "out"
    return run(
        state, "nginx", "--name", HOST, "--out", str(out),
        "--certificate", str(certificate), "--key", str(key), *words,
    )  # fmt: skip


def said(result: Result) -> str:
    return " ".join(result.stderr.split())


def refused(result: Result, state: Path, *sentences: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert not (state.parent / "out").exists()
    for sentence in sentences:
        assert sentence in said(result)
    assert "hint:" in result.stderr


def test_a_fitting_certificate_and_key_are_exported_without_a_word(state: Path) -> None:
    firmware = Firmware.parse("10.1.33.33")
    with open_store(state) as database:
        Devices(database).add(Device(MAC, "snom", "D785", firmware), AT)
    identity = server(HOST)
    whole = DeviceIdentity((*identity.chain, authority().certificate), identity.key_pem)
    result = export(state, whole)
    assert result.exit_code == 0, result.output
    assert "warning" not in said(result)


def test_a_certificate_for_another_name_is_refused(state: Path) -> None:
    result = export(state, server("other.example.com"))
    refused(result, state, f"the server's certificate is not for '{HOST}'")


def test_what_is_wrong_is_said_all_at_once(state: Path) -> None:
    weak = server("other.example.com", hash="sha1", size=1024)
    refused(
        export(state, weak),
        state,
        "the server's key is RSA-1024",
        "is signed with sha1",
        "is not for",
    )


def test_another_certificates_key_is_refused(state: Path) -> None:
    (state.parent / "server.key").write_bytes(private_key_to_pem(authority().key))
    result = export(state, server(HOST))
    assert result.exit_code in (2, 3)
    assert "is not the first certificate's" in said(result)
    assert not (state.parent / "out").exists()


def test_a_key_that_is_not_there_yet_or_not_ours_to_read_is_not_missed(
    state: Path,
) -> None:
    key = state.parent / "elsewhere.key"
    result = export(state, server(HOST), "--key", str(key))
    assert result.exit_code == 0, result.output
    assert f"put the server's key here: {key}" in said(result)


def test_a_key_that_everybody_can_read_is_warned_about(state: Path) -> None:
    key = state.parent / "server.key"
    key.write_bytes(server(HOST).key_pem)
    key.chmod(0o644)
    result = export(state, server(HOST))
    assert result.exit_code == 0
    assert "every user can read" in said(result)
    key.chmod(0o640)
    assert "every user can read" not in said(export(state, server(HOST)))


def test_a_file_without_a_certificate_is_refused(state: Path) -> None:
    empty = state.parent / "empty.pem"
    empty.write_bytes(server(HOST).key_pem)
    result = run(state, "nginx", "--name", HOST, "--certificate", str(empty))
    assert result.exit_code in (2, 3)
    assert f"no certificate in '{empty}'" in said(result)
    assert result.stdout == ""


@pytest.mark.parametrize("peer", ["nginx", "kamailio", "freeradius"])
def test_a_lab_authority_is_exported_for_loopback_only(state: Path, peer: str) -> None:
    lab = LabAuthority.open(state.parent / "lab")
    with open_store(state) as database:
        VendorCas(database).add([describe_ca(c, AT) for c in lab.vendor_roots()])
    for listen in ((), ("--listen", "192.0.2.1:443"), ("--listen", "*:443")):
        result = run(state, peer, "--name", HOST, *listen)
        assert result.exit_code == 2
        assert "a lab CA is trusted" in said(result)
        assert "listen on 127.0.0.1 only" in said(result)
    for address in ("127.0.0.1:8443", "[::1]:8443"):
        result = run(state, peer, "--name", HOST, "--listen", address)
        assert result.exit_code == 0, result.output


def test_a_server_for_8021x_is_not_asked_for_its_name(state: Path) -> None:
    certificate = state.parent / "radius.pem"
    certificate.write_text(to_pem(server("radius.example.com").chain[0]))
    words = ["--name", HOST, "--certificate", str(certificate)]
    assert run(state, "freeradius", *words).exit_code == 0
    assert run(state, "kamailio", *words).exit_code == 2
