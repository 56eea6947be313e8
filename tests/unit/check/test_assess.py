"""Three outcomes that are never confused, and what each rests on."""

from dataclasses import replace

import pytest
from tests.certificates import NOW, ca, key, leaf
from tests.unit.check.flights import (
    DONE,
    alert,
    certificates,
    dhe,
    ecdhe,
    message,
    record,
    request,
    server_hello,
    vector,
)  # fmt: skip

from linekey.catalog.models import find_model
from linekey.catalog.profile import newest_firmware, profile
from linekey.certs.dn import Name
from linekey.check.answer import Answer, Late, Reach
from linekey.check.assess import Question, assess_answer, assess_unknown
from linekey.check.classes import PhoneClass, classes_of
from linekey.check.flight import AnswerReader
from linekey.check.hellos import derive
from linekey.check.phones import Setup, gather
from linekey.check.report import ClassResult, Outcome
from linekey.phone.document import PhoneDocument
from linekey.tls.alerts import Alert
from linekey.trust.http_refusal import read_http_refusal

NAME = "prov.example.com"
ROOT = ca("root")
MIDDLE = ca("middle", ROOT)
CHAIN = (leaf(MIDDLE, NAME), MIDDLE.certificate)
QUESTION = Question(NAME, NOW)
FLIGHT = server_hello() + certificates(CHAIN) + ecdhe()


def phones(model: str = "D785", firmware: str = "10.1.33.33") -> PhoneClass:
    setup = Setup(certificates=(ROOT.certificate,), authorities=())
    gathered = gather([profile(model, firmware)], NAME, setup, now=NOW)
    return classes_of(gathered.phones)[0]


def answer(data: bytes) -> Answer:
    reader = AnswerReader("192.0.2.1:443")
    reader.feed(data)
    return reader.finish()


def assess(
    said: Answer,
    who: PhoneClass | None = None,
    question: Question = QUESTION,
    *,
    others: bool = True,
) -> ClassResult:
    return assess_answer(who or phones(), said, question, others_answered=others)


def failed(result: ClassResult) -> list[str]:
    return [f.rule for f in result.findings if f.refuses]


def warned(result: ClassResult) -> list[str]:
    return [f.rule for f in result.warnings]


def test_a_good_server_is_accepted() -> None:
    result = assess(answer(FLIGHT + DONE))
    assert result.outcome is Outcome.ACCEPTED
    assert failed(result) == []
    assert warned(result) == []
    assert result.negotiated == {
        "version": "TLSv1.2",
        "suite": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "key_exchange": "ECDHE",
        "group": "secp256r1",
        "dh_bits": None,
    }


@pytest.mark.parametrize(
    ("reach", "rule"),
    [
        (Reach.NO_NAME, "reach.name"),
        (Reach.NO_CONNECTION, "reach.connect"),
        (Reach.TIMED_OUT, "reach.time"),
        (Reach.NOT_TLS, "reach.tls"),
        (Reach.MALFORMED, "reach.malformed"),
    ],
)
def test_what_cannot_be_reached_is_nobodys_refusal(reach: Reach, rule: str) -> None:
    result = assess(Answer(reach, "because"))
    assert result.outcome is Outcome.UNREACHABLE
    assert failed(result) == [rule]


@pytest.mark.parametrize(
    ("heard", "rule"),
    [(answer(b""), "reach.tls"), (Answer(Reach.SILENT, "no answer"), "reach.time")],
    ids=["hangs up", "silent"],
)
def test_no_word_is_a_refusal_only_where_others_were_answered(
    heard: Answer, rule: str
) -> None:
    alone, beside = assess(heard, others=False), assess(heard, others=True)
    assert (alone.outcome, failed(alone)) == (Outcome.UNREACHABLE, [rule])
    assert (beside.outcome, failed(beside)) == (Outcome.SERVER_REFUSES, ["tls.alert"])


@pytest.mark.parametrize(
    ("number", "rule"),
    [(70, "tls.version"), (40, "tls.suite"), (71, "tls.suite"), (112, "tls.alert")],
)
def test_an_alert_to_the_hello_is_the_servers_refusal(number: int, rule: str) -> None:
    result = assess(answer(alert(number)))
    assert result.outcome is Outcome.SERVER_REFUSES
    assert failed(result) == [rule]
    assert result.alert == Alert(number).label
    assert {c.kind for c in result.cures} == {"nginx", "haproxy", "apache"}


