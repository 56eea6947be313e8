"""A look-up without a connection: what the phone asks, and what it makes of answers."""

import contextlib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ldap_peer import read_messages, write_entry, write_reference, write_result

from linekey.certs import der
from linekey.errors import LinekeyError, PeerError
from linekey.phone.uses.directory.look_up import Lookup, LookupResult
from linekey.phone.uses.directory.messages import DISCONNECTION, ResultCode
from linekey.phone.uses.directory.settings import read_directory

SETTINGS = {
    "ldap_server": "dir.example", "ldap_over_tls": "on", "ldap_base": "dc=example",
    "ldap_username": "cn=phone", "ldap_password": "s3cret", "ldap_max_hits": "2",
    "ldap_search_filter": "(|(cn=%*)(sn=%*))", "ldap_number_filter": "(telephoneNumber=%*)",
    "ldap_display_name": "%givenName %sn",
}  # fmt: skip


def lookup(text: str = "a", **changes: str) -> Lookup:
    settings = read_directory((SETTINGS | changes).get)
    assert settings is not None
    return Lookup(settings, text)


def ended(looked_up: Lookup) -> LookupResult:
    assert looked_up.result is not None
    return looked_up.result


def message(number: int, operation: bytes, *more: bytes) -> bytes:
    """An LDAPMessage (RFC 4511 §4.1.1)."""
    return der.write(der.SEQUENCE, der.write_integer(number), operation, *more)


def result(operation: int, code: int, text: bytes = b"", *more: bytes) -> bytes:
    """An operation that is an LDAPResult (RFC 4511 §4.1.9)."""
    number = b"\x0a" + der.write_integer(code)[1:]
    texts = der.write(der.OCTET_STRING), der.write(der.OCTET_STRING, text)
    return der.write(operation, number, *texts, *more)


def entry(dn: bytes, *attributes: tuple[bytes, tuple[bytes, ...]]) -> bytes:
    """A SearchResultEntry (RFC 4511 §4.5.2)."""
    rows = (
        der.write(
            der.SEQUENCE,
            der.write(der.OCTET_STRING, name),
            der.write(der.SET, *(der.write(der.OCTET_STRING, v) for v in values)),
        )
        for name, values in attributes
    )
    return der.write(
        0x64, der.write(der.OCTET_STRING, dn), der.write(der.SEQUENCE, *rows)
    )


def bound(**changes: str) -> Lookup:
    """A look-up that has logged in, and waits for hits."""
    made = lookup(**changes)
    made.begin()
    assert made.receive(message(1, result(0x61, 0)))
    return made


