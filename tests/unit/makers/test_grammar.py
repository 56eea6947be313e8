"""What all grammars share."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.makers.all import MAKERS
from linekey.makers.grammar import (
    GrammarError,
    Line,
    Read,
    decoded,
    placeholders_in,
    written,
    xml_comment,
)


@pytest.mark.parametrize(
    "text",
    ["{{ a }}", "{$a.b}", "{% if a %}", "${a}", "%%A%%", "{if isset($a)}", "<?= $a ?>"],
)
def test_a_templates_placeholders_are_found(text: str) -> None:
    assert placeholders_in(f"x {text} y {text}") == (text,)


@pytest.mark.parametrize(
    "text", ["a = 1", "{ x+ | *x+ }", "%NULL%", "<?xml version='1.0'?>", "$1", "{mac}"]
)
def test_what_is_none_is_not(text: str) -> None:
    assert placeholders_in(text) == ()


@given(st.text())
def test_no_comment_ends_a_comment(text: str) -> None:
    shown = xml_comment(text)
    assert not set(shown) & set("<>-\n\r&")


def test_binary_and_huge_files_are_refused() -> None:
    with pytest.raises(GrammarError):
        decoded(b"a\0b")
    with pytest.raises(GrammarError):
        decoded(b"x" * (4 * 1024 * 1024 + 1))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_anything_is_read_or_refused_with_a_reason(data: bytes) -> None:
    for maker in MAKERS.values():
        for grammar in maker.grammars:
            with suppress(InputError):
                assert isinstance(grammar.read(data), Read)


@given(st.lists(st.builds(Line, st.text(max_size=20), st.text(max_size=20))))
def test_equal_lines_make_equal_bytes_and_nothing_fails(lines: list[Line]) -> None:
    for maker in MAKERS.values():
        for grammar in maker.grammars:
            first = written(grammar, lines, comment="c")
            assert first == written(grammar, list(lines), comment="c")
            assert len(first.skipped) <= len(lines)
