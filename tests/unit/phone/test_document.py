"""The XML of a provisioning document, read."""

import pytest

from linekey.errors import InputError
from linekey.phone.document import DocumentError, FunctionKey, parse_document
from linekey.xmldoc import XmlError

FULL = b"""<?xml version="1.0" encoding="utf-8"?>
<settings>
  <phone-settings e="2">
    <language perm="RW">English</language>
    <user_name idx="1" perm="R"> 401 </user_name>
    <user_realname idx="1" perm=" ">J\xc3\xb6rg &amp; Co</user_realname>
    <broken><x/></broken>
    <odd idx="x">1</odd>
  </phone-settings>
  <functionKeys>
    <fkey idx="3" context="1" label="Door" perm="R">url https://door.test/open?x=1</fkey>
    <fkey>line</fkey>
    <key/>
  </functionKeys>
  <tbook><item context="a"><name>A &lt; B</name></item></tbook>
  <surprise a="&quot;"/>
  <certificates>
    <certificate url="http://h/a.der"/>
    <certificate type="base64"> AAAA </certificate>
    <certificate/>
    <certificate type="base64" url="http://h/b"/>
  </certificates>
  <Setting-Files><file url="https://h/x.xml"/><file/></Setting-Files>
</settings>"""


def test_every_part_is_read_and_what_is_left_out_is_said() -> None:
    document = parse_document(FULL)
    assert [(s.name, s.value, s.idx, s.perm) for s in document.settings] == [
        ("language", "English", None, "RW"),
        ("user_name", "401", 1, "R"),
        ("user_realname", "Jörg & Co", 1, " "),
    ]
    assert document.function_keys == (
        FunctionKey(3, "url", "https://door.test/open?x=1", "1", "Door", "R"),
    )
    assert [(c.url, c.text) for c in document.certificates] == [
        ("http://h/a.der", ""), ("", "AAAA"), ("", " "),
    ]  # fmt: skip
    assert document.files == ("https://h/x.xml",)
    assert dict(document.sections) == {
        "tbook": '<tbook><item context="a"><name>A &lt; B</name></item></tbook>',
        "surprise": "<surprise a='\"'></surprise>",
    }
    notes = " | ".join(document.notes)
    for word in ("<broken> in line 7", "idx 'x'", "<fkey> in line 12", "<key> in line 13",
                 "<surprise> in line 16", "neither url nor", "its url is not looked at",
                 "names no document"):  # fmt: skip
        assert word in notes


@pytest.mark.parametrize(
    ("data", "settings", "files", "certificates"),
    [
        (b"<phone-settings><a>1</a></phone-settings>", 1, 0, 0),
        (b'<setting-files><file url="http://h/x"/></setting-files>', 0, 1, 0),
        (b'<certificates><certificate url="http://h/x"/></certificates>', 0, 0, 1),
        (b"<tbook/>", 0, 0, 0),
        (b"<settings/>", 0, 0, 0),
    ],
)
def test_each_section_may_be_a_document_of_its_own(
    data: bytes, settings: int, files: int, certificates: int
) -> None:
    document = parse_document(data)
    assert len(document.settings) == settings
    assert len(document.files) == files
    assert len(document.certificates) == certificates


@pytest.mark.parametrize(
    "data", [b"", b" \n", b"<html><body>log in</body></html>", b"<x/>"]
)
def test_what_is_no_phone_document_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_document(data)


BOMB = (
    b'<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY l2 "&lol;&lol;&lol;&lol;">]>'
    b"<settings><phone-settings><a>&l2;</a></phone-settings></settings>"
)
OUTSIDE = (
    b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<settings><phone-settings><a>&x;</a></phone-settings></settings>"
)


@pytest.mark.parametrize(
    "data",
    [
        BOMB, OUTSIDE, b"<settings>", b"\x00\x01", b"\xff\xfe", b"<settings>&nbsp;</settings>",
        b"<settings>" + b"<a>" * 40 + b"</a>" * 40 + b"</settings>",
        b"<settings><phone-settings>" + b"<a/>" * 60_000 + b"</phone-settings></settings>",
        b"<settings>" + b" " * (5 * 1024 * 1024) + b"</settings>",
        b'<?xml version="1.0" encoding="no-such"?><settings/>',
    ],
    ids=["bomb", "outside", "open", "zeros", "bom", "entity", "deep", "many", "large", "codec"],
)  # fmt: skip
def test_hostile_xml_is_refused_with_the_documented_error(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        parse_document(data)
    assert isinstance(caught.value, XmlError)
    assert "root:" not in caught.value.message


def test_no_repr_shows_a_password() -> None:
    document = parse_document(
        b"<phone-settings><user_pass idx='1'>hunter2</user_pass></phone-settings>"
    )
    assert document.settings[0].value == "hunter2"
    assert "hunter2" not in repr(document)
