"""Filters by RFC 4515 go out as RFC 4511 has them; others' code reads them."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ldap_peer import read_filter

from linekey.errors import InputError
from linekey.phone.uses.directory.filters import MAX_DEPTH, write_filter


def equal(name: str, value: bytes) -> dict[str, Any]:
    return {"equalityMatch": {"attributeDesc": name.encode(), "assertionValue": value}}


def starred(name: str, **pieces: bytes | list[bytes]) -> dict[str, Any]:
    rows = [
        {kind: one}
        for kind, some in pieces.items()
        for one in (some if isinstance(some, list) else [some])
    ]
    return {"substrings": {"type": name.encode(), "substrings": rows}}


# Of RFC 4515 §4, its own examples, and what its grammar has beside them.
CASES: list[tuple[str, dict[str, Any]]] = [
    ("(cn=Babs Jensen)", equal("cn", b"Babs Jensen")),
    ("(!(cn=Tim Howes))", {"not": equal("cn", b"Tim Howes")}),
    (
        "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
        {"and": [equal("objectClass", b"Person"), {"or": [equal("sn", b"Jensen"), starred("cn", initial=b"Babs J")]}]},
    ),
    ("(o=univ*of*mich*)", starred("o", initial=b"univ", any=[b"of", b"mich"])),
    ("(seeAlso=)", equal("seeAlso", b"")),
    ("(cn:caseExactMatch:=Fred Flintstone)", {"extensibleMatch": {"matchingRule": b"caseExactMatch", "type": b"cn", "matchValue": b"Fred Flintstone", "dnAttributes": False}}),
    ("(cn:=Betty Rubble)", {"extensibleMatch": {"type": b"cn", "matchValue": b"Betty Rubble", "dnAttributes": False}}),
    ("(sn:dn:2.4.6.8.10:=Barney Rubble)", {"extensibleMatch": {"matchingRule": b"2.4.6.8.10", "type": b"sn", "matchValue": b"Barney Rubble", "dnAttributes": True}}),
    ("(o:dn:=Ace Industry)", {"extensibleMatch": {"type": b"o", "matchValue": b"Ace Industry", "dnAttributes": True}}),
    ("(:1.2.3:=Wilma Flintstone)", {"extensibleMatch": {"matchingRule": b"1.2.3", "matchValue": b"Wilma Flintstone", "dnAttributes": False}}),
    ("(:DN:2.4.6.8.10:=Dino)", {"extensibleMatch": {"matchingRule": b"2.4.6.8.10", "matchValue": b"Dino", "dnAttributes": True}}),
    (r"(o=Parens R Us \28for all your parenthetical needs\29)", equal("o", b"Parens R Us (for all your parenthetical needs)")),
    (r"(cn=*\2A*)", starred("cn", any=b"*")),
    (r"(filename=C:\5cMyFile)", equal("filename", rb"C:\MyFile")),
    (r"(bin=\00\00\00\04)", equal("bin", b"\0\0\0\4")),
    (r"(sn=Lu\c4\8di\c4\87)", equal("sn", "Lučić".encode())),
    (r"(1.3.6.1.4.1.1466.0=\04\02\48\69)", equal("1.3.6.1.4.1.1466.0", b"\4\2Hi")),
    ("(cn=*)", {"present": b"cn"}),
    ("(cn;lang-de=*a)", starred("cn;lang-de", final=b"a")),
    ("(cn=**a**)", starred("cn", any=b"a")),
    ("(cn=**)", {"present": b"cn"}),
    ("(n>=5)", {"greaterOrEqual": {"attributeDesc": b"n", "assertionValue": b"5"}}),
    ("(n<=5)", {"lessOrEqual": {"attributeDesc": b"n", "assertionValue": b"5"}}),
    ("(n~=5)", {"approxMatch": {"attributeDesc": b"n", "assertionValue": b"5"}}),
    ("(cn=a=b)", equal("cn", b"a=b")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meant"), CASES, ids=[text for text, _ in CASES])
def test_a_filter_is_what_others_read_in_it(text: str, meant: dict[str, Any]) -> None:
    assert read_filter(write_filter(text)) == meant


def test_true_and_false_are_empty_sets() -> None:
    """RFC 4526 §2; the modules that read here know only sets that hold something."""
    assert (write_filter("(&)"), write_filter("(|)")) == (b"\xa0\x00", b"\xa1\x00")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "an opening bracket is missing (character 1)"),
        ("cn=a", "an opening bracket is missing (character 1)"),
        ("(cn=a", "a closing bracket is missing (character 6)"),
        ("(cn=a))", "it ends, and more follows (character 7)"),
        ("(cn=a)(sn=b)", "it ends, and more follows (character 7)"),
        ("(&(cn=a)", "a closing bracket is missing (character 9)"),
        ("(&cn=a)", "a closing bracket is missing (character 3)"),
        ("(!)", "an opening bracket is missing (character 3)"),
        ("(!(cn=a)(sn=b))", "a closing bracket is missing (character 9)"),
        ("()", "an attribute with =, ~=, >=, <= or := is missing (character 2)"),
        ("(cn)", "an attribute with =, ~=, >=, <= or := is missing (character 2)"),
        ("(=a)", "an attribute with =, ~=, >=, <= or := is missing (character 2)"),
        ("(:=a)", "an attribute with =, ~=, >=, <= or := is missing (character 2)"),
        ("(:dn:=a)", "an attribute with =, ~=, >=, <= or := is missing (character 2)"),
        ("(c n=a)", "an attribute with =, ~=, >=, <= or := is missing (character 2)"),
        ("(cn=a(b)", "a closing bracket is missing (character 6)"),
        (r"(cn=a\2)", r"a \ is not followed by two hexadecimal digits (character 6)"),
        (r"(cn=*a\zz*)", r"a \ is not followed by two hexadecimal digits (character 7)"),
        ("(cn>=a*)", "'*' is not escaped (character 7)"),
        ("(cn=a\0)", r"'\x00' is not escaped (character 6)"),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_said_with_its_place(text: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        write_filter(text)
    assert caught.value.message == f"not an LDAP filter: {why}"
    assert "RFC 4515" in caught.value.hint


def test_filters_within_filters_have_a_bound() -> None:
    def nested(depth: int) -> str:
        return "(!" * (depth - 1) + "(cn=a)" + ")" * (depth - 1)

    assert write_filter(nested(MAX_DEPTH))
    with pytest.raises(InputError, match="lie within each other"):
        write_filter(nested(MAX_DEPTH + 1))
    with pytest.raises(InputError, match="lie within each other"):
        write_filter("(" + "&(" * 100_000)


@given(st.text(alphabet="()&|!=*~<>:\\;.0aF \0ü", max_size=40))
def test_any_text_is_a_filter_or_the_one_error(text: str) -> None:
    with contextlib.suppress(InputError):
        write_filter(text)


@given(
    st.recursive(
        st.sampled_from([text for text, _ in CASES if text.count("(") == 1]),
        lambda one: st.one_of(
            one.map(lambda f: f"(!{f})"),
            st.lists(one, min_size=1, max_size=3).map(lambda fs: f"(&{''.join(fs)})"),
            st.lists(one, min_size=1, max_size=3).map(lambda fs: f"(|{''.join(fs)})"),
        ),
        max_leaves=6,
    )
)
def test_what_lies_in_a_filter_is_written_as_it_is_alone(text: str) -> None:
    data = write_filter(text)
    assert write_filter(f"(&{text}(cn=a))").endswith(data + write_filter("(cn=a)"))
