import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sansldap import (
    BindRequest,
    LDAPResultCode,
    LDAPServer,
    PartialAttribute,
    SearchRequest,
)

from linekey.errors import LinekeyError, PeerError
from linekey.phone.directory import Lookup
from linekey.phone.directory_settings import read_directory

SETTINGS = {
    "ldap_server": "dir.example", "ldap_over_tls": "on", "ldap_base": "dc=example",
    "ldap_username": "cn=phone", "ldap_password": "s3cret", "ldap_max_hits": "2",
    "ldap_search_filter": "(|(cn=%*)(sn=%*))", "ldap_number_filter": "(telephoneNumber=%*)",
    "ldap_display_name": "%givenName %sn",
}  # fmt: skip


def settings(**changes: str):
    return read_directory((SETTINGS | changes).get)


def talk(
    lookup: Lookup,
    bind_code=LDAPResultCode.SUCCESS,
    entries=(),
    code=LDAPResultCode.SUCCESS,
    references=0,
    **done,
):
    server = LDAPServer()
    (bind,) = server.receive(lookup.begin())
    assert isinstance(bind, BindRequest)
    server.bind_response(bind.message_id, result_code=bind_code)
    out = lookup.receive(server.data_to_send())
    if not out:
        return bind, None
    (search,) = server.receive(out)
    assert isinstance(search, SearchRequest)
    for name, attributes in entries:
        server.search_result_entry(
            search.message_id,
            name,
            [
                PartialAttribute(k, [v.encode() for v in vs])
                for k, vs in attributes.items()
            ],
        )
    for _ in range(references):
        server.search_result_reference(search.message_id, ["ldap://other/"])
    server.search_result_done(search.message_id, result_code=code, **done)
    for i in range(0, len(data := server.data_to_send()), 7):
        lookup.receive(data[i : i + 7])
    return bind, search


def test_hits_come_sorted_with_name_and_numbers() -> None:
    lookup = Lookup(settings(), "a")
    ann = {
        "givenName": ["Ann"],
        "sn": ["Zoe"],
        "telephoneNumber": ["1", "2"],
        "mobile": ["3"],
    }
    bind, search = talk(lookup, entries=[("cn=b", {"cn": ["Bo"]}), ("cn=a", ann)])
    assert (bind.name, bind.authentication.password) == ("cn=phone", "s3cret")
    assert (search.base_object, search.size_limit) == ("dc=example", 2)
    first, second = lookup.result.entries
    assert (first.name, first.numbers) == (
        "Ann Zoe",
        (("telephoneNumber", "1"), ("telephoneNumber", "2"), ("mobile", "3")),
    )
    assert (second.name, second.dn) == ("Bo", "cn=b")
    assert {"givenName", "sn", "cn", "telephoneNumber"} <= set(search.attributes)


def test_a_refused_login_says_what_to_check() -> None:
    lookup = Lookup(settings(), "a")
    talk(lookup, bind_code=LDAPResultCode.INVALID_CREDENTIALS)
    assert "invalid_credentials (49)" in lookup.result.problem
    assert "ldap_password" in lookup.result.cure
    assert "s3cret" not in str(lookup.result)


def test_more_hits_than_the_limit_are_cut_and_said() -> None:
    lookup = Lookup(settings(), "a")
    many = [(f"cn={i}", {"cn": [str(i)]}) for i in range(3)]
    talk(lookup, entries=many, code=LDAPResultCode.SIZE_LIMIT_EXCEEDED, references=1)
    assert len(lookup.result.entries) == 2
    assert any("type more" in note for note in lookup.result.notes)
    assert any("not followed" in note for note in lookup.result.notes)


def test_a_referral_is_not_followed_and_cured() -> None:
    lookup = Lookup(settings(), "a")
    talk(lookup, code=LDAPResultCode.REFERRAL)
    assert "phones do not follow" in lookup.result.problem
    refused = Lookup(settings(), "a")
    talk(refused, code=LDAPResultCode.NO_SUCH_OBJECT)
    assert "no_such_object (32)" in refused.result.problem


def test_too_much_and_no_ldap_raise_the_one_error() -> None:
    lookup = Lookup(settings(), "a")
    lookup.begin()
    with pytest.raises(PeerError, match="no LDAP"):
        lookup.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    lookup = Lookup(settings(), "a")
    lookup.begin()
    with pytest.raises(PeerError, match="more than"):
        lookup.receive(b"\x30\x84\x7f\xff\xff\xff" + bytes(5 * 1024 * 1024))


def test_a_value_cut_inside_a_message_raises_the_one_error() -> None:
    lookup = Lookup(settings(), "a")
    lookup.begin()
    with pytest.raises(PeerError, match="no LDAP"):
        lookup.receive(b"0\x0e\x02\x01\x01a\t\n\x81\x00\x04L\x04\x00\xa3\xae")


@given(st.binary(max_size=200))
def test_any_bytes_read_or_raise_the_one_error(data: bytes) -> None:
    lookup = Lookup(settings(), "a")
    lookup.begin()
    with contextlib.suppress(LinekeyError):
        lookup.receive(b"\x30" + data)
