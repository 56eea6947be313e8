"""What an operator types for a server."""

import pytest

from linekey.check.target import parse_target


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("h.example", "/"),
        ("h.example:5061", "/"),
        ("[2001:db8::7]:443", "/"),
        ("https://h.example", "/"),
        ("https://h.example/prov/snomD785.htm?mac=1&x=%41", "/prov/snomD785.htm?mac=1&x=%41"),
        ("https://h.example/a b/ü#part", "/a%20b/%C3%BC"),
        ("https://h.example/\x00\x7f?\r\nX: y", "/%00%7F?X:%20y"),
        ("https://h.example?a=b", "/?a=b"),
    ],
)  # fmt: skip
def test_a_url_asks_for_its_path_in_one_line_of_ascii(text: str, path: str) -> None:
    assert parse_target(text).path == path
