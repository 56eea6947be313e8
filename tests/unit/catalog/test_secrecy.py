from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("typed", "text", "shown"),
    [
        ("4711", "https://h:4711x/4711/?code=4711&x=47110", "https://h:4711x/…/?code=…&x=47110"),
        ("a b/ü", "https://h/?c=a%20b%2F%c3%bc&d=a+b/%C3%BC", "https://h/?c=…&d=…"),
        ("%41", "https://h/?c=%2541", "https://h/?c=…"),
        ("p.w", "https://h/p.w: gone, see https://h/p.w.", "https://h/…: gone, see https://h/…."),
        ("1", "https://127.0.0.1:11/a-1?x=1#1", "https://127.0.0.1:11/a-1?x=…#…"),
        ("", "https://h/", "https://h/"),
        ("\udcff", "https://h/?c=%3F", "https://h/?c=…"),
    ],
)  # fmt: skip
def test_what_was_typed_is_masked_however_it_is_spelled(
    typed: str, text: str, shown: str
) -> None:
    assert mask_url(text, (typed,)) == shown
    assert mask_url(text, ("none", typed)) == shown


@given(st.text(min_size=1, max_size=12), st.sampled_from(["", "~/", "&=#"]))
def test_whatever_is_typed_and_sent_is_masked(typed: str, safe: str) -> None:
    text = typed.encode("utf-8", "replace").decode()
    assume(text not in ("https", "/"))  # which stand in it by themselves
    # Every other word of it is longer than what is typed here.
    url = (
        "https://provisioninghost/minibrowserpage"
        "?fieldoftheform={}&anotherfieldname=anotherfieldvalue"
    )
    masked = mask_url(url.format(quote(text, safe=safe)), (text,))
    assert masked == url.format("…")
