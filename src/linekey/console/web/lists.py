"""What pages with lists have in common: filters, cursors, times that people type."""

from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import parse_qs, urlsplit

from linekey.console.web.visit import Visit, url

LIMIT = 50
"""Lines on a page."""


class Filters(dict[str, str]):
    """What a list is filtered by; what is not there is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def asked(visit: Visit, names: tuple[str, ...]) -> Filters:
    """The filters that the address has, those that are empty left out."""
    found = {name: visit.query(name)[:1024] for name in names}
    return Filters({name: text for name, text in found.items() if text})


def paged(
    visit: Visit, path: str, filters: dict[str, str], found: dict[str, Any]
) -> dict[str, Any]:
    """Where a list goes on, and where it begins if this is not its beginning."""
    after = found["next"]
    cursor = parse_qs(urlsplit(after).query)["cursor"][0] if after else None
    return {
        "next": url(path, **filters, cursor=cursor) if cursor else None,
        "first": url(path, **filters) if visit.query("cursor") else None,
        "total": found["total"],
    }


def to_utc(text: str, zone: tzinfo) -> str:
    """A time as a browser's field has it, in the console's zone, for the API.

    What is no time is handed on: the API says so.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()
