"""Terms become a maker's lines, and the lines the same terms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.makers.all import MAKERS
from linekey.makers.grammar import Line, written
from linekey.makers.maker import Maker
from linekey.makers.mapping import Field, How, Map, unsaid
from linekey.makers.terms import (
    DIRECTORY,
    KEY_TYPES,
    SRTP,
    TERMS,
    TRANSPORTS,
    Form,
    Per,
    Term,
)

OTHERS = [maker for maker in MAKERS.values() if not maker.snom_like]
PLAIN = st.text("abcxyzÄß 0123456789<>&'=,", min_size=1, max_size=12).map(
    lambda text: f"a{text}b"
)
HOSTS = st.sampled_from(
    ["pbx.example.com", "pbx.example.com:5061", "10.0.0.7", "[2001:db8::7]:5061"]
)


def values_of(term: Term, maker: Maker) -> st.SearchStrategy[str]:
    field = maker.map.field_of(term.name, 1 if term.per is not Per.PHONE else None)
    if field is not None and field.values and field.how is How.AS_IT_IS:
        # What several of ours are one of theirs, is read back as the first of them.
        first: dict[str, str] = {}
        for ours, theirs in field.values:
            first.setdefault(theirs, ours)
        return st.sampled_from(sorted(set(first.values())))
    if term.name == "any.time.zone":
        return st.sampled_from(["Europe/Berlin", "Europe/Rome"])
    if term.name == "any.provisioning.interval":
        return st.integers(1, 100).map(lambda n: str(n * 3600))
    if term.values:
        return st.sampled_from(sorted(term.values))
    match term.form:
        case Form.HOST:
            return HOSTS
        case Form.SECONDS:
            return st.integers(1, 60).map(lambda n: str(n * 60))
        case Form.NUMBER:
            return st.sampled_from("12")
        case Form.URL:
            return st.sampled_from(
                ["https://prov.example.com/a?b=c", "http://10.0.0.1"]
            )
    return PLAIN


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
@given(data=st.data())
def test_what_is_written_for_a_phone_is_what_the_phone_reads(
    maker: Maker, data: st.DataObject
) -> None:
    """Through the grammar, too: every term that the maker can say comes back."""
    chosen = data.draw(st.sets(st.sampled_from(sorted(TERMS)), max_size=12))
    terms = []
    for name in sorted(chosen):
        term = TERMS[name]
        said = maker.map.field_of(name, 1 if term.per is not Per.PHONE else None)
        if said is None:
            continue
        idx = None if term.per is Per.PHONE else data.draw(st.integers(1, 2))
        terms.append(Line(name, data.draw(values_of(term, maker)), idx))
    lines, notes = maker.lines_of(terms)
    assert not notes
    file = written(maker.grammar, lines)
    assert not file.skipped
    read, rest = maker.terms_of(maker.grammar.read(file.body).lines)
    found = {(t.name, t.idx): t.value for t in read}
    if found.get(("any.time.zone", None)) not in (None, "Europe/Berlin", "Europe/Rome"):
        found["any.time.zone", None] = "Europe/Berlin"  # of the same offset
    expected = {(t.name, t.idx): t.value for t in terms}
    for idx in (1, 2):  # a port is written where SIP over TLS has none
        for name in ("any.account.registrar", "any.account.outbound"):
            said = expected.get((name, idx), "")
            if found.get((name, idx)) == f"{said}:5061" and maker.id == "yealink":
                assert expected["any.account.transport", idx] == "tls"
                expected[name, idx] = found[name, idx]
    if found.get(("any.time.zone", None)) and maker.id != "yealink":
        expected["any.time.zone", None] = found["any.time.zone", None]
    assert found == expected
    assert not rest


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
@pytest.mark.parametrize("srtp", SRTP)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_account_comes_back_whole(maker: Maker, srtp: str, transport: str) -> None:
    terms = [
        Line("any.account.user", "4711", 2),
        Line("any.account.password", "geheim", 2),
        Line("any.account.registrar", "pbx.example.com:5061", 2),
        Line("any.account.transport", transport, 2),
        Line("any.account.srtp", srtp, 2),
        Line("any.account.expires", "3600", 2),
    ]
    lines, notes = maker.lines_of(terms)
    assert not notes
    read, rest = maker.terms_of(lines)
    assert not rest
    key = lambda line: (line.name, line.idx, line.value)  # noqa: E731
    assert sorted(read, key=key) == sorted(terms, key=key)


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
@pytest.mark.parametrize("kind", KEY_TYPES)
def test_a_key_is_written_or_named(maker: Maker, kind: str) -> None:
    terms = [
        Line("any.key.type", kind, 3),
        Line("any.key.value", "4712", 3),
        Line("any.key.label", "Bob", 3),
    ]
    lines, notes = maker.lines_of(terms)
    read, _ = maker.terms_of(lines)
    assert ("any.key.type", kind) in [(t.name, t.value) for t in read] or notes


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_a_value_that_cannot_be_said_is_a_note_and_no_line(maker: Maker) -> None:
    for term in (
        Line("any.time.zone", "Antarctica/Troll"),
        Line("any.language", "xx"),
        Line("any.account.transport", "sctp", 1),
        Line("any.account.user", "x", 99),
        Line("any.account.registrar", "a b:c", 1),
        Line("any.nonsense", "1"),
    ):
        lines, notes = maker.lines_of([term])
        assert len(notes) == 1, term
        assert not lines


def test_ldap_is_said_as_far_as_it_goes() -> None:
    for maker in OTHERS:
        for how in DIRECTORY:
            lines, notes = maker.lines_of([Line("any.directory.transport", how)])
            assert bool(lines) != bool(notes)


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_every_row_has_a_source_and_says_one_thing(maker: Maker) -> None:
    names: set[str] = set()
    for field in maker.map.fields:
        assert field.source
        assert field.confidence in "HML"
        assert field.term in TERMS
        for name in field.names:
            assert name not in names, name
            names.add(name)
    assert set(unsaid(maker.map.fields)) < set(TERMS)


def test_a_number_in_other_units_is_rounded_up_and_has_a_least() -> None:
    row = Field(
        term="any.provisioning.interval", names=("m",), unit=60, least=60,
        source="x", confidence="L",
    )  # fmt: skip
    one = Map((row,))
    (line,), notes = one.lines_of([Line(row.term, "3601")])
    assert (line.value, notes) == ("61", [])
    (line,), notes = one.lines_of([Line(row.term, "60")])
    assert line.value == "60"
    assert notes


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
@given(lines=st.lists(st.builds(Line, st.text(max_size=20), st.text(max_size=9))))
def test_foreign_lines_are_handed_back(maker: Maker, lines: list[Line]) -> None:
    read, rest = maker.terms_of(lines)
    assert not read
    assert len(rest) == len(lines)


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_a_strange_value_under_a_known_name_is_no_term(maker: Maker) -> None:
    (line,), _ = maker.lines_of([Line("any.account.transport", "tls", 1)])
    read, rest = maker.terms_of([Line(line.name, "nonsense")])
    assert not read
    assert [n.value for n in rest] == ["nonsense"]
