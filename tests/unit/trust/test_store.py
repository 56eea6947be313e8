"""The four tabs keep SNOM-TLS's rules."""

import json
from datetime import timedelta

import pytest
from tests.certificates import DAY, NOW, ca, key, leaf

from linekey.certs.pem import to_pem
from linekey.errors import CertificateError, StorageError
from linekey.trust.store import (
    UNKNOWN_LIMIT,
    UPLOAD_LIMIT_BYTES,
    Origin,
    TrustStore,
    read_upload,
)

ROOT = ca("root")
MIDDLE = ca("middle", ROOT)
STRANGER = ca("stranger")
SERVER = leaf(MIDDLE, "prov.example.com")


def store() -> TrustStore:
    return TrustStore(authorities=(ROOT.certificate,))


def refused(s: TrustStore, cert=SERVER, at=NOW) -> TrustStore:  # type: ignore[no-untyped-def]
    return s.with_refused(
        cert, at=at, purpose="sip", peer="192.0.2.1:5061", reason="no path"
    )


def test_a_refused_certificate_lands_on_the_unknown_tab_with_when_and_why() -> None:
    (entry,) = refused(store()).unknown
    assert entry.certificate == SERVER
    assert (entry.seen, entry.purpose, entry.peer) == (NOW, "sip", "192.0.2.1:5061")
    assert entry.reason == "no path"
    assert entry.times == 1


def test_a_second_refusal_updates_the_row_instead_of_adding_one() -> None:
    other = leaf(STRANGER, "other.example.com")
    s = refused(refused(refused(store()), other), at=NOW + DAY)
    assert [u.certificate for u in s.unknown] == [SERVER, other]
    assert s.unknown[0].times == 2
    assert s.unknown[0].seen == NOW + DAY


def test_the_unknown_tab_is_bounded_and_keeps_the_newest() -> None:
    s = store()
    many = [leaf(STRANGER, serial=n) for n in range(1, UNKNOWN_LIMIT + 4)]
    for n, cert in enumerate(many):
        s = refused(s, cert, NOW + timedelta(seconds=n))
    assert len(s.unknown) == UNKNOWN_LIMIT
    assert [u.certificate for u in s.unknown] == list(reversed(many[3:]))


def test_an_exception_moves_the_certificate_and_vouches_for_nothing_else() -> None:
    self_signed = leaf(None, "pbx.example.com", ca=True)
    intake = refused(store(), self_signed).add_exception(self_signed, at=NOW)
    assert intake.accepted
    assert intake.store.unknown == ()
    (entry,) = intake.store.server_certificates
    assert entry.origin is Origin.EXCEPTED
    assert intake.store.is_exception(self_signed)
    assert self_signed not in intake.store.anchors


def test_only_what_was_refused_can_become_an_exception() -> None:
    before = store()
    intake = before.add_exception(SERVER, at=NOW)
    assert not intake.accepted
    assert intake.store == before
    assert "not among the unknown" in intake.reason


def test_an_upload_signed_by_an_authority_is_taken() -> None:
    intake = refused(store(), MIDDLE.certificate).upload(MIDDLE.certificate, at=NOW)
    assert intake.accepted
    assert "CN=root" in intake.reason
    assert intake.store.unknown == ()
    assert MIDDLE.certificate in intake.store.anchors


def test_an_upload_signed_by_a_server_certificate_is_taken() -> None:
    first = store().upload(MIDDLE.certificate, at=NOW).store
    assert first.upload(SERVER, at=NOW).accepted
    assert not store().upload(SERVER, at=NOW).accepted


def test_every_attempt_to_upload_an_unknown_certificate_fails() -> None:
    intake = store().upload(STRANGER.certificate, at=NOW)
    assert not intake.accepted
    assert intake.store == store()
    assert "signed by none" in intake.reason


def test_a_namesake_of_an_authority_with_another_key_signs_nothing() -> None:
    impostor = ca("root", own=key("impostor"))
    forged = leaf(impostor, "prov.example.com")
    assert not store().upload(forged, at=NOW).accepted


def test_an_excepted_certificate_signs_nothing() -> None:
    selfmade = ca("selfmade")
    s = refused(store(), selfmade.certificate)
    s = s.add_exception(selfmade.certificate, at=NOW).store
    assert not s.upload(leaf(selfmade, "x.example.com"), at=NOW).accepted


