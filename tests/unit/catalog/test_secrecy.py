import pytest

from linekey.catalog.secrecy import is_secret_value, mask_url

TOKEN = "x6CDXN_9Li4SMu40aDBTZmHY8iQZPBJL"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://h/t/{TOKEN}/snom320.htm", "https://h/t/…/snom320.htm"),
        (f"https://h/t/{TOKEN}", "https://h/t/…"),
        ("https://u:p@h/x", "https://…@h/x"),
        ("https://u@h/x", "https://…@h/x"),
        ("https://h/x?a=1&TOKEN=abc&b=2#f", "https://h/x?a=1&TOKEN=…&b=2#f"),
        ("https://h/t/short/x", "https://h/t/short/x"),
        ("https://h/x?mac=000413AABBCC", "https://h/x?mac=000413AABBCC"),
        ("no url", "no url"),
    ],
)
def test_what_would_open_a_door_is_masked_and_nothing_else(
    url: str, shown: str
) -> None:
    assert mask_url(url) == shown
    assert mask_url(shown) == shown


@pytest.mark.parametrize(
    "url", [f"https://h/t/{TOKEN}/", "https://u:p@h/", "https://h/?token=abc"]
)
def test_whatever_is_a_secret_value_is_none_once_masked(url: str) -> None:
    assert is_secret_value(url)
    assert "abc" not in mask_url(url)
    assert TOKEN not in mask_url(url)
