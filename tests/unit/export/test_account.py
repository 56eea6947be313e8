import pytest

from linekey.errors import InputError
from linekey.export.account import Account, parse_account


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("freerad", Account("freerad", "freerad")),
        ("nobody:nogroup", Account("nobody", "nogroup")),
        ("_ldap:ssl-cert", Account("_ldap", "ssl-cert")),
    ],
)
def test_an_account_is_a_user_and_a_group(text: str, account: Account) -> None:
    assert parse_account(text) == account


@pytest.mark.parametrize(
    "text",
    ["", ":", "a:", ":b", "a b", "a;b", "a\n", "A", "0", "-u", "a:b:c", "x" * 33, "{x}"],
)  # fmt: skip
def test_what_is_no_account_is_refused_with_a_cure(text: str) -> None:
    with pytest.raises(InputError, match="not an account") as raised:
        parse_account(text)
    assert raised.value.hint


def test_nobody_is_made_root() -> None:
    with pytest.raises(InputError, match="should not run as root"):
        parse_account("root:freerad")
