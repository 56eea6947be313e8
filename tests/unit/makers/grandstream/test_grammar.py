"""Grandstream's files: what is written is what another reader of XML reads."""

import string
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.makers.grammar import Line, written
from linekey.makers.grandstream.grammar import NAMES, NUMBERS, GrandstreamGrammar

CODES = st.integers(0, 999_999).map("P{}".format)
WORDS = st.text(string.ascii_letters + string.digits + "._-", max_size=20).map(
    lambda text: "a" + text
)
# A reader of XML takes \r for a line's end, so it is written as a reference.
BOTH = st.sampled_from([NUMBERS, NAMES])


def other_reader(data: bytes) -> dict[str, str]:
    """The standard library's: each setting once, and nothing else in the file."""
    root = ET.fromstring(data)
    assert root.tag == "gs_provision"
    (config,) = root
    found: dict[str, str] = {}
    for element in config:
        assert len(element) == 0
        name = element.attrib["name"] if element.tag == "item" else element.tag
        assert name not in found
        found[name] = element.text or ""
    return found


@given(BOTH, st.data(), st.text(max_size=30))
def test_another_reader_finds_just_what_was_written(
    grammar: GrandstreamGrammar, data: st.DataObject, comment: str
) -> None:
    names = CODES if grammar is NUMBERS else WORDS
    lines = data.draw(st.lists(st.builds(Line, names, st.text(max_size=40))))
    file = written(grammar, lines, comment=comment)
    good = {n.name: n.value for n in lines if not grammar.problem_of(n)}
    assert other_reader(file.body) == good
    assert {n.name: n.value for n in grammar.read(file.body).lines} == good


@given(st.text())
def test_no_value_adds_an_element(value: str) -> None:
    file = written(NUMBERS, [Line("P34", value), Line("P35", "2")])
    found = other_reader(file.body)
    assert set(found) in ({"P34", "P35"}, {"P35"})
    assert found.get("P34", value) == value


@pytest.mark.parametrize("name", ["", "P", "Px", "p34", "P34 ", "P1234567", "a<b"])
def test_a_name_that_is_no_number_is_named(name: str) -> None:
    assert NUMBERS.problem_of(Line(name, "1"))


def test_a_name_in_two_parts_and_a_mac_are_read() -> None:
    found = NUMBERS.read(
        b'<gs_provision version="1"><mac>c074ad000001</mac><config version="2">'
        b'<item name="account.1"><part name="enable">Yes</part></item>'
        b'<item name="users.admin.password">{$admin_password}</item></config>'
        b'<config version="1"><P271>1</P271></config></gs_provision>'
    )
    assert [(n.name, n.value) for n in found.lines] == [
        ("account.1.enable", "Yes"),
        ("users.admin.password", "{$admin_password}"),
        ("P271", "1"),
    ]
    assert found.placeholders == ("{$admin_password}",)


@pytest.mark.parametrize(
    "data", [b"", b"<PHONE_CONFIG/>", b"P34=1", b"<gs_provision>", b"\x00\x01\x00\x02"]
)
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        NUMBERS.read(data)


def test_a_file_without_a_config_is_told() -> None:
    assert NUMBERS.read(b"<gs_provision/>").notes
