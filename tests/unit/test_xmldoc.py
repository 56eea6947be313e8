import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.xmldoc import XmlError, XmlLimits, parse_xml


def test_tree_keeps_order_names_attributes_and_white_space() -> None:
    root = parse_xml(b'<?xml version="1.0"?><a x="1">t <b>u</b> v<C/></a>')
    assert (root.name, root.attributes, root.text) == ("a", {"x": "1"}, "t  v")
    assert [c.name for c in root.children] == ["b", "C"]
    assert [e.name for e in root.walk()] == ["a", "b", "C"]


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>',
        b"<a>&undefined;</a>",
        b"<a><b></a>",
        b"",
        b"not xml",
        b"<a/><b/>",
        b"\xff\xfe<a/>",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
    ],
)
def test_hostile_or_broken_documents_raise_the_one_error(data: bytes) -> None:
    with pytest.raises(XmlError):
        parse_xml(data)


def test_limits_hold() -> None:
    with pytest.raises(XmlError, match="nested more than 32"):
        parse_xml(b"<a>" * 33 + b"</a>" * 33)
    parse_xml(b"<a>" * 32 + b"</a>" * 32)
    with pytest.raises(XmlError, match="more than 3 elements"):
        parse_xml(b"<a><b/><b/><b/></a>", XmlLimits(elements=3))
    with pytest.raises(XmlError, match="over the limit of 10"):
        parse_xml(b"<a>01234567890</a>", XmlLimits(size=10))


@given(
    st.binary(max_size=200) | st.text("<>/ab&;!\"'= []", max_size=80).map(str.encode)
)
def test_any_bytes_parse_or_raise_the_one_error(data: bytes) -> None:
    with contextlib.suppress(XmlError):
        parse_xml(data)
