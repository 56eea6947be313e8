"""The torture messages of RFC 4475 §3, and what the phone does with each of them.

``rfc4475/NAME.dat`` are the messages of the RFC, byte for byte, by the names they have
there. Each comes over one stream and is followed by an OPTIONS that is good: the phone
answers both, except where nobody knows where the first one ends.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
from sipmessage import Message, Response
from tests.unit.phone.uses.sip.test_registration import NOW, registered

from linekey.errors import PeerError
from linekey.phone.uses.sip.registration import (
    CallArrived,
    MessageRefused,
    Registration,
    Send,
)
from linekey.phone.uses.sip.states import LineState
from linekey.phone.uses.sip.stream import SipReader

FOLDER = Path(__file__).with_name("rfc4475")
GOOD = (
    b"OPTIONS sip:100@192.0.2.7 SIP/2.0\r\nVia: SIP/2.0/TLS pbx;branch=z9hG4bKafter\r\n"
    b"From: <sip:bob@pbx.example>;tag=1\r\nTo: <sip:100@pbx.example>\r\n"
    b"Call-ID: after\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


@dataclass(frozen=True)
class Case:
    """What is expected: the codes of the answers, and whether the stream goes on."""

    section: str
    name: str
    codes: tuple[int, ...]
    rule: str
    goes_on: bool = True
    told: str = ""
    """A word of the log line for what was not served."""

    @property
    def data(self) -> bytes:
        return (FOLDER / f"{self.name}.dat").read_bytes()


CASES = [
    # 3.1.1 Valid messages
    Case("3.1.1.1", "wsinv", (486,), "§7.3.1 folding, white space; §21.4.21 busy"),
    Case("3.1.1.2", "intmeth", (501,), "§21.5.2: a method that nobody knows"),
    Case("3.1.1.3", "esc01", (486,), "§19.1.2 escapes"),
    Case("3.1.1.4", "escnull", (405,), "§8.2.1: the phone is no registrar"),
    Case("3.1.1.5", "esc02", (501,), "§25.1: a method holds no escapes, so unknown"),
    Case("3.1.1.6", "lwsdisp", (200,), "§25.1: name-addr without a space"),
    Case("3.1.1.7", "longreq", (486,), "long fields are fields"),
    # Its SDP is five bytes longer than its length: for a datagram "discarded", on a
    # stream the beginning of something that is no SIP.
    Case("3.1.1.8", "dblreq", (405, 486), "§7.5: the next message follows", False),
    Case("3.1.1.9", "semiuri", (200,), "§25.1: a user part with a semicolon"),
    Case("3.1.1.10", "transports", (200,), "§20.42: other transports below the top"),
    Case(
        "3.1.1.11", "mpart01", (405,), "§8.2.1, and the body is skipped by its length"
    ),
    Case("3.1.1.12", "unreason", (), "§8.1.3.2: the answer to nobody's question"),
    Case("3.1.1.13", "noreason", (), "§7.2: the phrase may be empty"),
    # 3.1.2 Invalid messages
    Case("3.1.2.1", "badinv01", (400,), "§20.42", told="a Via that cannot be read"),
    Case("3.1.2.2", "clerr", (), "§18.3: the rest of the body is waited for", False),
    Case("3.1.2.3", "ncl", (400,), "§18.3: no end is known", False, "body of '-999'"),
    Case(
        "3.1.2.4", "scalar02", (400,), "§8.1.1.5", told="CSeq that is no number below"
    ),
    Case("3.1.2.5", "scalarlg", (), "§8.1.3.2: matches nothing that was asked"),
    Case("3.1.2.6", "quotbal", (400,), "§25.1", told="To: a quotation mark"),
    Case("3.1.2.7", "ltgtruri", (400,), "§7.1", told="Request-URI"),
    Case("3.1.2.8", "lwsruri", (400,), "§7.1", told="request line"),
    Case("3.1.2.9", "lwsstart", (400,), "§7.1", told="request line"),
    Case("3.1.2.10", "trws", (400,), "§7.1", told="request line"),
    Case(
        "3.1.2.11", "escruri", (400,), "§19.1.1: no headers there", told="Request-URI"
    ),
    Case("3.1.2.12", "baddate", (486,), "§8.2.2: Date is not needed, so passed over"),
    Case("3.1.2.13", "regbadct", (405,), "§8.2.1 comes first"),
    Case("3.1.2.14", "badaspec", (200,), "space within brackets harms nobody"),
    Case("3.1.2.15", "baddn", (400,), "§25.1", told="needs quotation marks"),
    Case("3.1.2.16", "badvers", (505,), "§21.5.6", told="version SIP/7.0"),
    Case("3.1.2.17", "mismatch01", (400,), "§8.1.1.5", told="of another method"),
    Case("3.1.2.18", "mismatch02", (400,), "§8.1.1.5", told="of another method"),
    Case(
        "3.1.2.19", "bigcode", (), "§7.2: a status has three digits", told="status line"
    ),
    # 3.2 Transaction layer, 3.3 application layer, 3.4 backward compatibility
    Case("3.2.1", "badbranch", (200,), "§17.2.3: matched as by RFC 2543"),
    Case("3.3.1", "insuf", (400,), "§8.1.1", told="no From"),
    Case("3.3.2", "unkscm", (416,), "§8.2.2.1"),
    Case("3.3.3", "novelsc", (416,), "§8.2.2.1"),
    Case("3.3.4", "unksm2", (405,), "§8.2.1; an unknown scheme in To is no fault"),
    Case("3.3.5", "bext01", (420,), "§8.2.2.3"),
    Case("3.3.6", "invut", (415,), "§8.2.3"),
    Case("3.3.7", "regaut01", (405,), "§8.2.1"),
    Case("3.3.8", "multi01", (400,), "§7.3.1", told="more than once"),
    Case(
        "3.3.9", "mcl01", (400,), "§18.3", False, "without exactly one Content-Length"
    ),
    Case("3.3.10", "bcast", (), "§8.1.3.3", told="more than one Via"),
    Case("3.3.11", "zeromf", (200,), "§16.3 binds proxies, not the end"),
    Case("3.3.12", "cparam01", (405,), "§8.2.1"),
    Case("3.3.13", "cparam02", (405,), "§8.2.1"),
    Case("3.3.14", "regescrt", (405,), "§8.2.1"),
    Case("3.3.15", "sdp01", (486,), "§21.4.21: busy, whatever it accepts"),
    Case(
        "3.4.1", "inv2543", (400,), "§18.3: no length on a stream", False, "exactly one"
    ),
]


def played(data: bytes) -> tuple[Registration, list[Response], list[str], SipReader]:
    """Let a registered line read a stream: its answers, and what it tells the log."""
    line, reader = registered(), SipReader()
    answers, told = [], []
    for message in reader.feed(data):
        for action in line.received(message, NOW):
            match action:
                case Send(data=sent):
                    answer = Message.parse(sent)
                    assert isinstance(answer, Response)
                    answers.append(answer)
                case MessageRefused(text=text):
                    told.append(text)
    return line, answers, told, reader


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_torture_message_gets_its_answer_and_the_next_one_its_own(
    case: Case,
) -> None:
    line, answers, told, reader = played(case.data + GOOD)
    expected = case.codes + ((200,) if case.goes_on else ())
    assert tuple(a.code for a in answers) == expected, case.rule
    assert line.state is LineState.REGISTERED
    if case.told:
        (text,) = told
        assert case.told in text
    else:
        assert not told
    if not case.goes_on and case.codes:
        assert isinstance(reader.trouble, PeerError)
        with pytest.raises(PeerError):
            reader.feed(GOOD)
    else:
        assert reader.trouble is None


def test_every_message_of_the_rfc_is_here() -> None:
    assert sorted(c.name for c in CASES) == sorted(p.stem for p in FOLDER.glob("*.dat"))
    assert len(CASES) == 49


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_good_message_before_one_is_served_however_the_stream_is_cut(
    case: Case,
) -> None:
    data, reader, line = GOOD + case.data, SipReader(), registered()
    answers = []
    for at in range(0, len(data), 61):
        try:
            messages = reader.feed(data[at : at + 61])
        except PeerError:
            break
        for message in messages:
            done = line.received(message, NOW)
            answers += [Message.parse(a.data) for a in done if isinstance(a, Send)]
    assert tuple(a.code for a in answers) == (200, *case.codes)


def test_a_reply_gives_back_what_came_byte_for_byte() -> None:
    # Latin-1 in a display name: not UTF-8 (§7.3.1), and not needed (§8.2.2).
    odd = b'From: "J\xf6rg" <sip:bob@pbx.example>;tag=1'
    data = GOOD.replace(b"From: <sip:bob@pbx.example>;tag=1", odd)
    line, reader = registered(), SipReader()
    (message,) = reader.feed(data)
    (action,) = line.received(message, NOW)
    assert isinstance(action, Send)
    assert odd + b"\r\n" in action.data


def test_a_call_from_a_name_in_latin_1_is_told_in_letters() -> None:
    data = (
        b"INVITE sip:100@192.0.2.7 SIP/2.0\r\nVia: SIP/2.0/TLS pbx;branch=z9hG4bKx\r\n"
        b'From: "J\xf6rg" <sip:bob@pbx.example>;tag=1\r\nTo: <sip:100@pbx.example>\r\n'
        b"Call-ID: c\r\nCSeq: 7 INVITE\r\nSubject: gr\xfc\xdfe\r\nContent-Length: 0\r\n\r\n"
    )
    (message,) = SipReader().feed(data)
    _, call = registered().received(message, NOW)
    assert isinstance(call, CallArrived)
    assert call.display_remote == "Jörg"
    assert dict(call.headers)["subject"] == "grüße"


REQUEST = b"OPTIONS %s SIP/2.0\r\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (REQUEST % b"SIP:100@192.0.2.7", 200),
        (REQUEST % b"Sips:100@192.0.2.7", 200),
        (REQUEST % b"sip:100@my_pbx:5060", 200),
        (REQUEST % b"sip:[2001:db8::1]:5061;transport=tls", 200),
        (REQUEST % b"tel:+4930", 416),
        (REQUEST % b"xmpp:a@b", 416),
        (REQUEST % b"sip:", 400),
        (REQUEST % b"100", 400),
        (REQUEST % b"sip:100@", 400),
        (REQUEST % b"sip:100@pbx\xe9", 200),
        (b"options sip:100@192.0.2.7 SIP/2.0\r\n", 400),  # methods have a case (§7.1)
        (b"OPTIONS sip:100@192.0.2.7 sip/2.0\r\n", 200),  # the version has none
        (b"OPTIONS sip:100@192.0.2.7 SIP/3.0\r\n", 505),
        (b"OPTIONS sip:100@192.0.2.7\r\n", 400),
        (b"OPT(ONS sip:100@192.0.2.7 SIP/2.0\r\n", 400),
    ],
)
def test_the_request_line_is_read_by_its_rules(line: bytes, code: int) -> None:
    data = line + GOOD.partition(b"\r\n")[2]
    _, answers, _, reader = played(data + GOOD)
    assert [a.code for a in answers] == [code, 200]
    assert reader.trouble is None


@pytest.mark.parametrize(
    "odd",
    [
        b"SIP/2.0 99999999999999999999 Hello\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 99 Hello\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 +20 Hello\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 xx Hello\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0\r\nContent-Length: 0\r\n\r\n",
        b"SIP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 200 OK\r\nA: \xff\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 200 \xe9\r\nContent-Length : 0\r\n\r\n",
        b"ACK sip:100@pbx SIP/2.0\r\nVia: ?\r\nContent-Length: 0\r\n\r\n",
        b"OPTIONS sip:100@pbx SIP/2.0\r\nContent-Length: 0\r\n\r\n",  # no Via: to whom?
    ],
)
def test_what_needs_no_answer_or_can_have_none_is_passed_over(odd: bytes) -> None:
    line, answers, _, reader = played(GOOD + odd + GOOD)
    assert [a.code for a in answers] == [200, 200]
    assert reader.trouble is None
    assert line.state is LineState.REGISTERED


def test_the_log_is_not_flooded_by_a_server_that_sends_rubbish() -> None:
    odd = b"SIP/2.0 xx Hello\r\nContent-Length: 0\r\n\r\n"
    _, _, told, _ = played(odd * 50)
    assert len(told) == 10
    assert told[-1].endswith("more are not told")
