"""Another answer of the same server: a doubt where it decides, a warning where it waits."""

import pytest
from tests.certificates import DAY, NOW, ca, key, leaf
from tests.unit.check.flights import DONE, alert, certificates, dhe, ecdhe, server_hello

from linekey.catalog.profile import profile
from linekey.certs.certificate import Certificate
from linekey.check.answer import Answer, Reach
from linekey.check.assess import Question
from linekey.check.classes import PhoneClass, classes_of
from linekey.check.flight import AnswerReader
from linekey.check.phones import Setup, gather
from linekey.check.report import ClassResult, Outcome, Report
from linekey.check.run import check_answers
from linekey.check.variants import Change, variants_of
from linekey.phone.document import PhoneDocument
from linekey.tls.suites import SUITES
from linekey.trust.findings import Finding

NAME = "prov.example.com"
ROOT = ca("root")
GOOD = leaf(ROOT, NAME)
OTHER = leaf(ROOT, "other.example.com", cn=("other.example.com",))
EC = key("ec", "ec", "secp256r1")
OLD_EC = leaf(ROOT, NAME, leaf_key=EC, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
GOOD_EC = leaf(ROOT, NAME, leaf_key=EC)
RSA_SUITE, ECDSA_SUITE, DHE_SUITE = 0xC02F, 0xC02B, 0x009E


def flight(
    chain: Certificate, suite: int = RSA_SUITE, exchange: bytes | None = None
) -> Answer:
    if exchange is None:
        exchange = ecdhe() if SUITES[suite].key_exchange == "ECDHE" else b""
    reader = AnswerReader("192.0.2.1:443")
    reader.feed(server_hello(suite) + certificates((chain,)) + exchange + DONE)
    return reader.finish()


def refusing(number: int = 112) -> Answer:
    reader = AnswerReader("192.0.2.1:443")
    reader.feed(alert(number))
    return reader.finish()


def phones(
    model: str = "D785", firmware: str = "10.1.33.33", **settings: str
) -> PhoneClass:
    setup = Setup(
        certificates=(ROOT.certificate,),
        documents=(PhoneDocument.of_settings(settings),),
        authorities=(),
    )
    return classes_of(gather([profile(model, firmware)], NAME, setup, now=NOW).phones)[
        0
    ]


def report(
    own: Answer, others: dict[Change, Answer], who: PhoneClass | None = None
) -> Report:
    who = who or phones()
    hello = who.first.hello
    answers = {hello.wire_key: own}
    for variant in variants_of(hello, NAME):
        if variant.change in others:
            answers[variant.hello.wire_key] = others[variant.change]
    return check_answers(
        answers,
        [who],
        Question(NAME, NOW),
        label="x",
        host="x",
        port=443,
        checked_at=NOW,
    )


def look(
    own: Answer, others: dict[Change, Answer], who: PhoneClass | None = None
) -> ClassResult:
    return report(own, others, who).classes[0]


def of(result: ClassResult, rule: str) -> Finding:
    (found,) = [f for f in result.findings if f.rule == rule]
    return found


NAMELESS = {Change.SERVER_NAME: flight(OTHER)}


def test_a_default_certificate_of_another_is_the_first_thing_that_is_said() -> None:
    whole = report(flight(GOOD), NAMELESS)
    (result,) = whole.classes
    assert result.outcome is Outcome.ACCEPTED
    assert result.doubt == "depends on whether this firmware sends a server name (SNI)"
    assert whole.sentence == f"the phone would accept, but {result.doubt}"
    assert result.mark == "±"
    told = of(result, "phone.server-name")
    assert result.reason == told.message
    assert result.findings[0] is told
    assert f"without it the server shows {OTHER.label}, and the phone refuses" in (
        told.message
    )
    assert told.confidence == "L"
    assert "default_server" in told.cure


def test_the_same_holds_the_other_way_round() -> None:
    result = look(flight(OTHER), {Change.SERVER_NAME: flight(GOOD)})
    assert result.outcome is Outcome.PHONE_REFUSES
    assert result.reason == of(result, "phone.server-name").message


def test_a_server_that_refuses_the_name_itself_is_in_doubt_too() -> None:
    result = look(refusing(112), {Change.SERVER_NAME: flight(GOOD)})
    assert result.outcome is Outcome.SERVER_REFUSES
    assert "without it the server shows" in of(result, "phone.server-name").message


def test_a_row_without_a_name_says_whose_certificate_it_would_see() -> None:
    old = phones("370", "8.7.5.57")
    assert old.first.hello.client_hello.server_name is None
    result = look(
        flight(OTHER, 0x002F),
        {Change.SERVER_NAME: flight(GOOD, 0x002F)},
        old,
    )
    told = of(result, "tls.server-name")
    assert f"the server shows {OTHER.label} instead" in told.message
    assert told.severity == "warning"
    assert result.doubt == ""


def test_one_certificate_for_all_is_no_doubt_and_is_told() -> None:
    result = look(flight(GOOD), {Change.SERVER_NAME: flight(GOOD)})
    assert of(result, "phone.server-name").ok
    assert result.doubt == ""
    assert result.reason == "no objection"


def test_what_was_not_asked_adds_nothing() -> None:
    rules = {f.rule for f in look(flight(GOOD), {}).findings}
    assert not rules & {
        "phone.server-name", "phone.suite-order", "tls.suite-order",
        "tls.server-name", "chain.other-certificate",
    }  # fmt: skip


def test_a_second_certificate_that_has_expired_is_a_warning() -> None:
    result = look(flight(GOOD), {Change.ECDSA: flight(OLD_EC, ECDSA_SUITE)})
    told = of(result, "chain.other-certificate")
    assert result.outcome is Outcome.ACCEPTED
    assert told.severity == "warning"
    assert "expired" in told.message
    assert result.reason == told.message
    assert result.doubt == ""


def test_a_second_certificate_that_is_good_is_told() -> None:
    result = look(flight(GOOD), {Change.ECDSA: flight(GOOD_EC, ECDSA_SUITE)})
    assert of(result, "chain.other-certificate").ok
    assert result.failures == ()


def test_a_server_that_follows_the_phones_order_puts_the_verdict_in_doubt() -> None:
    other = flight(OLD_EC, ECDSA_SUITE)
    result = look(flight(GOOD), {Change.ORDER: other, Change.ECDSA: other})
    assert result.doubt == "depends on this firmware's order of suites"
    assert "expired" in of(result, "phone.suite-order").message


def test_a_small_dh_group_behind_a_curve_is_found() -> None:
    small = flight(GOOD, DHE_SUITE, dhe(512))
    turned = flight(GOOD, 0x002F)
    result = look(flight(GOOD), {Change.ORDER: turned, Change.DHE: small})
    told = of(result, "phone.suite-order")
    assert "512 bits" in told.message
    assert result.outcome is Outcome.ACCEPTED
    fixed = look(flight(GOOD), {Change.ORDER: flight(GOOD), Change.DHE: small})
    assert "phone.suite-order" not in {f.rule for f in fixed.findings}


def test_an_order_that_changes_the_suite_alone_is_a_note() -> None:
    result = look(flight(GOOD), {Change.ORDER: flight(GOOD, 0xC030)})
    assert of(result, "tls.suite-order").severity == "note"
    assert result.doubt == ""


@pytest.mark.parametrize("reach", [Reach.TIMED_OUT, Reach.NO_CONNECTION])
def test_a_variant_that_was_not_reached_puts_nothing_in_doubt(reach: Reach) -> None:
    lost = {Change.SERVER_NAME: Answer(reach, "lost")}
    result = look(flight(GOOD), lost)
    assert result.doubt == ""
    assert result.outcome is Outcome.ACCEPTED
