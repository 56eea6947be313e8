"""Which settings are known, and which are secrets, whoever's phone they are for."""

import pytest

from linekey.errors import InputError
from linekey.makers.known import is_known, is_secret, refuse_unknown, split, why_unknown


@pytest.mark.parametrize(
    "name",
    [
        "user_pass", "any.account.password", "account.1.password", "P34", "P406", "P2",
        "yealink:account.2.password", "reg.1.auth.password", "grandstream:P1361",
        "device.prov.password", "static.auto_provision.aes_key_16.com",
        "ldap.password", "static.security.user_password", "cisco:password",
        "device.sec.TLS.customDeviceCert1.privateKey",
    ],
)  # fmt: skip
def test_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "any.account.auth_user", "any.account.user", "account.1.label", "P35", "P8463",
        "yealink:linekey.1.value", "device.sec.TLS.customCaCert1", "P8433",
        "reg.1.auth.userId", "language",
    ],
)  # fmt: skip
def test_no_secrets_and_known(name: str) -> None:
    assert not is_secret(name)
    assert is_known(name)


@pytest.mark.parametrize("name", ["nonsense", "cisco:x", "yealink:nonsense", "any.x"])
def test_unknown(name: str) -> None:
    assert not is_known(name)


@pytest.mark.parametrize(
    ("name", "idx", "maker", "instead"),
    [
        ("account.1.lable", None, "yealink", "account.1.label"),
        ("yealink:account.1.lable", None, None, "yealink:account.1.label"),
        ("yealnk:account.1.label", None, None, "yealink:account.1.label"),
        ("any.account.usr", 1, None, "any.account.user[1]"),
        ("user_nam", 1, None, "user_name[1]"),
        ("account.1.label", None, "snom", "yealink:account.1.label"),
        ("P8463", None, "snom", "grandstream:P8463"),
        ("account.1.label", 1, "yealink", ""),
    ],
)
def test_what_is_odd_about_a_name(name, idx, maker, instead) -> None:
    odd = why_unknown(name, idx, maker=maker)
    assert odd is not None
    assert odd.instead == instead or not instead


def test_a_bare_name_is_its_makers_alone_where_that_is_said() -> None:
    assert why_unknown("account.1.label", None) is None
    assert why_unknown("account.1.label", None, maker="yealink") is None
    assert why_unknown("account.1.label", None, maker="lab-yealink") is None
    assert why_unknown("account.1.label", None, maker="snom") is not None
    assert why_unknown("user_name", 1, maker="yealink") is not None
    assert why_unknown("yealink:account.1.label", None, maker="snom") is None
    with pytest.raises(InputError):
        refuse_unknown([("account.1.label", None)], maker="snom")
    refuse_unknown([("any.account.user", 1), ("language", None)], maker="snom")


def test_a_makers_name_is_split_off() -> None:
    assert split("yealink:a.b") == ("yealink", "a.b")
    assert split("a.b") == ("", "a.b")
