"""An account as it is typed."""

import pytest

from linekey.errors import InputError
from linekey.makers.account import parse_account


def test_words_become_terms() -> None:
    found = parse_account(
        "user=4711, password=a b,registrar=pbx.example.com:5061,transport=tls", 2
    )
    assert found.number == 2
    assert dict(found.values) == {
        "any.account.user": "4711",
        "any.account.password": "a b",
        "any.account.registrar": "pbx.example.com:5061",
        "any.account.transport": "tls",
    }


def test_a_password_may_hold_commas_and_signs() -> None:
    found = parse_account("user=1,password=a,B,=x!,expires=60", 1)
    assert dict(found.values)["any.account.password"] == "a,B,=x!"


def test_a_bare_password_is_asked_for() -> None:
    found = parse_account("password,user=1", 1)
    assert found.asks == ("any.account.password",)
    assert parse_account("user=1,password", 1).asks == ("any.account.password",)


def test_a_number_may_be_said() -> None:
    assert parse_account("number=4,user=1", 1).number == 4


@pytest.mark.parametrize(
    "text",
    [
        "", "user", "4711", "usr=4711", "user=1,user=2", "password=geheim",
        "user=1,transport=geheim", "user=1,number=0", "user=1,number=x",
        "user=1,registrar=sip:geheim", "user=1,geheim geheim=1", "user=1,password=x,c=1",
    ],
)  # fmt: skip
def test_what_is_none_is_refused_and_no_value_repeated(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_account(text, 1)
    assert "geheim" not in caught.value.message + caught.value.hint


def test_no_password_is_shown() -> None:
    assert "geheim" not in repr(parse_account("user=1,password=geheim", 1))
