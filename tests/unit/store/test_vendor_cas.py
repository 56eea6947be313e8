from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.hostile import costly_rsa, crossing

import linekey.store.vendor_cas
from linekey.catalog.authorities import ALL_CAS
from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.build import HashName, Issuer, PrivateKey, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.errors import CertificateError, InputError
from linekey.lab.authority import LabAuthority
from linekey.provisioning.ca_rules import authority_of
from linekey.provisioning.expired import Expired
from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.database import Database
from linekey.store.registry import Registry
from linekey.store.vendor_cas import VendorCas, describe_ca, expired_rules

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEY: PrivateKey = new_key("ec", "secp256r1")


def make(
    name: str, issuer: Issuer | None = None, *, ca: bool | None = True, version: int = 3
) -> Certificate:
    return issue(
        Name.build([("O", "Yealink"), ("CN", name)]), KEY, issuer, serial=7,
        not_before=AT, not_after=AT + timedelta(days=9), ca=ca, version=version,
    )  # fmt: skip


ROOT = make("Some Root CA")
INTERMEDIATE = make("Some Intermediate", Issuer(ROOT, KEY))


def test_a_self_issued_ca_is_an_anchor_and_another_helps() -> None:
    root, intermediate = (describe_ca(c, AT) for c in (ROOT, INTERMEDIATE))
    assert (root.role, intermediate.role) == ("root", "intermediate")
    assert (root.known, root.generation) == (False, "sha256")


@pytest.mark.parametrize(
    "certificate",
    [
        make("000413AABBCC", Issuer(ROOT, KEY), ca=None),
        make("000413AABBCC", Issuer(ROOT, KEY), ca=False),
        make("000413AABBCC", ca=None, version=1),
    ],
    ids=["leaf", "leaf that says so", "self-signed version 1"],
)
def test_what_is_no_ca_is_refused_with_the_cure(certificate: Certificate) -> None:
    with pytest.raises(CertificateError, match="000413AABBCC") as raised:
        describe_ca(certificate, AT)
    assert "linekey device add" in raised.value.hint


def test_a_ca_whose_key_costs_too_much_is_refused_with_the_cure() -> None:
    with pytest.raises(CertificateError, match="exponent of 3,071 bits") as raised:
        describe_ca(crossing([costly_rsa()])[1], AT)
    assert "65537" in raised.value.hint


def test_the_list_keeps_each_ca_once_roots_first(database: Database) -> None:
    cas = VendorCas(database)
    both = [describe_ca(c, AT) for c in (INTERMEDIATE, ROOT)]
    assert cas.add(both) == both
    assert cas.add(both) == []
    assert [ca.certificate for ca in cas.all()] == [ROOT, INTERMEDIATE]
    assert cas.all()[0] == both[1]


CN = OperatorRule(TrustRule.CN_MAC)
PANASONIC = OperatorRule(TrustRule.VENDOR, "panasonic")


def test_md5_is_not_called_sha1_and_sha384_is_sha2() -> None:
    def made(kind: str, size: int | str, hash: HashName) -> str | None:
        key = new_key(kind, size)
        name = Name.build([("CN", hash)])
        dates = {"not_before": AT, "not_after": AT + timedelta(days=9)}
        certificate = issue(name, key, None, serial=1, hash=hash, ca=True, **dates)
        return describe_ca(certificate, AT).generation

    assert made("rsa", 1024, "md5") is None
    assert made("rsa", 1024, "sha1") == "sha1"
    assert made("ec", "secp384r1", "sha384") == "sha256"


def test_what_is_said_of_a_ca_is_kept_and_can_be_changed(database: Database) -> None:
    cas = VendorCas(database)
    root, middle = describe_ca(ROOT, AT, CN), describe_ca(INTERMEDIATE, AT)
    cas.add([root, middle])
    assert {ca.certificate: ca.said for ca in cas.all()} == {
        ROOT: CN,
        INTERMEDIATE: None,
    }
    assert cas.say(ROOT.sha256[:12], PANASONIC).said == PANASONIC
    assert cas.all()[0].vendor == "panasonic"
    assert cas.say(ROOT.sha256, None).said is None
    assert [ca.said for ca in cas.all()] == [None, None]


def test_adding_again_with_a_word_changes_and_without_leaves_it(
    database: Database,
) -> None:
    cas = VendorCas(database)
    cas.add([describe_ca(ROOT, AT)])
    assert cas.add([describe_ca(ROOT, AT, CN)]) == []
    assert cas.add([describe_ca(ROOT, AT)]) == []
    assert [ca.said for ca in cas.all()] == [CN]


