"""The forecast's page: what it says, and that nobody's text becomes markup."""

from tests.certificates import DAY, NOW, leaf
from tests.unit.check.test_forecast import NAME, YOUNG, kind, look

from linekey.check.forecast_page import render_forecast


def test_every_event_is_told_and_has_its_bar() -> None:
    cert = leaf(YOUNG, NAME, not_after=NOW + 80 * DAY)
    page = render_forecast(found := look([kind("A", "B")], (cert,)))
    event = found.events[0]
    assert f'id="{event.id}"' in page
    assert f'href="#{event.id}"' in page
    assert f"2 phones stop accepting {NAME}" in page
    assert "<script" not in page


def test_a_name_in_a_certificate_is_no_markup() -> None:
    cert = leaf(YOUNG, NAME, cn=("<b>bold</b>",), not_after=NOW + 80 * DAY)
    page = render_forecast(look([kind("A")], (cert,)))
    assert "<b>bold" not in page


def test_where_nothing_ends_it_says_so() -> None:
    page = render_forecast(look([kind("A")], until=NOW + DAY))
    assert "Nothing ends" in page
    assert "Nothing that these phones depend on ends" in page
