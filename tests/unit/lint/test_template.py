"""What a template puts in is found and out of the way; nothing else is touched."""

import time

import pytest

from linekey.lint.template import MARK, is_open, mask, without_comments


@pytest.mark.parametrize(
    ("text", "left", "named"),
    [
        ("a = {{ b }}", "a = •", ["{{ b }}"]),
        ("a = {{ b | r({'x': 'y'}) }}", "a = •", ["{{ b | r({'x': 'y'}) }}"]),
        ('a = {$b.c|escape:"html"}!', "a = •!", ['{$b.c|escape:"html"}']),
        ("http://${HOST}:${PORT}/", "http://•:•/", ["${HOST}", "${PORT}"]),
        ("a = __line1__ %%x%% @@y@@", "a = • • •", ["__line1__", "%%x%%", "@@y@@"]),
        ("[PHONE_MAC_ADDRESS].cfg", "•.cfg", ["[PHONE_MAC_ADDRESS]"]),
        ("<a>{mac}</a>", "<a>•</a>", ["{mac}"]),
        ("<?php if (1): ?>\na\n<?php endif ?>", "\na\n", None),
        ("a=<?= $b ?>", "a=•", ["<?= $b ?>"]),
        ("{% if x %}\na = 1\n{% endif %}\n", "\na = 1\n\n", None),
        ("{% if x %}a = 1{% endif %}\n", "a = 1\n", None),
        ("a = {% if x %}1{% else %}0{% endif %}", "a = •1•0•", None),
        ("<P1>{if $x}2{else}0{/if}</P1>", "<P1>•2•0•</P1>", None),
        ("{# {{ no }} #}a", "a", []),
        ("{* no *}\nb", "\nb", []),
        ("@if(isset($a['b']))\na = 1\n@endif", "\na = 1\n", None),
        ("mail = someone@example.com", "mail = someone@example.com", []),
        ("a = {b} [c] $d % e", "a = {b} [c] $d % e", []),
        ("x\n{% for i in j %}\n{{ i }}", "x\n\n•", None),
    ],
)
def test_what_is_put_in_is_taken_out(
    text: str, left: str, named: list[str] | None
) -> None:
    masked = mask(text)
    assert MARK.sub("•", masked.text) == left
    if named is not None:
        assert [one.text for one in masked.placeholders] == named
    assert masked.text.count("\n") == text.count("\n")


def test_what_is_put_in_is_shown_as_it_was_written() -> None:
    masked = mask("a = {{ b }}-{$c}\n")
    value = masked.text.partition("= ")[2].strip()
    assert is_open(value)
    assert masked.shown(value) == "{{ b }}-{$c}"


def test_a_placeholder_has_its_line_and_who_fills_it() -> None:
    masked = mask("a\n{% set x = 1 %}\n\nb = [PHONE_MODEL]\n")
    assert [(p.line, p.by) for p in masked.placeholders] == [
        (2, "template"), (4, "phone"),
    ]  # fmt: skip
    assert masked.is_template
    assert not mask("[PHONE_MODEL]").is_template


def test_more_placeholders_than_there_are_characters_for_them() -> None:
    masked = mask("{{ a }}" * 7000)
    assert len(masked.placeholders) == 7000
    assert masked.shown(masked.text[-1]) == "{…}"
    assert masked.shown(masked.text[0]) == "{{ a }}"


@pytest.mark.parametrize(
    "begin",
    ["{{", "{%", "{#", "{*", "{{--", "{!!", "<%", "@if(", "<?php ", "{$", "{if ", "${",
     "%%a", "__a", "{% x %}", "<!--", "{{ a", "<#a "],
)  # fmt: skip
def test_beginnings_without_ends_are_read_once(begin: str) -> None:
    began = time.process_time()
    mask(begin * 20_000)
    without_comments(begin * 20_000)
    assert time.process_time() - began < 5


def test_comments_of_xml_go_and_their_lines_stay() -> None:
    assert without_comments("a<!-- b\nc -->d<!-- e") == "a\nd<!-- e"
