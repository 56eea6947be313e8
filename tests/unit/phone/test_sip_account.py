import pytest

from linekey.errors import InputError
from linekey.phone.sip_account import read_account


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


@pytest.mark.parametrize(
    "outbound",
    ["a b", "x:99999", "x:0", "[::1", "http://x/", "@", "a\0b", "a\x1bb:5061", "a\x7f"],
)
def test_an_outbound_that_is_none_is_named(outbound: str) -> None:
    with pytest.raises(InputError, match="user_outbound1") as caught:
        account(user_outbound=outbound)
    assert "host:5061" in caught.value.hint


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
