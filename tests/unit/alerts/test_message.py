"""Messages: for programs and for people; nothing in them that could not be read."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from linekey.alert_settings import ALERT_KINDS
from linekey.alerts.kinds import WATCHED, Kind
from linekey.alerts.message import LISTED, Item, document, mail, message_id, summary

NOW = datetime(2026, 11, 29, 12, 0, 5, tzinfo=UTC)


def some(count: int = 1, label: str = "Hall") -> dict[str, object]:
    items = [Item(NOW, f"0004130{n:05X}", label, "D785") for n in range(count)]
    return document(
        Kind.REFUSED, NOW, server="phones1", cause="expired",
        sentence="the certificate has expired", cure="renew it", items=items,
        count=count,
    )  # fmt: skip


def read(sent: EmailMessage) -> EmailMessage:
    """As a mail program does."""
    found = message_from_bytes(sent.as_bytes(), policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_a_message_has_the_form_of_standard_webhooks() -> None:
    found = some()
    assert set(found) == {"type", "timestamp", "data"}
    assert found["type"] == "phone.refused"
    assert found["timestamp"] == "2026-11-29T12:00:05+00:00"
    assert found["data"] == {
        "server": "phones1", "cause": "expired", "cure": "renew it", "more": 0,
        "summary": "1 phone is refused: the certificate has expired",
        "sentence": "the certificate has expired", "count": 1,
        "items": [{"mac": "000413000000", "label": "Hall", "model": "D785",
                   "since": "2026-11-29T12:00:05+00:00"}],
    }  # fmt: skip


def test_three_thousand_phones_are_a_hundred_and_a_number() -> None:
    found = some(3000)
    data = found["data"]
    assert isinstance(data, dict)
    assert (len(data["items"]), data["more"]) == (LISTED, 3000 - LISTED)
    assert data["summary"].startswith("3,000 phones are refused")
    text = read(mail("msg_1", found, sender="l@example.com", to=["a@example.com"]))
    assert "… and 2,900 more." in text.get_content()


def test_mail_is_plain_text_and_answers_nobody() -> None:
    sent = mail(
        "msg_1", some(), sender="linekey <l@example.com>", to=["a@b.c", "d@e.f"]
    )
    got = read(sent)
    assert got["To"] == "a@b.c, d@e.f"
    assert got["Subject"] == (
        "[linekey] 1 phone is refused: the certificate has expired"
    )
    assert got["Message-ID"] == "<msg_1@example.com>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got.get_content_type() == "text/plain"
    body = got.get_content()
    assert "What to do: renew it." in body
    assert "- 000413000000, D785, Hall (since 2026-11-29 12:00 UTC)" in body


@pytest.mark.parametrize(
    "label", ["x\r\nBcc: evil@example.com", "a\0b\x1b[31m", "Böro 7 „Süd“", "x" * 900]
)
def test_a_label_cannot_add_a_header_or_a_line(label: str) -> None:
    got = read(mail("msg_1", some(label=label), sender="l@e.f", to=["a@b.c"]))
    assert got["Bcc"] is None
    (line,) = (x for x in got.get_content().splitlines() if x.startswith("- 0004"))
    assert line.isprintable()
    assert len(line) < 200
    assert "evil@example.com" not in got.get_content().splitlines()


def test_each_kind_has_a_summary_for_one_and_for_many() -> None:
    for kind in Kind:
        one, many = summary(kind, "server's certificate", 1), summary(kind, "x", 3000)
        assert one
        if kind is not Kind.TEST:
            assert "3,000" in many
            assert "1 " in one


def test_ids_are_never_the_same_and_kinds_are_those_of_the_settings() -> None:
    assert len({message_id() for _ in range(1000)}) == 1000
    assert tuple(kind.value for kind in WATCHED) == ALERT_KINDS
