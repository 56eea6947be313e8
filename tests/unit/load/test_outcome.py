"""Failures have codes, by what the phone's connection and the server's status say."""

from dataclasses import replace

import pytest

from linekey.load.outcome import REASONS, of_connection, of_round, of_status
from linekey.mac import Mac
from linekey.phone.state import FetchedDocument, PhoneState, Status, new_phone
from linekey.tls.alerts import Alert
from linekey.trust.connection import ConnectionReport, Purpose
from linekey.trust.findings import Verdict

NOTHING = ConnectionReport(Purpose.PROVISIONING, "localhost:1", False, error="refused")


def ended(status: Status, *fetched: FetchedDocument) -> PhoneState:
    state = new_phone(Mac("000413AABBCC"), "D785", "10.1.33.33")
    return replace(state, status=status, status_reason="why", fetched=fetched)


def page(status: int, reason: str = "said") -> FetchedDocument:
    return FetchedDocument("https://localhost/x", status, False, reason)


def test_connections() -> None:
    assert of_connection(NOTHING) == "load.no_connection"
    alert = replace(NOTHING, alert_received=Alert.UNKNOWN_CA)
    assert of_connection(alert) == "load.phone_refused"


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "load.shed"), (429, "load.shed"), (403, "load.request_refused"),
     (404, "load.request_refused"), (500, "load.server_failed"),
     (302, "load.not_applied")],
)  # fmt: skip
def test_statuses(status: int, code: str) -> None:
    assert of_status(status) == code


def test_a_round_that_provisioned_the_phone_is_fine_whatever_is_missing() -> None:
    assert of_round(ended(Status.PROVISIONED, page(404)), NOTHING) == ("", "")


@pytest.mark.parametrize(
    ("fetched", "code"),
    [
        ((page(404), page(403)), "load.request_refused"),
        ((page(404), page(404)), "load.request_refused"),
        ((page(503), page(404)), "load.shed"),
        ((page(0),), "load.no_answer"),
        ((page(200),), "load.not_applied"),
        ((), "load.not_applied"),
    ],
)
def test_a_round_that_failed_has_the_code_of_its_worst_answer(
    fetched: tuple[FetchedDocument, ...], code: str
) -> None:
    found, text = of_round(ended(Status.REFUSED, *fetched), None)
    assert found == code
    assert text


def test_a_connection_that_failed_says_more_than_the_round() -> None:
    code, text = of_round(ended(Status.FAILED, page(0)), NOTHING)
    assert (code, text) == ("load.no_connection", "refused")


def test_every_code_has_a_sentence_and_a_cure() -> None:
    for code, row in REASONS.items():
        assert code.startswith("load.")
        assert row.sentence
        assert row.cure, code
        assert not row.sentence.endswith(".")


def test_the_phones_own_refusal_comes_first() -> None:
    refused = Verdict(accepted=False, findings=())
    report = replace(NOTHING, verdict=refused, alert_received=Alert.UNKNOWN_CA)
    assert of_connection(report) == "load.server_refused"
