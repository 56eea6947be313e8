"""Snom's files as lines."""

import string
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.makers.grammar import Line, written
from linekey.makers.snom.grammar import SNOM

NAMES = st.text(string.ascii_lowercase + "_", max_size=20).map(lambda t: "s_" + t)
LINES = st.lists(
    st.builds(
        Line,
        NAMES,
        st.text(max_size=40),
        st.none() | st.integers(0, 99),
        st.sampled_from([None, "R", "&", "!"]),
    )
)


@given(LINES)
def test_another_reader_finds_just_what_was_written(lines: list[Line]) -> None:
    body = written(SNOM, lines).body
    good = [
        (n.name, n.value, None if n.idx is None else str(n.idx), n.perm)
        for n in lines
        if not SNOM.problem_of(n)
    ]
    root = ET.fromstring(body)
    found = [
        (e.tag, e.text or "", e.attrib.get("idx"), e.attrib.get("perm"))
        for e in root.iterfind("phone-settings/*")
    ]
    assert found == good
    read = [(n.name, n.value.strip(), n.idx, n.perm) for n in SNOM.read(body).lines]
    assert read == [
        (n.name, n.value.strip(), n.idx, n.perm)
        for n in lines
        if not SNOM.problem_of(n)
    ]


def test_keys_certificates_and_files_are_lines() -> None:
    found = SNOM.read(
        b'<settings><phone-settings><user_name idx="1">4711</user_name></phone-settings>'
        b'<functionKeys><fkey idx="0" context="active" label="" perm="">line</fkey>'
        b'</functionKeys><certificates><certificate url="https://x/1.der"/>'
        b'<certificate type="base64">AAAA</certificate></certificates>'
        b'<setting-files><file url="http://x/2.xml"/></setting-files></settings>'
    )
    assert [(n.name, n.value, n.idx) for n in found.lines] == [
        ("user_name", "4711", 1),
        ("fkey", "line", 0),
        ("certificate", "https://x/1.der", None),
        ("certificate", "AAAA", None),
        ("file", "http://x/2.xml", None),
    ]


@pytest.mark.parametrize("data", [b"", b"<html/>", b"x", b"<settings>"])
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        SNOM.read(data)


def test_an_odd_idx_is_told() -> None:
    assert SNOM.read(b'<phone-settings><a idx="x">1</a></phone-settings>').notes
