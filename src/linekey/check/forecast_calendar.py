"""A forecast as a calendar file (RFC 5545), for whoever plans renewals."""

from datetime import timedelta

from icalendar import Alarm, Calendar, Event

from linekey import __version__
from linekey.check.forecast import Forecast

REMIND_BEFORE = timedelta(days=30)
_LISTED = 20


def render_calendar(forecast: Forecast) -> bytes:
    """Return the file: an event for each day and cause, with a reminder before it.

    An event keeps its UID as long as its day and cause stay, so that importing a newer
    file brings its phones up to date and doubles nothing.
    """
    calendar = Calendar()
    calendar.add("prodid", f"-//linekey//forecast {__version__}//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "linekey: who fails when")
    for one in forecast.ends:
        event = Event()
        event.add("uid", f"{one.subject_id}@linekey")
        event.add("dtstamp", forecast.made_at)
        event.add("dtstart", one.at)
        event.add("summary", one.what)
        event.add("description", _description(one.cause, one.cure, one.macs))
        event.add("categories", [one.kind])
        event.add("transp", "TRANSPARENT")
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", one.what)
        alarm.add("trigger", -REMIND_BEFORE)
        event.add_component(alarm)
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _description(cause: str, cure: str, macs: tuple[str, ...]) -> str:
    shown = ", ".join(macs[:_LISTED])
    more = len(macs) - _LISTED
    return "\n".join(
        filter(
            None,
            (
                f"Cause: {cause}.",
                cure and f"Cure: {cure}.",
                f"Phones: {shown}"
                + (f" and {more:,} more: linekey forecast --json" if more > 0 else ""),
            ),
        )
    )
