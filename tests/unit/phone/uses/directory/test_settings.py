"""The ldap_… settings, and the filter that a typed text makes of them."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.ldap_peer import read_filter

from linekey.errors import InputError
from linekey.phone.uses.directory.filters import write_filter
from linekey.phone.uses.directory.settings import (
    DirectorySettings,
    filter_for,
    read_directory,
)

SETTINGS = {
    "ldap_server": "dir.example", "ldap_over_tls": "on", "ldap_base": "dc=example",
    "ldap_username": "cn=phone", "ldap_password": "s3cret",
    "ldap_search_filter": "(|(cn=%*)(sn=%*))", "ldap_number_filter": "(telephoneNumber=%*)",
}  # fmt: skip


def settings(**changes: str) -> DirectorySettings:
    read = read_directory((SETTINGS | changes).get)
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("template", "typed", "before", "since"),
    [
        ("(&(telephoneNumber=*)(sn=%))", "Love", "(&(telephoneNumber=*)(sn=Love*))", "(&(telephoneNumber=*)(sn=Love))"),
        ("(|(cn=%*)(sn=%*))", "Love", "(|(cn=Love*)(sn=Love*))", "(|(cn=Love*)(sn=Love*))"),
        ("(cn=*%*)", "ove", "(cn=*ove*)", "(cn=*ove*)"),
        ("(cn=*%)", "ace", "(cn=*ace*)", "(cn=*ace)"),
        ("(cn=%)", "*", "(cn=\\2a*)", "(cn=\\2a)"),
        ("(displayName~=%)", "Love", "(displayName~=Love)", "(displayName~=Love)"),
        ("(|(sn=%)(sn>=%))", "L", "(|(sn=L*)(sn>=L))", "(|(sn=L)(sn>=L))"),
    ],
)  # fmt: skip
def test_what_the_percent_sign_means_depends_on_the_firmware(
    template: str, typed: str, before: str, since: str
) -> None:
    new = settings(ldap_search_filter=template)
    assert filter_for(new, typed) == since
    assert filter_for(replace(new, substrings=False), typed) == before


def test_a_bare_percent_sign_on_new_firmware_is_a_doubt() -> None:
    changes = SETTINGS | {
        "ldap_search_filter": "(sn=%)",
        "ldap_number_filter": "(a=*%)",
    }
    new = read_directory(changes.get)
    old = read_directory(changes.get, substrings=False)
    assert new is not None
    assert old is not None
    assert [n for n in new.notes if "bare %" in n] == [
        "ldap_search_filter has a bare %: on this firmware it may find whole values only "
        "(nobody says); %* finds what begins so"
    ]
    assert not [n for n in old.notes if "bare %" in n]


@pytest.mark.parametrize("text", ["enabled", "tls", "on;", "o n", "2"])
def test_a_switch_that_cannot_be_read_never_means_without_tls(text: str) -> None:
    with pytest.raises(InputError, match="ldap_over_tls"):
        settings(ldap_over_tls=text)


def test_defaults_follow_ldap_over_tls() -> None:
    assert (settings().port, settings(ldap_over_tls="off").port) == (636, 389)
    assert settings(ldap_max_hits="").max_hits == 50
    assert settings().notes == ()
    assert read_directory({}.get) is None
    assert "s3cret" not in repr(settings())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mül", "(|(cn=mül*)(sn=mül*))"),
        ("+49 (30) 12", "(telephoneNumber=+493012*)"),
        ("*)(uid=*", r"(|(cn=\2a\29\28uid=\2a*)(sn=\2a\29\28uid=\2a*))"),
        ("", "(|(cn=*)(sn=*))"),
        ("%", "(|(cn=%*)(sn=%*))"),
        (" 50% off ", "(|(cn=50% off*)(sn=50% off*))"),
        ("%%25", "(|(cn=%%25*)(sn=%%25*))"),
    ],
)
def test_the_typed_text_is_escaped_and_digits_use_the_number_filter(
    text: str, expected: str
) -> None:
    assert filter_for(settings(), text) == expected


@given(st.text(min_size=1, max_size=20))
@example("%")
@example("a%b%")
@example("\\2a*")
def test_no_typed_text_changes_the_filters_shape(text: str) -> None:
    one = settings(ldap_search_filter="(cn=%*)", ldap_number_filter="(cn=%*)")
    parsed = read_filter(write_filter(filter_for(one, f"x{text}x")))
    begins = {"initial": f"x{text}x".encode()}
    assert parsed == {"substrings": {"type": b"cn", "substrings": [begins]}}


@pytest.mark.parametrize(
    "changes",
    [
        {"ldap_search_filter": "(cn=%"},
        {"ldap_search_filter": "(!" * 600 + "(cn=%)" + ")" * 600},
        {"ldap_search_filter": "(cn=" + "x" * 3000 + "%)"},
        {"ldap_number_filter": "a)b"},
        {"ldap_port": "x"},
        {"ldap_port": "0"},
        {"ldap_port": "65536"},
        {"ldap_port": "9" * 5000},
        {"ldap_port": "²"},
        {"ldap_server": "a\0b"},
        {"ldap_server": "a\x1b[0m"},
        {"ldap_server": "ldaps://dir.example"},
        {"ldap_server": "dir.example:636"},
        {"ldap_server": "a b"},
        {"ldap_server": "a" * 300},
        {"ldap_server": "[dir.example"},
        {"ldap_base": "\ud800"},
        {"ldap_password": "\ud800"},
    ],
)
def test_settings_that_cannot_be_are_named_with_a_cure(changes: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        settings(**changes)
    assert next(iter(changes)) in caught.value.message
    assert len(caught.value.message) < 400
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "host"),
    [("[::1]", "::1"), ("::1", "::1"), ("192.0.2.1", "192.0.2.1"), ("münchen.example", "münchen.example"), ("fe80::1%eth0", "fe80::1%eth0")],
)  # fmt: skip
def test_a_name_and_both_kinds_of_address_are_servers(text: str, host: str) -> None:
    assert settings(ldap_server=text).host == host


@pytest.mark.parametrize(
    ("text", "hits", "says"),
    [
        ("0", 50, "'0', so 50 holds"),
        ("many", 50, "'many', so 50 holds"),
        ("-1", 50, "'-1', so 50 holds"),
        ("1001", 1000, "more than 1000"),
        ("9" * 5000, 1000, "more than 1000"),
        ("007", 7, ""),
        ("1000", 1000, ""),
    ],
)
def test_a_limit_of_hits_that_cannot_be_is_said(
    text: str, hits: int, says: str
) -> None:
    read = settings(ldap_max_hits=text)
    assert read.max_hits == hits
    assert bool(read.notes) is bool(says)
    assert says in "".join(read.notes)


def test_a_name_without_a_password_is_no_login() -> None:
    with pytest.raises(InputError, match="ldap_password is empty") as caught:
        settings(ldap_password="")
    assert "RFC 4513" in caught.value.hint
    anonymous = settings(ldap_username="", ldap_password="")
    assert (anonymous.username, anonymous.password, anonymous.notes) == ("", "", ())


def test_a_password_without_a_name_stays_at_home() -> None:
    read = settings(ldap_username="")
    assert (read.username, read.password) == ("", "")
    assert "not sent" in read.notes[0]
    assert "s3cret" not in str(read)


def test_a_password_that_can_be_read_on_the_way_is_said() -> None:
    (note,) = settings(ldap_over_tls="off").notes
    assert "can be read on the way" in note


def test_a_typed_text_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="no text"):
        filter_for(settings(), "\ud800")
