"""Each cure follows from what was shown, what was named, and which alert came."""

from datetime import UTC, datetime

import pytest

from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.tls.alerts import Alert
from linekey.trust.client_refusal import causes, cures_of, most_likely

NOW = datetime(2026, 11, 28, tzinfo=UTC)
KEY = new_key("rsa", 2048)
SMALL = new_key("rsa", 1024)
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


def made(cn: str, issuer: Issuer | None = None, **how: object) -> Certificate:
    given: dict[str, object] = {
        "serial": 7, "not_before": START, "not_after": END, "ca": False,
        "hash": "sha256", **how,
    }  # fmt: skip
    key = given.pop("key", KEY)
    return issue(Name.build([("CN", cn)]), key, issuer, **given)  # type: ignore[arg-type]


ROOT = made("root", ca=True)
OVER = Issuer(ROOT, KEY)
MID = made("mid", OVER, ca=True)
LOW = made("low", Issuer(MID, KEY), ca=True)
GOOD = (made("phone", OVER),)
ONE = (made("phone", Issuer(MID, KEY)), MID)
TWO = (made("phone", Issuer(LOW, KEY)), LOW, MID)
OLD = (made("phone", OVER, not_after=datetime(2021, 1, 1, tzinfo=UTC)),)
EARLY = (made("phone", OVER, not_before=datetime(2030, 1, 1, tzinfo=UTC)),)
SHA1 = (made("phone", OVER, hash="sha1"),)
RSA1024 = (made("phone", OVER, key=SMALL),)
SERVER = (made("phone", OVER, extended_key_usage=["serverAuth"]),)
CLIENT = (made("phone", OVER, extended_key_usage=["clientAuth"]),)
NAMED = (ROOT.subject,)
OTHER = (Name.build([("CN", "another")]),)


@pytest.mark.parametrize(
    ("shown", "named", "alert", "code", "cure"),
    [
        (GOOD, OTHER, None, "authority", "ssl_client_certificate"),
        (GOOD, OTHER, Alert.UNKNOWN_CA, "authority", "import the authority"),
        (ONE, NAMED, None, "depth", "ssl_verify_depth 2"),
        (TWO, NAMED, Alert.UNKNOWN_CA, "depth", "SSLVerifyDepth 3"),
        (SHA1, NAMED, None, "level", "ssl_ciphers DEFAULT:@SECLEVEL=0"),
        (SHA1, NAMED, Alert.BAD_CERTIFICATE, "level", "@SECLEVEL=0"),
        (RSA1024, NAMED, None, "level", "@SECLEVEL=1"),
        (RSA1024, (), Alert.BAD_CERTIFICATE, "level", "@SECLEVEL=1"),
        (SERVER, NAMED, None, "purpose", "extendedKeyUsage = clientAuth"),
        (SERVER, NAMED, Alert.UNSUPPORTED_CERTIFICATE, "purpose", "clientAuth"),
        (OLD, NAMED, None, "expired", "renew"),
        (OLD, NAMED, Alert.CERTIFICATE_EXPIRED, "expired", "renew"),
        (EARLY, NAMED, Alert.BAD_CERTIFICATE, "not-yet", "wait"),
        (GOOD, NAMED, Alert.CERTIFICATE_EXPIRED, "clock", "NTP"),
        (GOOD, NAMED, None, "elsewhere", "revocation list"),
        (CLIENT, NAMED, Alert.UNKNOWN_CA, "elsewhere", "server's log"),
        # What an alert rules out is not said, whatever was shown.
        (SHA1, OTHER, Alert.UNKNOWN_CA, "authority", "import"),
        (SERVER, OTHER, Alert.BAD_CERTIFICATE, "purpose", "clientAuth"),
    ],
)
def test_the_evidence_gives_the_cure(
    shown: tuple[Certificate, ...],
    named: tuple[Name, ...],
    alert: Alert | None,
    code: str,
    cure: str,
) -> None:
    first = causes(shown, named, alert, NOW)[0]
    assert first.code == code
    assert cure in first.cure
    if named == NAMED:
        assert "import the authority" not in cures_of(causes(shown, named, alert, NOW))


@pytest.mark.parametrize(
    ("shown", "alert"),
    [
        ((), Alert.UNKNOWN_CA),
        (GOOD, Alert.CERTIFICATE_REVOKED),
        (GOOD, Alert.ACCESS_DENIED),
        (GOOD, Alert.UNSUPPORTED_CERTIFICATE),
    ],
)
def test_where_the_evidence_says_nothing_the_alerts_own_words_stand(
    shown: tuple[Certificate, ...], alert: Alert
) -> None:
    assert causes(shown, (), alert, NOW) == []
    assert most_likely([]) == cures_of([]) == ""


def test_two_causes_are_both_told_the_likelier_first() -> None:
    shown = (made("phone", Issuer(MID, KEY), hash="sha1"), MID)
    found = causes(shown, NAMED, None, NOW)
    assert [c.code for c in found] == ["level", "depth"]
    assert cures_of(found).index("SECLEVEL") < cures_of(found).index("ssl_verify_depth")


@pytest.mark.parametrize(
    ("types", "signatures", "fits"),
    [
        ((1, 64), (0x0401,), True), ((64,), (), False), ((), (0x0403,), False),
        ((1,), (0x0804,), True), ((), (), True), ((1,), (0x0403, 0x0201), True),
    ],
)  # fmt: skip
def test_a_request_without_room_for_the_key_is_told(
    types: tuple[int, ...], signatures: tuple[int, ...], fits: bool
) -> None:
    alert = Alert.UNSUPPORTED_CERTIFICATE
    found = causes(GOOD, NAMED, alert, NOW, types=types, signatures=signatures)
    assert (found == []) is fits
    assert fits or (found[0].code == "type" and "RSA" in found[0].cure)
