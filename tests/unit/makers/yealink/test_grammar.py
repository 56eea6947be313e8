"""Yealink's files: what is written is what another reader reads, line for line."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.makers.grammar import GrammarError, Line, written
from linekey.makers.yealink.grammar import FIRST_LINE, YEALINK

KEYS = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=30)
LINES = st.lists(st.builds(Line, KEYS.map(lambda k: "k" + k), st.text(max_size=40)))


def plain_reader(data: bytes) -> list[tuple[str, str]]:
    """Knows nothing of linekey: lines, and what stands round the first ``=``."""
    rows = data.decode("utf-8").splitlines()
    assert rows[0] == FIRST_LINE
    pairs = [row.partition("=") for row in rows[1:] if row and not row.startswith("#")]
    assert all(equals for _, equals, _ in pairs)
    return [(key.strip(), value.strip()) for key, _, value in pairs]


@given(LINES, st.text(max_size=30))
def test_another_reader_finds_just_what_was_written(
    lines: list[Line], comment: str
) -> None:
    file = written(YEALINK, lines, comment=comment)
    good = [(n.name, n.value) for n in lines if not YEALINK.problem_of(n)]
    assert plain_reader(file.body) == good
    assert len(file.skipped) == len(lines) - len(good)
    assert [(n.name, n.value) for n in YEALINK.read(file.body).lines] == good


@given(st.text(min_size=1))
def test_no_value_adds_a_line(value: str) -> None:
    file = written(YEALINK, [Line("a", value), Line("b", "2")])
    keys = [key for key, _ in plain_reader(file.body)]
    assert keys in (["a", "b"], ["b"])


@pytest.mark.parametrize(
    "value",
    ["a\nb = 1", "a\rb", "a\x85b", "a\u2028b", " a", "a ", '"a', "#a", "%a", "\x00"],
)
def test_what_a_phone_may_misread_is_not_written(value: str) -> None:
    line = Line("account.1.label", value)
    assert YEALINK.problem_of(line)
    with pytest.raises(GrammarError):
        YEALINK.write([line])
    (skipped,) = written(YEALINK, [line]).skipped
    assert skipped.startswith("account.1.label: ")


@pytest.mark.parametrize(
    "value", ["", "a=b", "a#b", "a,b@c?d&e", "%NULL%", "Zoë", "x %NULL%", "a # b"]
)
def test_what_stands_as_it_is(value: str) -> None:
    body = YEALINK.write([Line("account.1.label", value)])
    assert plain_reader(body) == [("account.1.label", value)]


def test_a_name_that_is_no_key_and_an_idx_are_named() -> None:
    for line in (Line("a b", "1"), Line("", "1"), Line("a\n", "1"), Line("a", "1", 1)):
        assert YEALINK.problem_of(line)


def test_a_file_of_another_hand_is_read() -> None:
    found = YEALINK.read(
        b"\xef\xbb\xbf#!version:1.0.0.1\r\n# a comment\r\n\r\n"
        b"account.1.label=Hall\r\n  account.1.password =  {{ secret }} \r\nnonsense\r\n"
        b'include:config "https://prov.example.com/a.cfg"\r\n'
    )
    assert [(n.name, n.value, n.number) for n in found.lines] == [
        ("account.1.label", "Hall", 4),
        ("account.1.password", "{{ secret }}", 5),
        ("include:config", "https://prov.example.com/a.cfg", 7),
    ]
    assert found.placeholders == ("{{ secret }}",)
    assert found.notes == ("line 6 is no key = value",)


@pytest.mark.parametrize(
    "data", [b"", b"a = 1\n", b"<settings/>", b"\x00\x01", b"#!version", b" " * 9]
)
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(GrammarError) as caught:
        YEALINK.read(data)
    assert caught.value.hint


def test_a_first_line_that_is_not_first_is_told() -> None:
    found = YEALINK.read(b"a = 1\n#!version:1.0.0.1\n")
    assert found.notes == ("line 2: #!version:1.0.0.1 must be the first line",)


def test_no_secret_is_shown() -> None:
    assert "geheim" not in repr(Line("account.1.password", "geheim"))
    assert "geheim" not in repr(Line("P34", "geheim"))
    (skipped,) = written(YEALINK, [Line("account.1.password", "geheim\n")]).skipped
    assert "geheim" not in skipped