def test_a_phone_that_no_library_speaks_with_gets_no_line_for_nginx() -> None:
    result = assess(answer(alert(40)), phones("300", "8.7.3.25.9"))
    assert result.outcome is Outcome.SERVER_REFUSES
    assert result.cures == ()
    assert "update the phone" in result.findings[0].cure


def test_openssls_internal_error_to_an_old_version_is_explained() -> None:
    result = assess(answer(alert(80)), phones("370", "8.7.5.57"))
    assert "security level" in result.findings[0].message


def test_the_phones_refusal_comes_before_the_servers() -> None:
    bad = (leaf(None, NAME),)
    said = answer(server_hello() + certificates(bad) + ecdhe() + request() + DONE)
    late = Late(False, False, Alert.UNKNOWN_CA, detail="refused")
    result = assess(replace(said, late=late))
    assert result.outcome is Outcome.PHONE_REFUSES
    assert failed(result) == ["chain.self-signed", "client.refused"]
    assert result.alert == "unknown_ca"
    assert result.cures[0].kind == "xml"


def test_a_late_refusal_is_the_servers() -> None:
    said = answer(FLIGHT + request() + DONE)
    late = Late(True, False, Alert.CERTIFICATE_EXPIRED, detail="late")
    result = assess(replace(said, late=late))
    assert result.outcome is Outcome.SERVER_REFUSES
    assert failed(result) == ["client.refused"]
    assert "after the handshake" in result.reason


def test_a_refusal_in_http_is_a_refusal() -> None:
    said = answer(FLIGHT + request() + DONE)
    page = b"<h1>400 Bad Request</h1>The SSL certificate error"
    http = read_http_refusal(400, page)
    late = Late(True, True, None, 400, "HTTP/1.1 400 Bad Request", said=http)
    assert failed(assess(replace(said, late=late))) == ["client.refused"]


def test_a_finished_handshake_alone_is_no_acceptance() -> None:
    said = answer(FLIGHT + request() + DONE)
    result = assess(replace(said, late=Late(True, False, None)))
    assert "client.answered" in warned(result)
    good = assess(replace(said, late=Late(True, True, None, 404, "HTTP/1.1 404")))
    assert warned(good) == []


def test_where_nobody_asked_a_try_tells_of_refusals_and_second_handshakes_alone() -> (
    None
):
    said = answer(FLIGHT + DONE)
    plain = assess(replace(said, late=Late(True, True, None, 200, "HTTP/1.1 200 OK")))
    (asked,) = (f for f in plain.findings if f.rule == "client.asked")
    assert (asked.severity, asked.ok) == ("note", False)
    assert not any(f.rule == "client.answered" for f in plain.findings)
    http = read_http_refusal(403, b"a client certificate is required")
    closed = assess(replace(said, late=Late(True, True, None, 403, "", said=http)))
    assert failed(closed) == ["client.refused"]
    again = Late(True, False, Alert.HANDSHAKE_FAILURE, renegotiation_asked=True)
    late = assess(replace(said, late=again))
    assert (late.outcome, warned(late)) == (Outcome.ACCEPTED, ["client.asked"])
    assert "SSLVerifyClient" in str(late.as_dict())


def test_names_of_cas_that_exclude_the_phone_are_warned_of() -> None:
    snom = Name.build([("CN", "snom technology AG SHA-256 CA")])
    other = Name.build([("CN", "Somebody Else")])
    good = assess(answer(FLIGHT + request([other, snom]) + DONE))
    assert "client.ca-names" not in warned(good)
    bad = assess(answer(FLIGHT + request([other]) + DONE))
    assert "client.ca-names" in warned(bad)
    assert bad.outcome is Outcome.ACCEPTED
    none = assess(answer(FLIGHT + request([]) + DONE))
    assert "client.ca-names" not in warned(none)


def test_a_given_identity_is_held_against_the_names_instead() -> None:
    mine = (leaf(MIDDLE, cn=("000413AABBCC",)), MIDDLE.certificate)
    question = replace(QUESTION, identity=mine)
    said = answer(FLIGHT + request([ROOT.certificate.subject]) + DONE)
    assert "client.ca-names" not in warned(assess(said, question=question))


