import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.phone.uses.sip.account import read_account


def account(**settings: str):
    base = {"user_name": "100", "user_host": "pbx.example", "user_pass": "s3cret"}
    return read_account(
        1, lambda name, idx: (base | settings).get(name) if idx == 1 else None
    )


@pytest.mark.parametrize(
    ("outbound", "expected"),
    [
        ("sip.example:5071;transport=tls", ("sip.example", 5071, True)),
        ("sip.example;transport=tls", ("sip.example", 5061, True)),
        ("sips:sip.example", ("sip.example", 5061, True)),
        ("sip:sip.example;lr;transport=TLS", ("sip.example", 5061, True)),
        ("[::1]:5061;transport=tls", ("::1", 5061, True)),
        ("sip.example:5060", ("sip.example", 5060, False)),
        ("", ("pbx.example", 5060, False)),
    ],
)
def test_outbound_says_where_and_how(outbound: str, expected: tuple) -> None:
    read = account(user_outbound=outbound)
    assert (read.host, read.port, read.tls) == expected
    assert read.address == "sip:100@pbx.example"


LIST = [
    ("a;transport=tls,", [("a", 5061, True)]),
    (",a:5070;transport=tls,,", [("a", 5070, True)]),
    ("a:5061;transport=tls, b;transport=TLS", [("a", 5061, True), ("b", 5061, True)]),
    ("sips:a,SIPS:[::1]:5", [("a", 5061, True), ("::1", 5, True)]),
    ("a,b:5070", [("a", 5060, False), ("b", 5070, False)]),
    (" , ", [("pbx.example", 5060, False)]),
]


@pytest.mark.parametrize(("outbound", "servers"), LIST)
def test_an_outbound_is_a_list_whose_empty_entries_are_none(
    outbound: str, servers: list[tuple[str, int, bool]]
) -> None:
    read = account(user_outbound=outbound)
    assert [(s.host, s.port, s.tls) for s in read.servers] == servers


@pytest.mark.parametrize(
    ("host", "outbound", "expected"),
    [
        ("pbx.example;transport=tls", "", ("pbx.example", 5061, True)),
        ("pbx.example:5070;transport=tls", "", ("pbx.example", 5070, True)),
        ("pbx.example;transport=tls", "proxy.example", ("proxy.example", 5061, True)),
        ("pbx.example", "proxy;transport=tls", ("proxy", 5061, True)),
    ],
)
def test_the_registrar_may_say_the_transport_too(
    host: str, outbound: str, expected: tuple[str, int, bool]
) -> None:
    read = account(user_host=host, user_outbound=outbound)
    assert (read.host, read.port, read.tls) == expected
    assert read.address == "sip:100@pbx.example"


@pytest.mark.parametrize(
    "outbound",
    [
        "a;transport=tls,b",
        "a,b;transport=tls",
        "a;transport=tls;transport=tcp",
        "a;transport=tlsv1",
        "a;transport=",
        "a;transprt=tls",
        "a;tls",
        "a;transport:tls",
        "a transport=tls",
        "atransport=tls",
        "a,transport=tls",
        "a%3Btransport=tls",
        "a;transport= tls",
        "sips:a;transport=udp",
        "tls:a:5061",
        "a/tls",
        "tls",
    ],
)
def test_what_speaks_of_tls_and_cannot_be_read_is_refused(outbound: str) -> None:
    with pytest.raises(InputError) as caught:
        account(user_outbound=outbound)
    assert "transport=tls" in caught.value.hint


def test_a_registrar_with_tls_and_a_proxy_without_is_a_contradiction() -> None:
    with pytest.raises(InputError, match="user_outbound1"):
        account(user_host="a;transport=tls", user_outbound="b;transport=tcp")


_PIECES = st.lists(
    st.sampled_from(
        ["a.example", "b", ":5061", ";transport=tls", ";transport=TLS", ",", ";", "=",
         " ", "transport", "tls", "sips:", "sip:", ";lr", "%", "\t", ";transport=tcp",
         "/", "@", '"', ";Transport=Tls", "&", "udp"]
    ),
    max_size=8,
)  # fmt: skip


@given(_PIECES, _PIECES)
def test_no_spelling_that_contains_tls_gives_plaintext(
    host: list[str], outbound: list[str]
) -> None:
    settings = {"user_host": "".join(host), "user_outbound": "".join(outbound)}
    try:
        read = account(**settings)
    except InputError:
        return
    if read is None or all(server.tls for server in read.servers):
        return
    # In plain only where "tls" stands in a host's name and nowhere else.
    for text in settings.values():
        for entry in text.split(","):
            bare = re.sub(r"^sip:", "", entry.strip().lower())
            assert "tls" not in re.sub(r"^[\w.-]+", "", bare), settings
            assert not bare.startswith("sips"), settings


@pytest.mark.parametrize(
    "outbound",
    [
        "a b",
        "x:99999",
        "x:0",
        "[::1",
        "http://x/",
        "@",
        "a\0b",
        "a\x1bb:5061",
        "a\x7f",
        "a;transport=sctp",
    ],
)
def test_an_outbound_that_is_none_is_named(outbound: str) -> None:
    with pytest.raises(InputError, match="user_outbound1") as caught:
        account(user_outbound=outbound)
    assert "transport=tls" in caught.value.hint


@pytest.mark.parametrize(
    "outbound",
    ["sip:bob:s3cr3t@pbx:5061", "bob:s3cr3t@pbx", "sip:bob:p@s3cr3t@pbx;transport=tls"],
)
def test_a_password_in_the_outbound_is_not_repeated(outbound: str) -> None:
    with pytest.raises(InputError) as caught:
        account(user_outbound=outbound)
    assert "s3cr3t" not in caught.value.message + caught.value.hint
    assert "pbx" in caught.value.message
    assert "user_pass" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["user_name", "user_host", "user_pname", "user_realname"]
)
@pytest.mark.parametrize("text", ["a\r\nX-Header: b", "a\0b"])
def test_a_setting_cannot_write_headers(name: str, text: str) -> None:
    with pytest.raises(InputError, match=f"{name}1 has control characters") as caught:
        account(**{name: text})
    assert caught.value.hint


def test_a_line_without_user_or_host_or_switched_off_is_none() -> None:
    assert account(user_name="") is None
    assert account(user_host="") is None
    assert account(user_active="off") is None
    assert read_account(2, lambda name, idx: None) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("60", 60), ("x", 3600), ("0", 3600), ("²", 3600), ("9" * 5000, 2**31 - 1)],
)
def test_expiry_is_a_number_or_the_default(text: str, expected: int) -> None:
    assert account(user_expiry=text).expires_s == expected


def test_no_password_in_its_repr() -> None:
    assert "s3cret" not in repr(account())
