"""Numbers and times as people of a language write them, in the zone that was set."""

import zoneinfo
from datetime import UTC, datetime

import pytest

from linekey.console.web.language import choose, languages

AT = datetime(2026, 11, 29, 23, 30, 5, tzinfo=UTC)


def test_numbers_and_times() -> None:
    both = languages(zoneinfo.ZoneInfo("Europe/Berlin"))
    en, de = both["en"], both["de"]
    assert (en.number(1234567), de.number(1234567)) == ("1,234,567", "1.234.567")
    assert en.moment(AT) == "2026-11-30 00:30:05 CET"
    assert de.moment(AT.isoformat()) == "30.11.2026 00:30:05 CET"
    assert (en.day(AT), de.day(AT)) == ("2026-11-30", "30.11.2026")
    assert (en.moment(None), de.day("")) == ("–", "–")


@pytest.mark.parametrize(
    ("header", "wanted", "code"),
    [
        ("", None, "en"), ("de", None, "de"), ("de-AT,en;q=0.5", None, "de"),
        ("fr,de;q=0.3,en;q=0.4", None, "en"), ("de;q=0", None, "en"),
        ("de;q=x,*", None, "en"), ("en", "de", "de"), ("de", "xx", "de"),
        (",;,q=" * 1000, None, "en"), ("DE-de;q=1.0", "", "de"),
    ],
)  # fmt: skip
def test_the_language_is_what_was_chosen_or_what_the_browser_wants(
    header: str, wanted: str | None, code: str
) -> None:
    assert choose(header, wanted) == code