def test_a_request_that_takes_no_rsa_is_warned_of() -> None:
    assert "client.type" in warned(
        assess(answer(FLIGHT + request(types=b"\x40") + DONE))
    )


def test_a_phone_signs_with_what_its_hello_offers_whatever_its_certificate() -> None:
    who = phones("D715", "8.7.5.35")  # TLS 1.2, and a SHA-1 certificate
    only = answer(FLIGHT + request(algorithms=(0x0401,)) + DONE)
    assert "client.signature" not in warned(assess(only, who))
    ecdsa = answer(FLIGHT + request(algorithms=(0x0403,)) + DONE)
    assert "client.signature" in warned(assess(ecdsa, who))
    assert "client.signature" in warned(assess(ecdsa))


def test_a_shared_certificate_is_said_where_it_is_asked_for() -> None:
    who = phones("MP", "8.7.5.35")
    assert "client.shared" in warned(assess(answer(FLIGHT + request() + DONE), who))
    assert "client.shared" not in warned(assess(answer(FLIGHT + DONE), who))


@pytest.mark.parametrize(
    ("flight", "rule", "refused"),
    [
        (server_hello(0x1301), "tls.suite-offered", True),
        (server_hello(0xC02F, 0x0304), "tls.version", True),
        (server_hello() + certificates(CHAIN) + ecdhe(30), "tls.curve", True),
        (server_hello(0x0033) + certificates(CHAIN) + dhe(512), "tls.dh-size", True),
        (server_hello(0x0033) + certificates(CHAIN) + dhe(1024), "tls.dh-size", False),
        (server_hello(0xC013, 0x0302) + certificates(CHAIN), "tls.old-version", False),
    ],
)
def test_what_the_phone_did_not_offer_it_does_not_take(
    flight: bytes, rule: str, refused: bool
) -> None:
    result = assess(answer(flight + DONE))
    assert (rule in failed(result)) is refused
    assert rule in failed(result) + warned(result)


def test_lines_without_a_limit_are_warned_of_small_groups_and_not_refused() -> None:
    exchange = dhe(512, algorithm=b"")
    flight = server_hello(0x0033, 0x0301) + certificates(CHAIN) + exchange + DONE
    result = assess(answer(flight), phones("370", "8.7.5.35"))
    assert "tls.dh-size" in warned(result)
    assert "tls.dh-size" not in failed(result)


def test_a_weak_suite_that_the_phone_offers_is_a_warning() -> None:
    who = phones("370", "8.7.5.35")
    said = answer(server_hello(0x000A, 0x0301) + certificates(CHAIN) + DONE)
    result = assess(said, who)
    assert {"tls.weak-suite", "tls.old-version"} <= set(warned(result))


def test_an_ec_certificate_is_told_to_phones_without_ecdsa() -> None:
    ec = (leaf(MIDDLE, NAME, leaf_key=key("ec", "ec", "secp256r1")),)
    who = phones("370", "8.7.5.57")
    said = answer(server_hello(0x002F, 0x0301) + certificates(ec) + DONE)
    assert "key.kind" in failed(assess(said, who))


def ssl3_flight(chain=CHAIN) -> bytes:  # type: ignore[no-untyped-def]
    """RFC 6101 §5.6: the same messages as in TLS 1.0, in records of version 3.0."""
    shown = certificates(chain).replace(b"\x16\x03\x03", b"\x16\x03\x00", 1)
    return (
        server_hello(0x000A, 0x0300) + shown + DONE.replace(b"\x03\x03", b"\x03\x00", 1)
    )


def test_a_row_that_speaks_ssl_3_takes_it_in_answer_to_its_tls_1_0_hello() -> None:
    result = assess(answer(ssl3_flight()), phones("300", "8.7.3.25.9"))
    assert result.outcome is Outcome.ACCEPTED
    assert result.negotiated is not None
    assert result.negotiated["version"] == "SSLv3"
    assert result.hello["versions"] == ["SSLv3", "TLSv1"]
    (old,) = [f for f in result.findings if f.rule == "tls.old-version"]
    assert "SSLv3 is chosen" in old.message
    assert old.cure == "let the server speak TLSv1"


