"""Which passwords can be guessed, and whose file a name says it is."""

import pytest

from linekey.lint.passwords import phone_of, why_trivial


@pytest.mark.parametrize(
    ("password", "user"),
    [
        ("admin", ""), ("Admin123", ""), ("password!", ""), ("0000", ""), ("11111111", ""),
        ("12345678", ""), ("87654321", ""), ("4711", "4711"), ("Anna.Long", "anna.long"),
        ("abcdefgh", ""), ("abababab", ""), ("kq7", ""), ("22222", ""),
    ],
)  # fmt: skip
def test_what_is_tried_first(password: str, user: str) -> None:
    reason = why_trivial(password, user)
    assert reason
    assert password not in reason


@pytest.mark.parametrize("password", ["vK3-mQ9.tRw8", "correct horse", "x7!pQz81"])
def test_what_is_not(password: str) -> None:
    assert why_trivial(password, "4711") == ""


@pytest.mark.parametrize(
    ("name", "phone"),
    [
        ("805ec0a1b2c3.cfg", "805EC0A1B2C3"), ("a/b/cfg805EC0A1B2C3.xml", "805EC0A1B2C3"),
        ("snomD785-000413AABBCC.htm", "000413AABBCC"), ("t46u.cfg", "t46u.cfg"),
        ("000000000000.cfg", "000000000000.cfg"),
    ],
)  # fmt: skip
def test_whose_file_a_name_says_it_is(name: str, phone: str) -> None:
    assert phone_of(name) == phone
