"""Whose file it is, and what is read of it; what is none is an error with a cure."""

import pytest
from tests.unit.lint import files

from linekey.errors import InputError
from linekey.lint.source import Source, read_source
from linekey.lint.template import MARK


def read(data: bytes, name: str = "x.cfg") -> Source:
    return read_source(name, data)


@pytest.mark.parametrize(
    ("data", "grammar"),
    [
        (files.YEALINK_BAD, "yealink"), (files.YEALINK_TEMPLATE, "yealink"),
        (files.POLY_BAD, "poly"), (files.POLY_TEMPLATE, "poly"),
        (files.GRANDSTREAM_BAD, "grandstream-1"), (files.GRANDSTREAM_PHP, "grandstream-1"),
        (files.GRANDSTREAM_NAMES, "grandstream-2"), (files.SNOM_BAD, "snom"),
        (b"\xef\xbb\xbf" + files.YEALINK_BAD, "yealink"),
        (files.YEALINK_BAD.replace(b"\n", b"\r\n"), "yealink"),
        (b"<phone-settings><language>x</language></phone-settings>", "snom"),
        (b'<APPLICATION CONFIG_FILES="a.cfg"/>', "poly"),
    ],
)  # fmt: skip
def test_a_file_is_known_by_what_it_holds(data: bytes, grammar: str) -> None:
    assert read(data, "anything.bin").grammar.id == grammar


def test_lines_have_the_numbers_of_the_file() -> None:
    for data, name in (
        (files.YEALINK_BAD, "static.security.cn_validation"),
        (files.GRANDSTREAM_BAD, "P8463"),
        (files.POLY_BAD, "device.sec.TLS.protocol.prov"),
        (files.SNOM_BAD, "empty_tls_client_cert"),
        (files.GRANDSTREAM_PHP, "P212"),
    ):
        lines = data.decode().split("\n")
        expected = next(n for n, text in enumerate(lines, 1) if name in text)
        source = read(data)
        assert [n.number for n in source.lines if n.name == name] == [expected]


def test_a_part_of_a_file_keeps_its_numbers_and_is_told_as_one() -> None:
    data = b"account.1.enable = 1\nlinekey.1.type = 15\nldap.host = x\n"
    source = read(data)
    assert [(n.name, n.number) for n in source.lines][-1] == ("ldap.host", 3)
    assert "#!version:1.0.0.1" in source.notes[0]


def test_a_template_that_is_no_xml_is_read_tag_by_tag() -> None:
    source = read(files.POLY_TEMPLATE)
    assert source.loosely
    found = [(n.name, MARK.sub("•", n.value), n.number) for n in source.lines]
    name = "sec.TLS.SIP.strictCertCommonNameValidation"
    assert found[:2] == [(name, "0", 3), (name, "1", 5)]
    assert ("reg.1.auth.password", "•", 7) in found
    assert [p.by for p in source.placeholders].count("phone") == 1


def test_a_template_before_the_xml_declaration_is_no_fault() -> None:
    data = b"{% import 'x' %}\n\n" + files.GRANDSTREAM_BAD
    source = read(data)
    assert not source.loosely
    assert next(n.number for n in source.lines if n.name == "P271") == 6


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"), (b" \n\t", "empty"), (b"\0\1\2", "binary"),
        (b"hello", "no maker's"), (b"<flat-profile><a/></flat-profile>", "Cisco's"),
        (b"<sysConf/>", "Fanvil's"), (b"<html><body>404</body></html>", "web page"),
        (b"<settings><a></settings>", "not well-formed"),
        (b'<!DOCTYPE x><settings/>', "document type"),
        (b"<gs_provision><config></gs_provision>", "not well-formed"),
        (b"{}", "no maker's"), (b"[1, 2]", "no maker's"),
    ],
)  # fmt: skip
def test_what_is_no_makers_file_is_an_error_with_a_cure(data: bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(data)
    assert said in caught.value.message
    assert caught.value.hint


def test_repr_shows_no_value() -> None:
    shown = repr(read(files.YEALINK_BAD))
    assert "q8Zt" not in shown
    assert "yealink" in shown
