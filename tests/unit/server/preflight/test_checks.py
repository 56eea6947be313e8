"""What keeps the server from starting, and what it only warns of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey, private_key_to_pem, to_pem
from linekey.errors import LinekeyError
from linekey.provisioning.expired import Expired, ExpiredRules
from linekey.server.preflight.checks import (
    ServerFiles,
    check_modes,
    check_start,
    is_lab,
    read_server_files,
)
from linekey.settings import Settings

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
KEY, OTHER_KEY, SMALL_KEY = new_key(), new_key(), new_key("rsa", 1024)


def name(common_name: str, organization: str = "Example") -> Name:
    return Name.build([("O", organization), ("CN", common_name)])


def made(
    subject: Name, key: PrivateKey = KEY, issuer: Issuer | None = None, **changes: Any
) -> Certificate:
    facts: dict[str, Any] = {
        "serial": 7,
        "not_before": NOW - timedelta(days=10),
        "not_after": NOW + timedelta(days=90),
    }
    return issue(subject, key, issuer, **(facts | changes))


ROOT = made(name("Root"), OTHER_KEY, ca=True)
MIDDLE_KEY = new_key()
MIDDLE = made(name("Middle"), MIDDLE_KEY, Issuer(ROOT, OTHER_KEY), ca=True)
VENDOR_CA = made(name("Yealink Manufacturing CA"), OTHER_KEY, ca=True)
LAB_CA = made(name("LAB Phone 1", "LAB Technology AG"), OTHER_KEY, ca=True)


def leaf(**changes: Any) -> Certificate:
    facts: dict[str, Any] = {"dns_names": ["prov.example.com"]}
    return made(
        name("prov.example.com"),
        changes.pop("key", KEY),
        Issuer(MIDDLE, MIDDLE_KEY),
        **(facts | changes),
    )


def rules(
    *chain: Certificate,
    settings: Settings | None = None,
    vendor_cas: list[Certificate] | None = None,
) -> dict[str, str]:
    findings = check_start(
        settings or Settings(),
        ServerFiles(chain, KEY),
        [VENDOR_CA] if vendor_cas is None else vendor_cas,
        NOW,
    )
    assert all(f.cure and f.message for f in findings)
    return {f.rule: f.severity for f in findings}


def test_a_good_chain_with_a_vendor_ca_starts_without_a_word() -> None:
    assert rules(leaf(), MIDDLE) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"not_after": NOW - timedelta(1)}, {"certificate.expired": "refused"}),
        ({"not_before": NOW + timedelta(1)}, {"certificate.not_yet_valid": "refused"}),
        (
            {"not_before": NOW - timedelta(81), "not_after": NOW + timedelta(9)},
            {"certificate.expires_soon": "warning"},
        ),
        ({"hash": "sha1"}, {"certificate.weak_hash": "refused"}),
        ({"hash": "md5"}, {"certificate.weak_hash": "refused"}),
        ({"key": SMALL_KEY}, {"certificate.weak_key": "refused"}),
        ({"key": new_key("ec", "secp256r1")}, {"certificate.not_rsa": "warning"}),
        ({"ca": True}, {"certificate.authority": "warning"}),
        ({"key_usage": ["digitalSignature"]}, {"certificate.usage": "warning"}),
        ({"key_usage": ["keyEncipherment"]}, {"certificate.usage": "warning"}),
        ({"key_usage": ["digitalSignature", "keyEncipherment"]}, {}),
        ({"dns_names": []}, {"certificate.no_names": "warning"}),
    ],
)
def test_what_is_wrong_with_the_certificate_is_found(
    changes: dict[str, Any], expected: dict[str, str]
) -> None:
    assert rules(leaf(**changes), MIDDLE) == expected


def test_everything_wrong_is_found_at_once() -> None:
    found = rules(leaf(not_after=NOW - timedelta(1), hash="sha1"), vendor_cas=[])
    assert {"trust.empty", "certificate.expired", "certificate.weak_hash"} <= set(found)


def test_a_chain_in_the_wrong_order_is_told_from_a_broken_one() -> None:
    assert rules(leaf(), ROOT, MIDDLE) == {"chain.order": "refused"}
    stranger = made(name("Stranger"), OTHER_KEY, ca=True)
    assert rules(leaf(), stranger) == {"chain.broken": "refused"}
    assert rules(leaf()) == {"chain.no_intermediate": "warning"}


def test_an_expired_intermediate_keeps_the_server_from_starting() -> None:
    old = made(
        name("Middle"),
        MIDDLE_KEY,
        Issuer(ROOT, OTHER_KEY),
        ca=True,
        not_after=NOW - timedelta(1),
    )
    assert rules(leaf(), old) == {"chain.not_valid": "refused"}


def test_names_that_phones_use_must_be_in_the_certificate() -> None:
    settings = Settings(names=("prov.example.com", "other.example.com"))
    assert rules(leaf(), MIDDLE, settings=settings) == {"certificate.name": "refused"}


def test_a_lab_ca_is_for_loopback_only() -> None:
    assert is_lab(LAB_CA)
    assert not is_lab(VENDOR_CA)
    assert not is_lab(made(name("Collaboration Labs"), OTHER_KEY))
    assert rules(leaf(), MIDDLE, vendor_cas=[LAB_CA]) == {"trust.lab": "refused"}
    local = Settings(host="127.0.0.1")
    assert rules(leaf(), MIDDLE, settings=local, vendor_cas=[LAB_CA]) == {}
    other = made(name("LAB Other", "LAB Technology AG"), OTHER_KEY, ca=True)
    files = ServerFiles((leaf(), MIDDLE), KEY)
    (found,) = check_start(Settings(), files, [LAB_CA, other], NOW)
    assert "and 1 more" in found.message
    for ca in (LAB_CA, other):
        assert f"linekey trust remove {ca.sha256[:16]}" in found.cure


def test_an_expired_vendor_ca_is_warned_of() -> None:
    old_name = name("Yealink Equipment Issuing CA")
    old = made(old_name, OTHER_KEY, ca=True, not_after=NOW - timedelta(1))
    found = rules(leaf(), MIDDLE, vendor_cas=[VENDOR_CA, old])
    assert found == {"trust.expired": "warning"}


# Files


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "server.pem").write_text(to_pem(leaf()) + to_pem(MIDDLE))
    (tmp_path / "server.key").write_bytes(private_key_to_pem(KEY))
    (tmp_path / "server.key").chmod(0o600)
    return tmp_path


def read(folder: Path, certificate: str = "server.pem", key: str = "server.key") -> Any:
    settings = Settings(certificate=Path(certificate), key=Path(key))
    return read_server_files(settings, folder)


def test_certificate_and_key_are_read_from_the_state_folder(files: Path) -> None:
    found = read(files)
    assert found.chain == (leaf(), MIDDLE)
    assert "PRIVATE" not in repr(found)


def test_what_is_wrong_with_the_files_is_named_with_its_cure(files: Path) -> None:
    (files / "empty").write_bytes(b"")
    (files / "other.key").write_bytes(private_key_to_pem(OTHER_KEY))
    (files / "swapped.pem").write_text(to_pem(MIDDLE) + to_pem(leaf()))
    (files / "huge").write_bytes(b"x" * 1_000_001)
    (files / "words").write_bytes(b"garbage\n")
    (files / "sealed.key").write_bytes(
        OTHER_KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )
    for changes, message, hint in (
        ({"key": "other.key"}, "does not belong to the first certificate", "made with"),
        (
            {"certificate": "swapped.pem"},
            "to the first certificate",
            "certificate first",
        ),
        ({"certificate": "nowhere"}, "no such file", "this user may read"),
        ({"certificate": "empty"}, "empty", ""),
        ({"certificate": "huge"}, "larger than a megabyte", ""),
        ({"certificate": "/dev/zero"}, "larger than a megabyte", ""),
        ({"key": "/dev/zero"}, "larger than a megabyte", ""),
        ({"certificate": "words"}, "words': no certificate: 8 bytes", "PEM"),
        ({"key": "server.pem"}, "no private key", ""),
        ({"key": "sealed.key"}, "sealed.key': the private key is enc", "openssl pkey"),
    ):
        with pytest.raises(LinekeyError) as caught:
            read(files, **changes)
        assert message in caught.value.message
        assert hint in caught.value.hint
        assert "BEGIN" not in caught.value.message
    with pytest.raises(LinekeyError) as caught:
        read_server_files(Settings(), files)
    assert "no server certificate is named" in caught.value.message


def test_modes_that_let_others_in_are_found(files: Path) -> None:
    files.chmod(0o700)
    assert check_modes(files, [files / "server.key"]) == []
    (files / "server.key").chmod(0o640)
    files.chmod(0o755)
    found = {f.rule: f for f in check_modes(files, [files / "server.key"])}
    assert set(found) == {"state.open", "key.open"}
    assert "chmod 600" in found["key.open"].cure


EC_KEY = new_key("ec", "secp256r1")


@pytest.fixture
def pair(files: Path) -> Path:
    """Beside the RSA pair, one of an EC key."""
    (files / "ec.pem").write_text(to_pem(leaf(key=EC_KEY)) + to_pem(MIDDLE))
    (files / "ec.key").write_bytes(private_key_to_pem(EC_KEY))
    (files / "ec.key").chmod(0o600)
    return files


@pytest.mark.parametrize("order", [("server", "ec"), ("ec", "server")])
def test_of_two_certificates_rsa_is_the_usual_one_whatever_the_order(
    pair: Path, order: tuple[str, str]
) -> None:
    settings = Settings(
        certificate=tuple(f"{name}.pem" for name in order),
        key=tuple(f"{name}.key" for name in order),
    )
    found = read_server_files(settings, pair)
    assert found.chain[0].key.kind == "rsa"
    assert [c[0].key.kind for c in found.chains] == ["ec", "rsa"]
    assert {f.rule for f in check_start(settings, found, [VENDOR_CA], NOW)} == set()


def test_what_is_wrong_with_the_second_certificate_is_found_too(pair: Path) -> None:
    ended = leaf(key=EC_KEY, not_after=NOW - timedelta(1))
    (pair / "ec.pem").write_text(to_pem(ended) + to_pem(MIDDLE))
    settings = Settings(
        certificate=("server.pem", "ec.pem"), key=("server.key", "ec.key")
    )
    files = read_server_files(settings, pair)
    assert files.ends_first[0] == ended
    found = {f.rule for f in check_start(settings, files, [VENDOR_CA], NOW)}
    assert found == {"certificate.expired"}


def test_of_two_certificates_it_is_said_which_one_is_meant(pair: Path) -> None:
    for name, key in (("server", KEY), ("ec", EC_KEY)):
        (pair / f"{name}.pem").write_text(to_pem(leaf(key=key)))
    settings = Settings(
        certificate=("server.pem", "ec.pem"), key=("server.key", "ec.key")
    )
    files = read_server_files(settings, pair)
    said = [f.message for f in check_start(settings, files, [VENDOR_CA], NOW)]
    assert [("RSA-2048 key" in m, "EC secp256r1 key" in m) for m in said] == [
        (True, False), (False, True),
    ]  # fmt: skip
    alone = replace(files, also=None)
    (one,) = check_start(settings, alone, [VENDOR_CA], NOW)
    assert "of two" not in one.message


@pytest.mark.parametrize(
    ("certificates", "keys", "told", "hint"),
    [
        ("server ec", "server", "certificates: 2, of keys: 1", "in the same order"),
        ("server", "server ec", "certificates: 1, of keys: 2", "in the same order"),
        ("server ec", "ec server", "ec.key' does not belong to", "in the cert"),
        ("server ec", "server server", "in '{files}/ec.pem'", "certificates' order"),
        (
            "server server",
            "server server",
            "RSA-2048 and RSA-2048",
            "one for an EC key",
        ),
        ("ec ec", "ec ec", "EC secp256r1 and EC secp256r1", "one for an RSA key"),
        ("server ec ec", "server ec ec", "no phone can tell", "name one certificate"),
    ],
)
def test_certificates_that_cannot_stand_side_by_side_are_refused(
    pair: Path, certificates: str, keys: str, told: str, hint: str
) -> None:
    settings = Settings(
        certificate=tuple(f"{name}.pem" for name in certificates.split()),
        key=tuple(f"{name}.key" for name in keys.split()),
    )
    with pytest.raises(LinekeyError) as caught:
        read_server_files(settings, pair)
    assert told.format(files=pair) in caught.value.message
    assert hint in caught.value.hint


def test_an_ended_ca_is_told_by_what_its_phones_get() -> None:
    over = made(
        name("Yealink Root CA"), OTHER_KEY, ca=True, not_after=NOW - timedelta(1)
    )
    for word, rule in (
        (Expired.REFUSE, "trust.expired"), (Expired.REGISTERED, "trust.expired_open"),
    ):  # fmt: skip
        findings = check_start(
            Settings(), ServerFiles((leaf(), MIDDLE), KEY), [over], NOW,
            expired=ExpiredRules(Expired.REFUSE, {over.public_key_sha256: word}),
        )  # fmt: skip
        (said,) = [f for f in findings if f.rule.startswith("trust.expired")]
        assert said.rule == rule
        assert said.severity == "warning"
        assert "linekey" in said.cure