def talk(
    looked_up: Lookup,
    bind_code: ResultCode = ResultCode.SUCCESS,
    entries: Iterable[tuple[str, dict[str, list[str]]]] = (),
    code: ResultCode = ResultCode.SUCCESS,
    references: int = 0,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer with others' code; the data comes in small pieces. Bind and search."""
    ((number, kind, bind),) = read_messages(looked_up.begin())
    assert kind == "bindRequest"
    out = looked_up.receive(write_result(number, "bindResponse", bind_code))
    if not out:
        return bind, {}
    ((number, kind, search),) = read_messages(out)
    assert kind == "searchRequest"
    data = b"".join(
        write_entry(
            number, name, {k: [v.encode() for v in vs] for k, vs in found.items()}
        )
        for name, found in entries
    )
    data += write_reference(number, "ldap://other/") * references
    data += write_result(number, "searchResDone", code)
    for i in range(0, len(data), 7):
        looked_up.receive(data[i : i + 7])
    return bind, search


def test_hits_come_sorted_with_name_and_numbers() -> None:
    looked_up = lookup()
    ann = {
        "givenName": ["Ann"],
        "sn": ["Zoe"],
        "telephoneNumber": ["1", "2"],
        "mobile": ["3"],
    }
    bind, search = talk(looked_up, entries=[("cn=b", {"cn": ["Bo"]}), ("cn=a", ann)])
    assert bind == {
        "version": 3, "name": b"cn=phone", "authentication": {"simple": b"s3cret"},
    }  # fmt: skip
    wanted = search.pop("attributes")
    begins = {"initial": b"a"}
    assert search == {
        "baseObject": b"dc=example",
        "scope": 2,  # wholeSubtree
        "derefAliases": 0,  # neverDerefAliases
        "sizeLimit": 2,
        "timeLimit": 10,
        "typesOnly": False,
        "filter": {"or": [
            {"substrings": {"type": name, "substrings": [begins]}} for name in (b"cn", b"sn")
        ]},
    }  # fmt: skip
    first, second = ended(looked_up).entries
    assert (first.name, first.numbers) == (
        "Ann Zoe",
        (("telephoneNumber", "1"), ("telephoneNumber", "2"), ("mobile", "3")),
    )
    assert (second.name, second.dn) == ("Bo", "cn=b")
    assert {b"givenName", b"sn", b"cn", b"telephoneNumber"} <= set(wanted)


def test_a_refused_login_says_what_to_check() -> None:
    looked_up = lookup()
    talk(looked_up, bind_code=ResultCode.INVALID_CREDENTIALS)
    assert "invalid_credentials (49)" in ended(looked_up).problem
    assert "ldap_password" in ended(looked_up).cure
    assert "s3cret" not in str(looked_up.result)


def test_more_hits_than_the_limit_are_cut_and_said() -> None:
    looked_up = lookup()
    many = [(f"cn={i}", {"cn": [str(i)]}) for i in range(3)]
    talk(looked_up, entries=many, code=ResultCode.SIZE_LIMIT_EXCEEDED, references=1)
    assert len(ended(looked_up).entries) == 2
    assert any("type more" in note for note in ended(looked_up).notes)
    assert any("not followed" in note for note in ended(looked_up).notes)


def test_a_referral_is_not_followed_and_cured() -> None:
    looked_up = lookup()
    talk(looked_up, code=ResultCode.REFERRAL)
    assert "phones do not follow" in ended(looked_up).problem
    refused = lookup()
    talk(refused, code=ResultCode.NO_SUCH_OBJECT)
    assert "no_such_object (32)" in ended(refused).problem


def test_too_much_and_no_ldap_raise_the_one_error() -> None:
    looked_up = lookup()
    looked_up.begin()
    with pytest.raises(PeerError, match="not LDAP"):
        looked_up.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    looked_up = lookup()
    looked_up.begin()
    with pytest.raises(PeerError, match="more than"):
        looked_up.receive(b"\x30\x84\x7f\xff\xff\xff" + bytes(5 * 1024 * 1024))


def test_a_value_cut_inside_a_message_raises_the_one_error() -> None:
    looked_up = lookup()
    looked_up.begin()
    with pytest.raises(PeerError, match="not LDAP"):
        looked_up.receive(b"0\x0e\x02\x01\x01a\t\n\x81\x00\x04L\x04\x00\xa3\xae")


@given(st.binary(max_size=200))
def test_any_bytes_read_or_raise_the_one_error(data: bytes) -> None:
    looked_up = lookup()
    looked_up.begin()
    with contextlib.suppress(LinekeyError):
        looked_up.receive(b"\x30" + data)


@pytest.mark.parametrize("code", [123, 200, 4096, 16654])
def test_a_code_nobody_knows_is_no_success(code: int) -> None:
    login = lookup()
    login.begin()
    assert login.receive(message(1, result(0x61, code, b"no\x00n"))) == b""
    assert f"refused the login: a result code that RFC 4511 does not have ({code}): no n" in (
        ended(login).problem
    )  # fmt: skip
    search = bound()
    search.receive(message(2, result(0x65, code)))
    assert f"refused the search: a result code that RFC 4511 does not have ({code})" in (
        ended(search).problem
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "says"), [(3, "time was up"), (4, "size limit"), (11, "administrator")]
)
def test_what_was_found_before_a_limit_is_kept(code: int, says: str) -> None:
    looked_up = bound()
    found = entry(b"cn=Ada", (b"cn", (b"Ada",)))
    looked_up.receive(message(2, found) + message(2, result(0x65, code)))
    assert [e.name for e in ended(looked_up).entries] == ["Ada"]
    assert not ended(looked_up).problem
    (note,) = ended(looked_up).notes
    assert note.startswith("there is more than 1 hit")
    assert says in note
    nobody = bound()
    nobody.receive(message(2, result(0x65, code)))
    assert says in ended(nobody).problem
    assert f"({code})" in ended(nobody).problem
    assert "type more" in ended(nobody).cure


