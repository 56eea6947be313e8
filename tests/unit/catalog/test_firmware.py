import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.catalog.firmware import Firmware, Since
from linekey.errors import InputError


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("8.4.18", "8.7.3.25.9"),
        ("8.7.3.25", "8.7.3.25.9"),
        ("8.7.5.9", "8.7.5.35"),
        ("8.7.5.57", "8.9.3.40"),
        ("8.9.3.60", "10.1.20.0"),
        ("10.1.20.0", "10.1.33.33"),
        ("10.1.33.33", "10.1.169.16"),
    ],
)
def test_versions_are_ordered_by_number_not_by_letter(older: str, newer: str) -> None:
    assert Firmware.parse(older) < Firmware.parse(newer)
    assert Firmware.parse(newer).is_at_least(older)
    assert not Firmware.parse(older).is_at_least(newer)


def test_missing_places_are_zero_and_the_text_is_kept() -> None:
    short, long = Firmware.parse("10.1"), Firmware.parse("10.1.0.0")
    assert short == long
    assert hash(short) == hash(long)
    assert (str(short), str(long)) == ("10.1", "10.1.0.0")


@pytest.mark.parametrize(
    "text",
    [
        "v10.1.33.33",
        " 10.1.33.33 ",
        "10.1.33.33-SIP-r",
        "snom720-10.1.33.33-SIP-r.bin",
        "snomD862-10.1.33.33-SIP-r.swu",
    ],
)
def test_the_forms_people_paste_are_read(text: str) -> None:
    firmware = Firmware.parse(text)
    assert (str(firmware), firmware.branch) == (
        "10.1.33.33",
        (10, 1),
    )


@pytest.mark.parametrize(
    "text",
    ["", "10", "8.9.", ".8.9", "8,9", "8.9.3.x", "1.2.3.4.5.6", "8.9.999999", "٨.٩"],
)
def test_anything_else_is_an_input_error_with_a_cure(text: str) -> None:
    with pytest.raises(InputError, match="not a firmware version") as caught:
        Firmware.parse(text)
    assert "10.1.33.33" in caught.value.hint


@pytest.mark.parametrize(
    ("firmware", "expected"),
    [
        ("8.4.18", False),
        ("8.7.5.51", False),
        ("8.7.5.52", True),
        ("8.7.6", True),
        ("8.8.3.26", False),  # a branch between, not spoken for
        ("8.9.3.40", False),  # newer by number than 8.7.5.52, and still without
        ("8.9.3.41", True),
        ("10.1.20.0", True),
    ],
)
def test_a_since_counts_per_branch(firmware: str, expected: bool) -> None:
    since = Since.of("8.9.3.41", "8.7.5.52")
    assert Firmware.parse(firmware).is_at_least(since) is expected
    assert str(since) == "8.7.5.52 / 8.9.3.41"


@given(
    st.lists(st.integers(0, 400), min_size=2, max_size=5),
    st.lists(st.integers(0, 400), min_size=2, max_size=5),
)
def test_order_is_the_order_of_the_padded_numbers(a: list[int], b: list[int]) -> None:
    left = Firmware.parse(".".join(map(str, a)))
    right = Firmware.parse(".".join(map(str, b)))
    pad_a, pad_b = a + [0] * (5 - len(a)), b + [0] * (5 - len(b))
    assert (left < right) is (pad_a < pad_b)
    assert (left == right) is (pad_a == pad_b)
