import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sipmessage import Request, Response

from linekey.errors import PeerError
from linekey.phone.uses.sip.stream import MAX_BODY, MAX_HEADERS, Ping, Pong, SipReader

OK = b"SIP/2.0 200 OK\r\nl: 3\r\nSubject: a\r\n b\r\n\r\nxyz"
OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_messages_come_out_whole_however_the_stream_is_cut(cuts: list[int]) -> None:
    stream, reader, found = OK + b"\r\n\r\n" + OPTIONS + b"\r\n" + OK, SipReader(), []
    at = 0
    for cut in [*cuts, len(stream)]:
        found += reader.feed(stream[at : at + cut])
        at += cut
    kinds = [type(m) for m in found]
    assert kinds == [Response, Ping, Request, Pong, Response]
    assert found[0].body == b"xyz"
    assert found[0].headers["Subject"] == "a b"


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_ping_cut_in_two_is_one_ping_also_while_a_pong_is_due(at: int) -> None:
    ping, reader = b"\r\n\r\n", SipReader()
    assert reader.feed(ping[:at]) == []
    assert reader.feed(ping[at:]) == [Ping()]
    reader.ping_sent()
    got = [*reader.feed(ping[:at]), *reader.feed(ping[at:]), *reader.feed(b"\r\n")]
    assert sorted(map(str, got)) == ["Ping()", "Pong()"]


def test_a_pong_is_one_at_once_where_it_is_due_and_only_there() -> None:
    reader = SipReader()
    reader.ping_sent()
    assert reader.feed(b"\r\n") == [Pong()]
    assert reader.feed(b"\r\n") == []
    assert reader.feed(b"\r\n") == [Ping()]


@pytest.mark.parametrize(
    "data",
    [
        b"SIP/2.0 200 OK\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: 1\r\nl: 2\r\n\r\nab",
        b"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1),
        b"SIP/2.0 200 OK\r\nContent-Length: 10000000\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 200 OK\r\nA: " + b"x" * MAX_HEADERS,
        b"\x16\x03\x01" + b"x" * MAX_HEADERS,
    ],
)
def test_what_is_no_sip_or_too_much_raises_the_one_error(data: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        SipReader().feed(data)
    assert caught.value.hint


@pytest.mark.parametrize(
    "bad", [b"SIP/2.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]
)
def test_what_came_before_the_end_of_a_stream_is_given_out_first(bad: bytes) -> None:
    reader = SipReader()
    (first,) = reader.feed(OK + bad + OK)
    assert isinstance(first, Response)
    assert reader.trouble is not None
    with pytest.raises(PeerError):
        reader.feed(OK)


@given(
    st.binary(max_size=300)
    | st.text("SIP/2.0 \r\nl:Content-Length", max_size=200).map(str.encode)
)
def test_any_bytes_read_or_raise_the_one_error(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        SipReader().feed(data + b"\r\n\r\n")