def test_more_hits_than_were_asked_for_are_cut_and_said() -> None:
    looked_up = bound()
    for letter in (b"c", b"b", b"a"):
        looked_up.receive(message(2, entry(letter, (b"cn", (letter,)))))
    looked_up.receive(message(2, result(0x65, 0)))
    assert [e.name for e in ended(looked_up).entries] == ["b", "c"]
    assert ended(looked_up).notes == ("there are more than 2 hits; type more",)


@pytest.mark.parametrize("beside", [True, False], ids=["active-directory", "rfc-4511"])
def test_a_notice_of_disconnection_is_told_as_one(beside: bool) -> None:
    looked_up = bound()
    name = der.write(0x8A, DISCONNECTION.encode())
    if beside:
        notice = message(0, result(0x78, 52, b"shutting down"), name)
    else:
        notice = message(0, result(0x78, 52, b"shutting down", name))
    looked_up.receive(message(2, entry(b"cn=Ada", (b"cn", (b"Ada",)))) + notice)
    told = ended(looked_up)
    assert told.problem == (
        "the directory ended the connection: unavailable (52): shutting down"
    )
    assert "try again later" in told.cure
    assert [e.name for e in told.entries] == ["Ada"]
    assert looked_up.end() == b""


def test_a_notice_after_the_last_hit_takes_nothing_away() -> None:
    looked_up = bound()
    notice = result(0x78, 52, b"", der.write(0x8A, DISCONNECTION.encode()))
    looked_up.receive(message(2, result(0x65, 0)) + message(0, notice))
    assert not ended(looked_up).problem


def test_other_notices_and_intermediate_responses_are_passed_over() -> None:
    looked_up = bound()
    notice = result(0x78, 0, b"", der.write(0x8A, b"1.3.6.1.1.21.4"))
    looked_up.receive(message(0, notice) + message(2, der.write(0x79)))
    assert looked_up.result is None
    controls = der.write(0xA0, der.write(der.SEQUENCE))
    looked_up.receive(message(2, result(0x65, 0), controls))
    assert not ended(looked_up).problem


@pytest.mark.parametrize("logged_in", [False, True])
def test_a_look_up_ends_with_an_unbind_and_says_it_once(logged_in: bool) -> None:
    looked_up = bound() if logged_in else lookup()
    if not logged_in:
        looked_up.begin()
    looked_up.fail("nobody answers", "wait")
    unbind = der.write(0x42)  # [APPLICATION 2] NULL
    assert looked_up.end() == message(3 if logged_in else 2, unbind)
    assert looked_up.end() == b""


@pytest.mark.parametrize(
    "answer",
    [
        message(1, result(0x65, 0)),
        message(2, result(0x61, 0)),
        message(3, result(0x65, 0)),
        message(1, entry(b"cn=x")),
        message(2, entry(b"cn=x")),
        message(1, der.write(0x73)),
        message(0, result(0x61, 0)),
    ],
)
def test_before_the_login_only_its_own_answer_counts(answer: bytes) -> None:
    looked_up = lookup()
    looked_up.begin()
    with pytest.raises(PeerError, match="what the phone did not ask"):
        looked_up.receive(answer)


@pytest.mark.parametrize(
    "answer",
    [
        message(2, result(0x61, 0)),
        message(1, result(0x61, 0)),
        message(7, entry(b"cn=x")),
        message(1, result(0x65, 0)),
    ],
)
def test_after_the_login_only_answers_to_the_search_count(answer: bytes) -> None:
    looked_up = bound()
    with pytest.raises(PeerError, match="what the phone did not ask"):
        looked_up.receive(answer)
    assert looked_up.end() == b""


