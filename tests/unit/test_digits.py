"""Numbers that a peer wrote."""

import pytest

from linekey.digits import digits_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        (" 3600\t", 3600),
        ("000000000000000007", 7),
        ("65536", 65535),
        ("9" * 10_000, 65535),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1_000", None),
        ("1.5", None),
        ("٣", None),
        ("1 2", None),
    ],
)
def test_a_number_is_read_within_its_bounds(text: str, number: int | None) -> None:
    assert digits_of(text, 65535) == number
