"""The phone tells why its certificate was refused, by what it showed."""

from datetime import UTC, datetime

import pytest
from tests.phone_pki import MAC, NOW, device

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem
from linekey.phone.identity import DeviceIdentity
from linekey.phone.own_refusal import cure_of_refusal
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.tls_log import note_connection
from linekey.tls.alerts import Alert
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
