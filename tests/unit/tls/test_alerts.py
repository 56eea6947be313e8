"""Alerts: their numbers, their record, and that every one has its words."""

import pytest

from linekey.tls.alerts import Alert, cure, explain, parse_alert, record


@pytest.mark.parametrize("alert", list(Alert), ids=lambda a: a.label)
def test_every_alert_is_explained_in_half_a_sentence(alert):
    text = explain(alert)
    assert text
    assert text[0].islower()
    assert not text.endswith(".")
    assert not cure(alert).endswith(".")


def test_alerts_an_administrator_meets_have_a_cure():
    for alert in Alert:
        if 40 <= alert <= 49 and alert not in {41, 47}:
            assert cure(alert), alert.label


def test_numbers_become_alerts_or_none():
    assert parse_alert(48) is Alert.UNKNOWN_CA
    assert parse_alert(200) is None


def test_an_alert_record_is_seven_bytes():
    assert record(Alert.UNKNOWN_CA, 0x0303) == bytes.fromhex("15030300020230")
    assert record(Alert.PROTOCOL_VERSION, 0x0300) == bytes.fromhex("15030000020246")
    # RFC 8446 §5.1: no record says more than TLS 1.2
    assert record(Alert.CLOSE_NOTIFY, 0x0304, level=1) == bytes.fromhex(
        "15030300020100"
    )
