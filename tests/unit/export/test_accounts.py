"""Which accounts an exported registrar gets, and in which form."""

import hashlib

import pytest

from linekey.export.accounts import accounts_of
from linekey.mac import Mac

REALM = "sip.example.com"
ONE, TWO = Mac("000413000001"), Mac("000413000002")


def lines(user: str = "4711", **more: str) -> dict[tuple[str, int | None], str]:
    usual = {"user_name": user, "user_host": REALM, "user_pass": "geheim"}
    return {(name, 1): value for name, value in (usual | more).items()}


def test_a_password_leaves_as_ha1_alone() -> None:
    (account,), notes = accounts_of([(ONE, "Hall", lines())], REALM)
    ha1 = hashlib.md5(f"4711:{REALM}:geheim".encode()).hexdigest()
    assert (account.user, account.mac, account.ha1) == ("4711", ONE, ha1)
    assert account.name == "Hall"
    assert ha1 not in repr(account)
    assert notes == ()


@pytest.mark.parametrize(
    "host",
    ["sip.example.com", "SIP.example.com:5061;transport=tls", "sips:sip.example.com"],
)
def test_the_registrar_is_found_among_ports_and_parameters(host: str) -> None:
    assert len(accounts_of([(ONE, "", lines(user_host=host))], REALM)[0]) == 1


@pytest.mark.parametrize(
    "more",
    [{"user_host": "other.example.com"}, {"user_active": "off"}, {"user_host": ""}],
)
def test_other_registrars_accounts_are_counted(more: dict[str, str]) -> None:
    accounts, notes = accounts_of([(ONE, "", lines(**more))], REALM)
    assert accounts == ()
    assert notes == (f"1 accounts have another registrar than {REALM}",)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"user_pass": ""}, "user_pass1 is not set"),
        ({"user": "a:b"}, "marks that a registrar cannot keep"),
        ({"user": "a\nb"}, "marks that a registrar cannot keep"),
        ({"user_pname": "other"}, "user_pname1 is not user_name1"),
    ],
)
def test_what_cannot_be_an_account_is_named(more: dict[str, str], said: str) -> None:
    accounts, notes = accounts_of([(ONE, "", lines(**more))], REALM)
    assert accounts == ()
    assert said in notes[0]
    assert str(ONE) in notes[0]
    assert "geheim" not in notes[0]


def test_an_account_of_two_phones_is_neithers() -> None:
    phones = [(ONE, "", lines()), (TWO, "", lines()), (TWO, "", lines("12"))]
    accounts, notes = accounts_of(phones, REALM)
    assert [a.user for a in accounts] == ["12"]
    assert "on several phones" in notes[0]
