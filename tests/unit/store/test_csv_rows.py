import pytest

from linekey.errors import InputError
from linekey.store.csv_rows import MAX_LINE_BYTES, MAX_LINES
from linekey.store.device_csv import parse_device_table


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"mac\n" + b"," * (MAX_LINE_BYTES + 1), "line 2 is longer than"),
        (b"x" * (MAX_LINE_BYTES + 1), "line 1 is longer than"),
        (b"mac\n" * 2 + b'"' + b"x\n" * 100_000, "line 3: field larger than"),
        (b"mac\n" + b"\n" * MAX_LINES, "more than 1000000 lines"),
        (b"mac," + b"a," * 600 + b"\n", "more than 500 columns"),
        (b"mac\n000413AABBCC\n\xff\n", "line 3 is not UTF-8"),
        (b"\xff\xfem\0a\0c\0\n", "cut off, or not UTF-16"),
    ],
)
def test_a_file_is_bounded_and_says_where(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_device_table(data)