def test_a_word_is_on_the_authority_and_all_its_certificates(
    database: Database,
) -> None:
    cas = VendorCas(database)
    renewed = issue(
        ROOT.subject, KEY, None, serial=8, not_before=AT, ca=True,
        not_after=AT + timedelta(days=99),
    )  # fmt: skip
    cas.add([describe_ca(ROOT, AT, CN)])
    assert [ca.said for ca in cas.add([describe_ca(renewed, AT)])] == [CN]
    cas.say(renewed.sha256, PANASONIC)
    assert [ca.said for ca in cas.all()] == [PANASONIC, PANASONIC]


async def test_each_change_of_a_rule_is_seen_by_readers(database: Database) -> None:
    cas = VendorCas(database)
    cas.add([describe_ca(ROOT, AT)])
    with Registry(database) as registry:
        first = await registry.authorities(await registry.revision())
        assert first.rules == {}
        cas.say(ROOT.sha256, CN)
        second = await registry.authorities(await registry.revision())
        assert second.version > first.version
        assert second.rules == {authority_of(ROOT): CN}
        cas.add([describe_ca(ROOT, AT, PANASONIC)])
        third = await registry.authorities(await registry.revision())
        assert third.rules == {authority_of(ROOT): PANASONIC}


def test_a_known_ca_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linekey.store.vendor_cas, "known_ca", lambda _: ALL_CAS[0])
    assert describe_ca(ROOT, AT, OperatorRule(TrustRule.SHARED, "snom")).said
    with pytest.raises(CertificateError, match="snom's, by its fingerprint") as raised:
        describe_ca(ROOT, AT, PANASONIC)
    assert "leave out --vendor" in raised.value.hint


@pytest.mark.parametrize(
    "spell",
    [
        lambda c: c.sha256,
        lambda c: c.sha256[:8].upper(),
        lambda c: c.sha1,
        lambda c: ":".join(c.sha1[i : i + 2] for i in range(0, 40, 2)).upper(),
    ],
    ids=["sha256", "its beginning", "sha1", "colons"],
)
def test_a_ca_is_removed_by_any_spelling_of_its_fingerprint(
    database: Database, spell: object
) -> None:
    cas = VendorCas(database)
    cas.add([describe_ca(c, AT) for c in (ROOT, INTERMEDIATE)])
    assert callable(spell)
    assert cas.remove(spell(ROOT)).certificate == ROOT
    assert [ca.certificate for ca in cas.all()] == [INTERMEDIATE]


@pytest.mark.parametrize("fingerprint", ["", "abc", "zz" * 20, "0" * 64])
def test_a_fingerprint_that_names_none_is_told(
    database: Database, fingerprint: str
) -> None:
    with pytest.raises(InputError) as raised:
        VendorCas(database).remove(fingerprint)
    assert "linekey trust list" in raised.value.hint


def test_a_phone_without_a_vendor_is_the_labs_where_only_the_lab_is_trusted(
    database: Database, tmp_path: Path
) -> None:
    lab = LabAuthority.open(tmp_path / "lab")
    authorities = VendorCas(database)
    assert authorities.usual_vendor() == "snom"
    authorities.add([describe_ca(c, AT) for c in lab.vendor_roots()])
    assert authorities.usual_vendor() == "lab-snom"


def test_a_word_on_ended_certificates_holds_for_the_cas_key_and_is_on_record(
    database: Database,
) -> None:
    cas = VendorCas(database)
    renewed = issue(
        ROOT.subject, KEY, None, serial=8, not_before=AT,
        not_after=AT + timedelta(days=99), ca=True,
    )  # fmt: skip
    cas.add([describe_ca(ROOT, AT), describe_ca(renewed, AT)])
    said = cas.say_of_expired(ROOT.sha256, Expired.REGISTERED)
    assert said.expired is Expired.REGISTERED
    assert {ca.expired for ca in cas.all()} == {Expired.REGISTERED}
    key = ROOT.public_key_sha256
    assert expired_rules(cas.all(), Expired.REFUSE).of([key]) is Expired.REGISTERED
    assert expired_rules(cas.all(), Expired.ACCEPT).of(["x"]) is Expired.ACCEPT
    with database.read() as connection:
        lines = read_changes(connection, ChangeSearch(), limit=9)
    assert any(
        (d.what, d.after) == ("expired certificates", "registered")
        for line in lines
        for d in line.details
    )
    cas.say_of_expired(ROOT.sha256, None)
    assert {ca.expired for ca in cas.all()} == {None}


async def test_servers_read_the_word_on_ended_certificates(database: Database) -> None:
    cas = VendorCas(database)
    cas.add([describe_ca(ROOT, AT)])
    with Registry(database) as registry:
        before = await registry.authorities(await registry.revision())
        assert before.expired == {}
        cas.say_of_expired(ROOT.sha256, Expired.ACCEPT)
        after = await registry.authorities(await registry.revision())
    assert after.version != before.version
    assert after.expired == {ROOT.public_key_sha256: Expired.ACCEPT}
