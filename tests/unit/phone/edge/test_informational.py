"""1xx answers are counted, however they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import PeerError
from linekey.phone.edge.informational import MAX_HEAD, MAX_INFORMATIONAL, Heads

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + HINTS * 99


def fed(heads: Heads, parts: list[bytes]) -> None:
    for part in parts:
        heads.feed(part)


@given(st.integers(0, MAX_INFORMATIONAL), st.integers(1, 60))
def test_a_few_pass_and_the_body_may_say_what_it_likes(count: int, cut: int) -> None:
    heads, data = Heads(), HINTS * count + FINAL
    for at in range(0, len(data), cut):
        heads.feed(data[at : at + cut])
    assert heads.count == count


@given(st.integers(1, 60))
def test_one_more_is_refused_however_it_is_cut(cut: int) -> None:
    heads, data = Heads(), HINTS * (MAX_INFORMATIONAL + 1) + FINAL
    with pytest.raises(PeerError, match="more than 5"):
        fed(heads, [data[at : at + cut] for at in range(0, len(data), cut)])


def test_a_long_one_is_refused_too() -> None:
    heads = Heads()
    heads.feed(b"HTTP/1.1 100 Continue\r\n")
    lines = [b"X: " + b"y" * 995 + b"\r\n"] * (MAX_HEAD // 1000 + 1)
    with pytest.raises(PeerError, match="before its answer began"):
        fed(heads, lines)


def test_a_switch_of_protocols_is_an_answer() -> None:
    heads = Heads()
    heads.feed(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" * 20)
    assert heads.count == 0