def test_a_broken_message_after_a_good_one_blames_no_port() -> None:
    looked_up = bound()
    with pytest.raises(PeerError, match="breaks the rules of LDAP") as caught:
        looked_up.receive(message(2, der.write(0x64, b"\x04\x7f")))
    assert "ldap_port" not in caught.value.hint


@pytest.mark.parametrize(
    "operation",
    [
        b"\x64\x02\x04\x7f",
        result(0x65, 0)[:-2],
        b"\x7f" + b"\xff" * 100_000,
        der.write(0x65, der.write(0x0A, b"\x7f" * 9000), b"\x04\x00\x04\x00"),
        der.write(0x65, b"\x0a\x00"),
        b"\x64\x80\x00\x00",
        der.write(0x60),
        der.write(0x78, b"\x0a\x01\x00\x04\x00\x04\x00"),
    ],
    ids=[
        "cut", "shorter", "endless tag", "endless code", "no code", "indefinite",
        "a request", "an answer to nothing",
    ],
)  # fmt: skip
def test_what_is_wrong_inside_a_whole_message_is_said_at_once(operation: bytes) -> None:
    looked_up = bound()
    with pytest.raises(PeerError):
        looked_up.receive(message(2, operation))


def test_a_message_may_be_longer_than_one_read_and_no_longer_than_all() -> None:
    looked_up = bound()
    photo = message(
        2, entry(b"cn=Ada", (b"cn", (b"Ada",)), (b"x", (b"\xff" * 300_000,)))
    )
    for i in range(0, len(photo), 65536):
        looked_up.receive(photo[i : i + 65536])
    looked_up.receive(message(2, result(0x65, 0)))
    assert [e.name for e in ended(looked_up).entries] == ["Ada"]
    with pytest.raises(PeerError, match="more than 4194304 bytes"):
        bound().receive(b"\x30\x84\x00\x50\x00\x00")


def test_values_that_are_no_text_do_not_break_the_list() -> None:
    looked_up = bound(ldap_display_name="", ldap_number_attributes="telephoneNumber")
    looked_up.receive(
        message(
            2,
            entry(
                b"cn=M\xfcller,\x1b[31m" + b"x" * 5000,
                (b"cn;lang-de", (b"M\xfcl\x00ler" + b"y" * 5000,)),
                (b"telephoneNumber", (b"1",) * 30),
                (b"TELEPHONENUMBER;x-office", (b"2\x1b[0m",) * 30),
            ),
        )
    )
    looked_up.receive(message(2, entry(b"", (b"cn", ()))) + message(2, result(0x65, 0)))
    nobody, person = ended(looked_up).entries
    assert (nobody.name, nobody.numbers) == ("", ())
    assert person.name.startswith("M\ufffdl ler")
    assert person.name.isprintable()
    assert person.dn.isprintable()
    assert (len(person.name), len(person.dn), len(person.numbers)) == (200, 200, 50)
    assert person.numbers[-1] == ("telephoneNumber", "2 [0m")
    assert "no more than 50 numbers of an entry are shown" in ended(looked_up).notes


def test_a_referral_is_told_at_the_login_too_with_where_it_leads() -> None:
    looked_up = lookup()
    looked_up.begin()
    uri = der.write(0xA3, der.write(der.OCTET_STRING, b"ldaps://other.example/"))
    looked_up.receive(message(1, result(0x61, 10, b"", uri)))
    assert "another server (ldaps://other.example/)" in ended(looked_up).problem


def test_refusals_that_tls_or_a_login_cure_say_so() -> None:
    plain = lookup()
    plain.begin()
    plain.receive(message(1, result(0x61, 13)))
    assert ended(plain).cure == "set ldap_over_tls on"
    anonymous = bound(ldap_username="", ldap_password="")
    anonymous.receive(message(2, result(0x65, 48)))
    assert "ldap_username" in ended(anonymous).cure


def test_what_the_settings_lack_is_said_with_every_result() -> None:
    looked_up = bound(ldap_max_hits="0")
    looked_up.receive(message(2, result(0x65, 0)))
    assert "ldap_max_hits cannot be '0', so 50 holds" in ended(looked_up).notes[0]
