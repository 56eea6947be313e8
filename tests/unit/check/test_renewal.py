"""Phones that have no cipher suite for a new key are told before it is deployed."""

from datetime import UTC, datetime

from tests import certificates

from linekey.catalog.models import find_model
from linekey.catalog.profile import profile
from linekey.check.forecast import Kind
from linekey.check.phones import Setup, gather_each
from linekey.check.renewal import unserved

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
RSA = certificates.server("prov.test").chain
ECDSA = certificates.server("prov.test", kind="ec", size="secp256r1").chain


def kind(model: str, firmware: str, mac: str) -> Kind:
    gathered = gather_each(
        [(profile(find_model(model), firmware), "", Setup())], None, now=NOW
    )
    return Kind(gathered.phones[0], (mac,))


OLD = kind("710", "8.7.5.35", "000413AABBCD")
NEW = kind("D785", "10.1.185.0", "000413AABBCC")


def test_a_phone_that_speaks_only_rsa_is_lost_with_an_ecdsa_key() -> None:
    (event,) = unserved([OLD, NEW], [RSA], [ECDSA], label="prov.test", at=NOW)
    assert event.macs == OLD.macs
    assert event.models == (("D710", "8.7.5.35", 1),)
    assert "1 phone refuses prov.test" in event.what
    assert "--key-type rsa" in event.cure
    assert event.cause


def test_nobody_is_lost_with_a_key_of_the_same_kind() -> None:
    assert unserved([OLD, NEW], [RSA], [RSA], label="prov.test", at=NOW) == ()
    assert unserved([NEW], [RSA], [ECDSA], label="prov.test", at=NOW) == ()


def test_who_has_none_today_is_not_lost() -> None:
    assert unserved([OLD], [ECDSA], [ECDSA], label="prov.test", at=NOW) == ()
    (event,) = unserved([OLD], (), [ECDSA], label="prov.test", at=NOW)
    assert event.macs == OLD.macs


def test_with_both_certificates_nobody_is_lost() -> None:
    both = [ECDSA, RSA]
    assert unserved([OLD, NEW], [RSA], both, label="prov.test", at=NOW) == ()
    (event,) = unserved([OLD, NEW], both, [ECDSA], label="prov.test", at=NOW)
    assert event.macs == OLD.macs
