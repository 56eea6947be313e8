"""The calendar file, read back by another program's rules."""

from icalendar import Calendar
from tests.certificates import DAY, NOW, leaf
from tests.unit.check.test_forecast import NAME, YOUNG, kind, look

from linekey.check.forecast_calendar import REMIND_BEFORE, render_calendar


def test_each_end_is_an_event_with_a_reminder() -> None:
    cert = leaf(YOUNG, NAME, not_after=NOW + 80 * DAY)
    found = look([kind(*(f"{n:012X}" for n in range(30)))], (cert,))
    text = render_calendar(found)
    assert all(len(line) <= 75 for line in text.split(b"\r\n"))
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    assert event["uid"] == f"{found.events[0].subject_id}@linekey"
    assert event.decoded("dtstart") == NOW + 80 * DAY
    assert str(event["summary"]) == f"30 phones stop accepting {NAME}"
    assert "and 10 more" in str(event["description"])
    (alarm,) = event.walk("VALARM")
    assert alarm.decoded("trigger") == -REMIND_BEFORE
