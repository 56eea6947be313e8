"""Poly's files: what is written is what another reader of XML reads."""

import string
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.makers.grammar import GrammarError, Line, written
from linekey.makers.poly.grammar import POLY, master

NAMES = st.text(string.ascii_letters + string.digits + "._-", max_size=30).map(
    lambda text: "r" + text
)
LINES = st.lists(st.builds(Line, NAMES, st.text(max_size=40)))


def other_reader(data: bytes) -> tuple[list[str], dict[str, str]]:
    """The standard library's: element names in order, and all attributes."""
    root = ET.fromstring(data)
    attributes: dict[str, str] = {}
    for element in root.iter():
        assert not (attributes.keys() & element.attrib.keys())
        attributes |= element.attrib
    return [e.tag for e in root.iter()], attributes


@given(LINES, st.text(max_size=30))
def test_another_reader_finds_just_what_was_written(
    lines: list[Line], comment: str
) -> None:
    file = written(POLY, lines, comment=comment)
    good = {n.name: n.value for n in lines if not POLY.problem_of(n)}
    assert other_reader(file.body) == (["PHONE_CONFIG", "ALL"], good)
    assert {n.name: n.value for n in POLY.read(file.body).lines} == good


@given(st.text())
def test_no_value_adds_an_attribute_or_an_element(value: str) -> None:
    file = written(POLY, [Line("reg.1.label", value), Line("reg.2.label", "2")])
    tags, attributes = other_reader(file.body)
    assert tags == ["PHONE_CONFIG", "ALL"]
    assert set(attributes) <= {"reg.1.label", "reg.2.label"}
    if "reg.1.label" in attributes:
        assert attributes["reg.1.label"] == value


def test_device_settings_have_their_twins_and_are_read_without_them() -> None:
    lines = [Line("device.prov.user", "u"), Line("reg.1.address", "4711")]
    body = POLY.write(lines)
    assert other_reader(body)[1] == {
        "device.prov.user": "u",
        "device.prov.user.set": "1",
        "device.set": "1",
        "reg.1.address": "4711",
    }
    found = POLY.read(body)
    assert sorted(n.name for n in found.lines) == ["device.prov.user", "reg.1.address"]
    assert not found.notes


def test_a_device_setting_without_a_twin_is_told() -> None:
    found = POLY.read(b'<x device.set="1"><y device.prov.user="u"/></x>')
    assert len(found.notes) == 1
    assert "device.prov.user" in found.notes[0]
    found = POLY.read(b'<x device.prov.user="u" device.prov.user.set="0"/>')
    assert len(found.notes) == 1


def test_pem_keeps_its_line_ends() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    body = POLY.write([Line("device.sec.TLS.customCaCert1", pem)])
    assert b"&#10;" in body
    assert other_reader(body)[1]["device.sec.TLS.customCaCert1"] == pem


def test_elements_may_be_called_anything_and_stand_in_each_other() -> None:
    found = POLY.read(
        b'<polycomConfig xmlns:xsi="u" xsi:x="y"><reg reg.1.address="1">'
        b'<s reg.1.label="{{ name }}"/></reg></polycomConfig>'
    )
    assert [(n.name, n.value) for n in found.lines] == [
        ("reg.1.address", "1"), ("reg.1.label", "{{ name }}")
    ]  # fmt: skip
    assert found.placeholders == ("{{ name }}",)


@pytest.mark.parametrize(
    "data",
    [b"", b"<gs_provision/>", b"<settings/>", b"a = 1", b"<a", b"<!DOCTYPE a><a/>"],
)
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        POLY.read(data)


def test_a_master_names_files() -> None:
    root = ET.fromstring(master(("[PHONE_MAC_ADDRESS]-user.cfg", "common.cfg")))
    assert root.tag == "APPLICATION"
    assert root.attrib["CONFIG_FILES"] == "[PHONE_MAC_ADDRESS]-user.cfg, common.cfg"
    for name in ("", "a,b", "a b", "x" * 256):
        with pytest.raises(GrammarError):
            master((name,))


def test_a_name_that_is_no_attribute_and_an_idx_are_named() -> None:
    for name in ("", "a b", "1a", 'a"', "xmlns", "a:b", "a="):
        assert POLY.problem_of(Line(name, "1"))
    assert POLY.problem_of(Line("reg.1.label", "1", 1))