@pytest.mark.parametrize("phone", [("300", "8.7.5.35"), ("D785", "10.1.33.33")])
def test_a_row_that_does_not_speak_ssl_3_refuses_it(phone: tuple[str, str]) -> None:
    result = assess(answer(ssl3_flight()), phones(*phone))
    assert result.outcome is Outcome.PHONE_REFUSES
    assert "tls.version" in failed(result)


@pytest.mark.parametrize("switch", ["on", "off"])
def test_an_anonymous_suite_is_taken_only_while_servers_are_not_authenticated(
    switch: str,
) -> None:
    """As the virtual phone judges it (``wire.dialer``)."""
    document = PhoneDocument.of_settings({"tls_server_authentication": switch})
    setup = Setup(authorities=(), documents=(document,))
    gathered = gather([profile("370", "8.7.5.57")], NAME, setup, now=NOW)
    prime = (1 << 2047).to_bytes(256, "big")
    exchange = vector(2, prime) + vector(2, b"\2") + vector(2, prime)
    said = answer(
        server_hello(0x0034, 0x0301)  # TLS_DH_anon_WITH_AES_128_CBC_SHA
        + record(22, message(12, exchange), 0x0301)
        + DONE
    )
    result = assess(said, classes_of(gathered.phones)[0])
    if switch == "off":
        assert result.outcome is Outcome.ACCEPTED
    else:
        assert result.outcome is Outcome.PHONE_REFUSES
        assert failed(result) == ["chain.empty"]
    assert "tls.weak-suite" in warned(result)


def another(
    model: str = "T46U", *, provisioned: bool = False, known: bool = True
) -> PhoneClass:
    """Another maker's phone, with a hello that was captured unless not ``known``."""
    hello = derive(profile("D785", "10.1.33.33"), NAME)
    setup = Setup(
        certificates=(ROOT.certificate,) if provisioned else (),
        authorities=(ROOT.certificate,),
        capture=replace(hello, derived=False, origin="captured: x") if known else None,
    )
    row = profile(model, newest_firmware(find_model(model)))
    gathered = gather([row], NAME, setup, now=NOW)
    return classes_of(gathered.phones)[0]


@pytest.mark.parametrize("model", ["T46U", "VVX450", "GRP2614"])
def test_nothing_is_said_of_a_phone_of_which_no_source_tells(model: str) -> None:
    who = another(model, known=False)
    assert who.is_unknown
    result = assess_unknown(who)
    assert result.outcome is Outcome.UNKNOWN
    assert result.hello["suites"] == []
    assert "no source tells" in result.reason
    assert f"--model {model} --hello FILE" in result.findings[0].cure
    assert failed(result) == []


def test_with_a_captured_hello_only_the_built_in_cas_are_unknown() -> None:
    who = another()
    assert not who.is_unknown
    result = assess(answer(FLIGHT + DONE), who)
    assert result.outcome is Outcome.UNKNOWN
    assert "CN=root" in result.reason
    assert warned(result)[0] == "phone.roots"
    assert result.negotiated is not None


def test_with_the_ca_provisioned_a_captured_hello_tells_all() -> None:
    result = assess(answer(FLIGHT + DONE), another(provisioned=True))
    assert result.outcome is Outcome.ACCEPTED
    assert not any(f.rule == "phone.roots" for f in result.findings)


def test_a_refusal_is_told_whatever_is_unknown_besides() -> None:
    late = Question(NAME, NOW.replace(year=2030))
    result = assess(answer(FLIGHT + DONE), another(), late)
    assert result.outcome is Outcome.PHONE_REFUSES
    assert "chain.expired" in failed(result)
    assert not any(f.rule == "phone.roots" for f in result.findings)


def test_a_phone_that_verifies_nothing_by_default_accepts_and_is_warned_of() -> None:
    result = assess(answer(FLIGHT + DONE), another("GRP2614"))
    assert result.outcome is Outcome.ACCEPTED
    assert "auth.off" in warned(result)
    cure = next(f.cure for f in result.findings if f.rule == "auth.off")
    assert "8.2.30" not in cure


def test_an_alert_to_a_captured_hello_is_the_servers_refusal() -> None:
    result = assess(answer(alert(Alert.PROTOCOL_VERSION)), another())
    assert result.outcome is Outcome.SERVER_REFUSES
