"""What alerts are about, and one that holds now, as values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What an alert is about; the text is a message's ``type``."""

    REFUSED = "phone.refused"
    """A registered phone that last got no file, or whose handshake was refused."""
    FIRST_SEEN = "phone.first_seen"
    """A registered phone that came for the first time."""
    REVOKED = "phone.revoked"
    """A phone that was revoked."""
    ENDS = "certificate.ends"
    """A certificate that ends soon: the server's, a vendor CA's, a phone's."""
    FORECAST = "forecast.changed"
    """An end that the forecast did not have before, or that concerns twice as many."""
    TEST = "test"
    """What ``linekey alert test`` sends; never on by itself."""


WATCHED = tuple(kind for kind in Kind if kind is not Kind.TEST)
"""What can be switched on and off by ``alerts.kinds``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Something that holds now. One ``kind`` and ``key``: one alert, until it is over.

    Alerts of one ``cause`` are told together. ``text`` says what this one is, where no
    MAC does.
    """

    kind: Kind
    key: str
    cause: str
    sentence: str
    cure: str
    since: datetime
    mac: str | None = None
    text: str = ""
    size: int = 1
    """How many phones it is about; told again when they are twice as many."""