@pytest.mark.parametrize("hash_name", ["sha1", "md5", "sha256"])
def test_the_signed_by_rule_knows_old_hashes(hash_name: str) -> None:
    cert = leaf(ROOT, "old.example.com", hash=hash_name)
    assert store().upload(cert, at=NOW).accepted


def test_provisioning_needs_a_signer_before_8_7_5_52_and_none_after() -> None:
    cert = STRANGER.certificate
    old = store().provision(cert, at=NOW, signed_by_rule=True)
    new = store().provision(cert, at=NOW, signed_by_rule=False)
    assert not old.accepted
    assert new.accepted
    assert cert in new.store.anchors


def test_provisioning_twice_changes_nothing() -> None:
    once = store().provision(SERVER, at=NOW, signed_by_rule=False).store
    twice = once.provision(SERVER, at=NOW + DAY, signed_by_rule=False)
    assert twice.accepted
    assert twice.store == once


def test_a_provisioned_ca_that_was_an_exception_becomes_an_anchor_too() -> None:
    cert = STRANGER.certificate
    s = refused(store(), cert).add_exception(cert, at=NOW).store
    s = s.provision(cert, at=NOW, signed_by_rule=False).store
    assert s.is_exception(cert)
    assert cert in s.anchors


def test_a_version_1_leaf_is_no_anchor_but_a_self_signed_one_is() -> None:
    plain = {"version": 1, "key_ids": False}
    below = leaf(ROOT, **plain)
    top = leaf(None, **plain)
    s = store().provision(below, at=NOW, signed_by_rule=False).store
    s = s.provision(top, at=NOW, signed_by_rule=False).store
    assert below not in s.anchors
    assert top in s.anchors


def test_removing_takes_it_off_both_tabs_and_leaves_the_authorities() -> None:
    s = store().provision(SERVER, at=NOW, signed_by_rule=False).store
    s = s.with_ieee8021x(SERVER).with_ieee8021x(SERVER)
    assert s.ieee8021x == (SERVER,)
    assert s.without(SERVER) == store()
    assert s.without(ROOT.certificate).authorities == (ROOT.certificate,)


def test_a_factory_reset_leaves_what_the_firmware_brings() -> None:
    s = refused(store().provision(SERVER, at=NOW, signed_by_rule=False).store, SERVER)
    s = s.with_ieee8021x(SERVER)
    assert s.factory_reset() == store()


def test_8021x_certificates_vouch_for_no_tls_server() -> None:
    assert (
        STRANGER.certificate not in store().with_ieee8021x(STRANGER.certificate).anchors
    )


def test_the_store_survives_a_trip_through_json() -> None:
    s = refused(store().provision(SERVER, at=NOW, signed_by_rule=False).store)
    s = s.with_ieee8021x(ROOT.certificate)
    text = json.dumps(s.as_dict())
    assert TrustStore.from_dict(json.loads(text), s.authorities) == s
    assert TrustStore.from_dict(json.loads(text)).authorities == ()


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(format=99),
        lambda d: d.pop("unknown"),
        lambda d: d["ieee8021x"].append("!!"),
        lambda d: d["ieee8021x"].append("AAAA"),
        lambda d: d["ieee8021x"].append(7),
        lambda d: d["server_certificates"].append({"der": ""}),
        lambda d: d["unknown"][0].update(seen="2026-01-01T00:00:00"),
        lambda d: d["unknown"][0].update(times="many"),
    ],
)
def test_a_damaged_document_is_a_storage_error(damage) -> None:  # type: ignore[no-untyped-def]
    document = refused(store()).as_dict()
    damage(document)
    with pytest.raises(StorageError):
        TrustStore.from_dict(document)


def test_a_der_file_can_be_uploaded() -> None:
    assert read_upload(SERVER.der) == SERVER


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (to_pem(SERVER).encode(), "PEM, not DER"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA", "private key"),
        (bytes(2 * 1024 * 1024), str(UPLOAD_LIMIT_BYTES)),
        (b"hello", ""),
        (SERVER.der + b"\0", ""),
        (SERVER.der * 2, ""),
    ],
)
def test_anything_else_is_refused_with_its_reason(data: bytes, said: str) -> None:
    with pytest.raises(CertificateError) as error:
        read_upload(data)
    assert said in error.value.message
