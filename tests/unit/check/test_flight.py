"""Any bytes of a server give an answer, and no exception."""

import pytest
from tests.certificates import ca, leaf
from tests.unit.check.flights import (
    DONE,
    alert,
    certificates,
    dhe,
    ecdhe,
    record,
    request,
    server_hello,
)  # fmt: skip

from linekey.check.answer import Answer, Reach
from linekey.check.flight import AnswerReader
from linekey.tls.alerts import Alert
from linekey.tls.versions import Version

ROOT = ca("root")
CHAIN = (leaf(ROOT, "prov.example.com"), ROOT.certificate)
WHOLE = (
    server_hello() + certificates(CHAIN) + ecdhe() + request([ROOT.certificate.subject])
    + DONE
)  # fmt: skip


def read(data: bytes, step: int = 0) -> Answer:
    reader = AnswerReader("192.0.2.1:443")
    for at in range(0, len(data), step or len(data) or 1):
        reader.feed(data[at : at + (step or len(data))])
    return reader.finish()


@pytest.mark.parametrize("step", [0, 1, 7, 1000])
def test_a_whole_flight_is_read_in_pieces_of_any_size(step: int) -> None:
    answer = read(WHOLE, step)
    assert answer.reach is Reach.ANSWERED
    assert answer.version is Version.TLS1_2
    assert answer.suite is not None
    assert answer.suite.name == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert answer.chain == CHAIN
    assert answer.key_exchange is not None
    assert answer.key_exchange.group == "secp256r1"
    assert answer.wish is not None
    assert answer.wish.authorities == (ROOT.certificate.subject,)
    assert answer.alert is None


def test_the_size_of_a_dh_group_is_read() -> None:
    flight = server_hello(0x0033) + certificates(CHAIN) + dhe(1024) + DONE
    exchange = read(flight).key_exchange
    assert exchange is not None
    assert exchange.bits == 1024


def test_a_suite_no_library_speaks_is_read_all_the_same() -> None:
    answer = read(server_hello(0x000A, 0x0300) + certificates(CHAIN) + DONE)
    assert answer.reach is Reach.ANSWERED
    assert answer.version is Version.SSL3
    assert answer.negotiated is not None
    assert answer.negotiated["suite"] == "TLS_RSA_WITH_3DES_EDE_CBC_SHA"


def test_an_alert_is_an_answer() -> None:
    answer = read(alert(40))
    assert (answer.reach, answer.alert) == (Reach.ANSWERED, Alert.HANDSHAKE_FAILURE)


def test_a_warning_before_a_good_flight_is_no_refusal() -> None:
    answer = read(alert(112, level=1) + WHOLE)
    assert answer.alert is None
    assert answer.chain == CHAIN


def test_close_notify_alone_is_a_closed_connection() -> None:
    assert read(alert(0, level=1)).reach is Reach.CLOSED


@pytest.mark.parametrize(
    ("data", "reach"),
    [
        (b"", Reach.CLOSED),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reach.NOT_TLS),
        (b"<html>no</html>", Reach.NOT_TLS),
        (b"220 mail.example.com ESMTP\r\n", Reach.NOT_TLS),
        (WHOLE[:-3], Reach.MALFORMED),
        (server_hello(), Reach.MALFORMED),
        (record(22, b"\x02\x00\x00\x05hello"), Reach.MALFORMED),
        (DONE, Reach.MALFORMED),
        (server_hello(version=0x03FF) + DONE, Reach.MALFORMED),
    ],
)  # fmt: skip
def test_what_is_no_flight_is_told_apart(data: bytes, reach: Reach) -> None:
    answer = read(data)
    assert answer.reach is reach
    assert answer.detail


def test_what_stands_for_a_certificate_and_is_none_is_no_fault_of_the_connection() -> (
    None
):
    nothing = record(22, b"\x0b\x00\x00\x06\x00\x00\x03\x00\x00\x00")
    answer = read(server_hello() + nothing + DONE)
    assert (answer.reach, answer.chain) == (Reach.ANSWERED, ())
    assert "empty" in answer.unreadable


def test_a_certificate_list_of_a_megabyte_is_cut_off() -> None:
    reader = AnswerReader()
    reader.feed(server_hello())
    big = record(22, b"\x0b" + (1 << 20).to_bytes(3, "big") + bytes(16000))
    fed = 0
    while not reader.done:
        reader.feed(big if not fed else record(22, bytes(16000)))
        fed += 16000
    assert fed < 400_000
    assert reader.finish().reach is Reach.MALFORMED


def test_a_time_limit_is_its_own_outcome_unless_all_was_there() -> None:
    reader = AnswerReader()
    assert reader.timed_out(5.0).reach is Reach.SILENT
    reader.feed(WHOLE[:100])
    assert reader.timed_out(5.0).reach is Reach.TIMED_OUT
    reader.feed(WHOLE[100:])
    assert reader.timed_out(5.0).reach is Reach.ANSWERED
