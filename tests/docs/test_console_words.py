"""The console says nothing without German, and no template says anything by itself."""

import ast
import re
from collections.abc import Iterator

import pytest
from tools.console_words import (
    IMPORTED,
    SOURCE,
    TEMPLATES,
    calls,
    catalogue,
    literals,
    untranslated,
    words,
)

_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_SHOWN = re.compile(r'(?:aria-label|placeholder|title|alt)="([^"]*)"')
# Names of the field and of the program, which are the same in every language.
_NAMES = re.compile(
    r"linekey(?: user (?:add|link|password)| alert list)?|MAC|SHA-256|cn-mac|st-mac|shared|"
    r"D785|D7\*|10\.1\.\*|000413AABBCC|layer fleet|language|\(?user_(?:name|pass)\[1\]\)?|"
    r"-----BEGIN CERTIFICATE-----|JSON"
)


def test_every_word_has_its_german() -> None:
    assert untranslated() == []


def test_the_catalogue_holds_nothing_that_nobody_says() -> None:
    said = {word if isinstance(word, str) else word[0] for word in words()}
    kept = {m.id if isinstance(m.id, str) else m.id[0] for m in catalogue() if m.id}
    assert kept == said


def test_names_in_a_word_are_in_its_german_too() -> None:
    name = re.compile(r"%\(\w+\)|\b(?:limits|proxy)\.\w+")
    for message in catalogue():
        if not message.id:
            continue
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = message.string
        strings = [strings] if isinstance(strings, str) else list(strings)
        wanted = set(name.findall(ids[-1]))
        assert set(name.findall(strings[-1])) == wanted, message.id


# Which calls have sentences that pages show, and in which of their arguments.
_SHOWN_BY = {
    ("trust", "failed"): (1, "cure"),
    ("provisioning", "Prospect"): (3, "problem"),
    ("check", "Event"): (4, 5, 7, "cause", "cure", "condition"),
    ("check", "Known"): (0, 4, "who", "condition"),
    ("check", "replace"): ("cause", "cure", "condition"),
    ("wire", "Readiness"): (2, "reason"),
    ("wire", "_Refused"): (2, "reason"),
    ("wire", "HandshakeFailed"): (0, "reason"),
    ("wire", "PeerError"): (0,),
    ("tls", "HandshakeFailed"): (0, "reason"),
    ("tls", "Refuse"): (1, "reason"),
    ("tls", "PolicyChoice"): (1, "reason"),
    ("provisioning", "_ambiguous"): (1,),
    ("provisioning", "_nothing"): (1,),
    ("provisioning", "_problem"): (2,),
    ("provisioning", "DigestResult"): (1, "detail"),
    ("certs/pem.py", "CertificateError"): (0, "hint"),
    ("certs/certificate.py", "CertificateError"): (0, "hint"),
    ("certs/contents.py", "CertificateError"): (0, "hint"),
    ("certs/dn.py", "CertificateError"): (0, "hint"),
    ("store/vendor_cas.py", "CertificateError"): (0, "hint"),
}


@pytest.mark.parametrize(("package", "function"), list(_SHOWN_BY))
def test_sentences_of_pages_are_made_to_be_translated(
    package: str, function: str
) -> None:
    places = _SHOWN_BY[package, function]
    found = [*calls(function, under=SOURCE / package)]
    assert found
    bare = [
        f"{path.name}:{node.lineno}: give it to say() of linekey.said"
        for path, call in found
        for place, given in (
            *enumerate(call.args), *((word.arg, word.value) for word in call.keywords)
        )
        if place in places
        for node in _bare(given)
    ]  # fmt: skip
    assert bare == []


def test_notes_are_made_to_be_translated() -> None:
    paths = ("check/registered.py", "console/forecasting.py", "console/source.py")
    noted = 0
    for path in paths:
        for node in ast.walk(ast.parse((SOURCE / path).read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="notes"))):
                    assert not [*map(ast.unparse, _bare(node.args[0]))]
                    noted += 1
    assert noted >= 6


def test_what_is_said_stands_there_as_a_literal() -> None:
    # The exceptions are texts that are marked, or in a table, where they stand.
    tabled = {"_PROBLEMS[rule]", "Cause(cause).sentence"}
    unknown = {
        ast.unparse(call.args[0])
        for path, call in calls("say")
        if IMPORTED in path.read_text(encoding="utf-8")
        and path.name != "said.py"
        and not list(literals(call.args[0]))
    }
    assert unknown == tabled


def _bare(node: ast.expr) -> Iterator[ast.expr]:
    """Texts in an expression that no function has made."""
    if isinstance(node, ast.Call | ast.Subscript):
        return
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value
    ):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield from _bare(child)


@pytest.mark.parametrize(
    "path", TEMPLATES, ids=lambda path: f"{path.parent.parent.name}-{path.name}"
)
def test_no_template_has_bare_text(path: object) -> None:
    text = _JINJA.sub("\x00", path.read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    shown = _SHOWN.findall(text)
    between = re.sub(r"<(?:svg|script|style)\b.*?</(?:svg|script|style)>", "", text)
    between = re.sub(r"<[^>]*>", "\n", between)
    bare = [
        word
        for part in (*shown, *between.split("\n"), *between.split("\x00"))
        if re.search(r"[A-Za-z]{2}", word := _NAMES.sub("", part.replace("\x00", " ")))
    ]
    assert bare == []
