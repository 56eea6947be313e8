import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError, LinekeyError
from linekey.mac import Mac, parse_mac


@pytest.mark.parametrize(
    "text",
    [
        "000413aabbcc",
        "00:04:13:aa:bb:cc",
        "00-04-13-AA-BB-CC",
        "0004.13aa.bbcc",
        " 000413AABBCC\n",
    ],
)
def test_every_common_spelling_reads_as_the_same_mac(text: str) -> None:
    assert str(parse_mac(text)) == "000413AABBCC"


@pytest.mark.parametrize(
    "text",
    ["", "000413AABBC", "000413AABBCCD", "00:04-13:AA:BB:CC", "0004:13AA:BBCC",
     "000413AABBCG", "٠٠٠٤١٣AABBCC", "000413AABBCC\x00", "00:04:13:AA:BB:CC:"],
)  # fmt: skip
def test_anything_else_is_refused_with_a_cure(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_mac(text)
    assert "12 hex digits" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["00:04:13:aa:bb:cc", "000413AABBCC\n", "x000413AABBCC"]
)
def test_bare_reading_takes_nothing_but_twelve_digits(text: str) -> None:
    assert Mac.from_bare(text) is None


@given(st.text(max_size=40))
def test_any_text_parses_or_raises_the_one_error(text: str) -> None:
    try:
        mac = parse_mac(text)
    except LinekeyError:
        return
    assert Mac.from_bare(str(mac)) == mac


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("000000000000", "the zero address"),
        ("ff:ff:ff:ff:ff:ff", "the broadcast address"),
        ("01:00:5e:00:00:01", "a group's address"),
        ("030413AABBCC", "a group's address"),
    ],
)
def test_an_address_that_no_phone_has_is_refused(text: str, kind: str) -> None:
    with pytest.raises(InputError, match=kind) as caught:
        parse_mac(text)
    assert "label" in caught.value.hint


def test_a_locally_administered_address_is_one_and_a_file_name_may_hold_any() -> None:
    assert str(parse_mac("02:04:13:aa:bb:cc")) == "020413AABBCC"
    assert Mac.from_bare("000000000000") == Mac("0" * 12)  # Poly's common file
