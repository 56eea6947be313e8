"""The registry as a phone book: LDIF that says what it should, whatever a label holds."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from linekey.export.phone_book import BRANCH, Entry, entries_of, ldif
from linekey.mac import Mac

A, B = Mac("000413AABBCC"), Mac("000413AABBCD")


def account(line: int = 1, **values: str) -> dict[tuple[str, int | None], str]:
    return {(name, line): value for name, value in values.items()}


def entries(*phones: tuple[Mac, str, dict[tuple[str, int | None], str]]) -> list[Entry]:
    return list(entries_of(phones)[0])


def test_the_name_is_the_accounts_else_the_phones_else_the_number() -> None:
    lines = account(1, user_name="4711", user_realname=" Anna  Berg ") | account(
        2, user_name="4712"
    )
    assert entries((A, "Hall", lines), (B, "", account(user_name="4713"))) == [
        Entry("4713", "4713"), Entry("Anna Berg", "4711"), Entry("Hall", "4712"),
    ]  # fmt: skip


def test_what_two_phones_share_is_one_entry_and_what_is_off_is_none() -> None:
    shared = account(user_name="4711", user_realname="Desk")
    off = account(2, user_name="4712", user_active="off")
    assert entries((A, "", shared | off), (B, "", shared)) == [Entry("Desk", "4711")]


def test_what_is_no_number_is_left_out_and_told() -> None:
    odd = [
        (Mac(f"0004130000{n:02}"), "", account(user_name="anna_b")) for n in range(9)
    ]
    found, notes = entries_of([*odd, (A, "", account(user_name="+49 30 1"))])
    assert found == ()
    assert "anna_b" in notes[0]
    assert notes[-1].endswith("2 more")


@given(st.text(max_size=200))
def test_a_label_stays_one_value_of_its_entry(label: str) -> None:
    (entry,) = entries((A, label, account(user_name="4711")))
    text = ldif([entry])
    assert text.isascii()
    names = []
    for line in text.splitlines():
        name, _, value = line.partition(":")
        names.append(name)
        if name == "cn":
            read = (
                base64.b64decode(value[2:]).decode()
                if value.startswith(": ")
                else value[1:]
            )
            assert read == entry.name
    assert names == [
        "dn", "objectClass", "ou", "",
        "dn", "objectClass", "uid", "cn", "sn", "telephoneNumber",
    ]  # fmt: skip
    assert str(A) not in text
    assert text.startswith(f"dn: {BRANCH}\n")
