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


HINTS = [
    (b"", "is empty"),
    (b" \n ", "is empty"),
    (b"<!DOCTYPE html><html><body>Log in</body></html>", "a web page came"),
    (b"\n<html><body><p>x</body></html>", "a web page came"),
    (b"Warning: mysqli in /srv/x.php\n<settings/>", "begins with 'Warning: mysqli in /srv/"),
    (b'\n<?xml version="1.0"?><settings/>', "must be the very first bytes"),
    (b'\xef\xbb\xbf\n<?xml version="1.0"?><settings/>', "must be the very first bytes"),
    (b"<a>\n<b>x</c></a>", "<b> of line 2 is closed by another name: close it with </b>"),
    (b"<a><b>\n", "<b> of line 1 is never closed"),
    (b"<a>x</", "<a> of line 1 is never closed"),
    (b"<a/>\nNotice: undefined", "stands 'Notice: undefined'"),
    (b"<a>M&uuml;ller</a>", "&#160; for &nbsp;"),
    (b"<a>x?a=1&b=2</a>", "&amp; for &"),
    (b"<a>Marks & Spencer</a>", "&amp; for &"),
    (b'<a url="x?a=1&b=2"/>', "&amp; for &"),
    (b"<a>1 < 2</a>", "&lt; for <"),
    ("<a>Müller</a>".encode("latin-1"), 'encoding="ISO-8859-1"'),
    ('<?xml version="1.0" encoding="utf-8"?><a>Caf\xe9</a>'.encode("latin-1"), "not in the encoding"),
    (b'<?xml version="1.0" encoding="utf-17"?><a/>', 'declare encoding="UTF-8"'),
    (b"<a>\x07</a>", "control character"),
    (b"<a idx=1>x</a>", "stands in quotes"),
    (b"<a><user_realname idx = 2 perm='R'>x</user_realname></a>", "stands in quotes"),
    (b"<a><user name>x</user name></a>", "has no blanks"),
    (b"<a><1st_key>x</1st_key></a>", "begins with a letter"),
    (b"<a idx='1' idx='2'/>", "twice in one element"),
    (b"<a><!-- one -- two --></a>", "inside a comment"),
    ('<?xml version="1.0" encoding="utf-8"?><a/>'.encode("utf-16"), "another encoding than"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "hint"), HINTS)
def test_each_way_in_which_templates_break_has_a_hint_of_its_own(
    data: bytes, hint: str
) -> None:
    with pytest.raises(XmlError) as caught:
        parse_xml(data)
    assert hint in caught.value.hint


@given(st.binary(max_size=80).filter(lambda data: b"</a" not in data))
def test_a_hint_is_one_printable_line_whatever_came(data: bytes) -> None:
    with pytest.raises(XmlError) as caught:
        parse_xml(b"<a>" + data)  # never closed
    assert caught.value.hint
    assert caught.value.hint.isprintable()
