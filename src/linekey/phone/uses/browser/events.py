"""The minibrowser: what happens to it, and what it wants done."""

from dataclasses import dataclass, field

from linekey.catalog.secrecy import mask_url
from linekey.phone.events import Errand, Event
from linekey.phone.typed import Number, Texts
from linekey.trust.connection import Purpose


@dataclass(frozen=True, slots=True)
class EntryChosen(Event):
    """Somebody chose entry ``number`` (from 0) of the page's list."""

    number: Number


@dataclass(frozen=True, slots=True)
class FormSubmitted(Event):
    """Somebody filled an input page in: one value for each field, in order."""

    values: Texts = field(repr=False)


@dataclass(frozen=True, slots=True)
class BackPressed(Event):
    """Somebody pressed CANCEL: the page before, or none."""


@dataclass(frozen=True, slots=True)
class BrowserLeft(Event):
    """Somebody closed the minibrowser."""


@dataclass(frozen=True, slots=True)
class FetchTimeCame(Event):
    """The time of the ``<Fetch>`` of page ``serial`` has come."""

    serial: int


@dataclass(frozen=True, slots=True)
class OpenPage(Errand):
    """GET this URL; ``PageFetched`` or ``PageFailed`` answers it."""

    url: str = field(repr=False)
    purpose: Purpose
    number: int = 0
    """``Browsing.asked`` at that time; 0 for an action URL, which always counts."""
    image: bool = False
    """Whether the image of the page that is shown is fetched."""
    by_timer: bool = False
    """Whether it is a page's own ``<Fetch>``; it tries again after a failure."""
    typed: tuple[str, ...] = field(default=(), repr=False)
    """Passwords that were typed on the way to it, and may stand in its URL."""

    def shown(self, text: str = "") -> str:
        """Its URL, or a text that may hold it, for log, screen and answers."""
        return mask_url(text or self.url, self.typed)


@dataclass(frozen=True, slots=True)
class PageFetched(Event):
    """An answer came, whatever its status. ``url`` is where from, after redirects."""

    request: OpenPage
    status: int
    url: str = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PageFailed(Event):
    """No answer came; ``reason`` is one clause."""

    request: OpenPage
    reason: str
    hint: str = ""
