"""The phone tells why its certificate was refused, by what it showed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.certificates import MAC, NOW, ca, device, leaf

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem
from linekey.phone.identity import DeviceIdentity
from linekey.phone.own_refusal import cure_of_answer, cure_of_refusal
from linekey.phone.state import LastTls, PhoneState, new_phone
from linekey.phone.tls_log import note_connection
from linekey.tls.alerts import Alert
from linekey.tls.suites import SUITES
from linekey.tls.versions import Version
from linekey.trust.client_refusal import CertificateWish
from linekey.trust.connection import ConnectionReport, Purpose

SMALL = new_key("rsa", 1024)
OLD = issue(
    Name.build([("CN", str(MAC))]), SMALL, None, serial=1, ca=False, hash="sha1",
    not_before=datetime(2010, 1, 1, tzinfo=UTC),
    not_after=datetime(2040, 1, 1, tzinfo=UTC),
)  # fmt: skip


def phone(identity: DeviceIdentity) -> PhoneState:
    return new_phone(MAC, "D715", "8.9.3.60", builtin=identity)


@pytest.mark.parametrize("alert", [None, Alert.BAD_CERTIFICATE])
def test_a_small_key_is_told_with_the_level_that_takes_it(alert: Alert | None) -> None:
    state = phone(DeviceIdentity((OLD,), private_key_to_pem(SMALL)))
    assert "@SECLEVEL=" in cure_of_refusal(state, alert, NOW)


def test_what_the_alert_rules_out_is_not_told() -> None:
    state = phone(DeviceIdentity((OLD,), private_key_to_pem(SMALL)))
    assert cure_of_refusal(state, Alert.CERTIFICATE_REVOKED, NOW) == ""


def test_a_clock_at_1970_accuses_nobody() -> None:
    early = datetime(1970, 1, 1, tzinfo=UTC)
    assert cure_of_refusal(phone(device(MAC)), Alert.BAD_CERTIFICATE, early) == ""


def test_it_stands_on_the_screen() -> None:
    state = phone(DeviceIdentity((OLD,), private_key_to_pem(SMALL)))
    report = ConnectionReport(
        Purpose.PROVISIONING, "prov.example:443", False, client_certificate=OLD,
        client_certificate_asked=True, alert_received=Alert.BAD_CERTIFICATE,
        error="the server refused",
    )  # fmt: skip
    (notice,) = note_connection(state, report, NOW).notifications
    assert "@SECLEVEL=1" in notice.cure


LOW = ca("low", MIDDLE := ca("middle", ROOT := ca("root")))
CHAIN = (leaf(LOW, "phone.example.com"), LOW.certificate, MIDDLE.certificate)
NAMED = {
    "SSLVerifyDepth 3": CertificateWish(authorities=(ROOT.certificate.subject,)),
    "import the authority": CertificateWish(
        authorities=(ca("other").certificate.subject,)
    ),
}


@pytest.mark.parametrize("cure", NAMED)
def test_whom_the_server_named_tells_depth_from_authority(cure: str) -> None:
    state = phone(DeviceIdentity(CHAIN, b""))
    alerted = cure_of_refusal(state, Alert.UNKNOWN_CA, NOW, NAMED[cure])
    assert cure in alerted
    assert not any(other in alerted for other in NAMED if other != cure)
    # in HTTP it comes after the handshake, and is that server's alone
    kept = replace(
        state,
        last_tls=LastTls("provisioning", "a.test:443", "TLSv1.2", "", NAMED[cure]),
    )
    assert cure_of_answer(kept, "https://a.test/x.htm", NOW) == alerted
    assert cure_of_answer(kept, "https://b.test/x.htm", NOW) == ""


def test_a_resumed_session_keeps_what_the_first_one_asked() -> None:
    wish = NAMED["import the authority"]
    first = ConnectionReport(
        Purpose.PROVISIONING, "a.test:443", True, version=Version.TLS1_2,
        suite=SUITES[0x009C], client_certificate_asked=True, wish=wish,
    )  # fmt: skip
    state = note_connection(phone(device(MAC)), first, NOW)
    again = replace(first, wish=None, resumed=True)
    assert note_connection(state, again, NOW).last_tls.wish == wish
    elsewhere = replace(again, peer="b.test:443")
    assert note_connection(state, elsewhere, NOW).last_tls.wish is None
