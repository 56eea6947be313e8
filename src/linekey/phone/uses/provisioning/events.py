"""Provisioning: what happens in a round, and what it wants fetched."""

from dataclasses import dataclass, field
from typing import ClassVar

from linekey.phone.events import Errand, Event
from linekey.phone.typed import Lines


@dataclass(frozen=True, slots=True)
class ProvisioningWanted(Event):
    """Fetch the settings again: a timer, check-sync, a button."""

    reason: Lines


@dataclass(frozen=True, slots=True)
class Fetch(Errand):
    """GET this URL with the phone's TLS; ``DocumentFetched`` or ``FetchFailed`` answers
    it, after one ``ConnectionReported`` for each connection."""

    asker_waits: ClassVar[bool] = False
    url: str
    kind: str
    """``document`` or ``certificate``."""
    round: int
    """Which provisioning round it belongs to; answers of an older one are dropped."""
    depth: int = 0
    """How many documents named each other on the way here."""
    part: str = ""
    """Which kind of file it is (``makers.maker.FileKind``); empty: a Snom's document,
    or one that another named."""
    ends: frozenset[str] = frozenset()
    """Kinds of files that need not be fetched any more once this one came."""
    tries: int = 1
    """How often it is asked for, if the server has none."""


@dataclass(frozen=True, slots=True)
class DocumentFetched(Event):
    """An answer came, whatever its status."""

    fetch: Fetch
    status: int
    body: bytes = field(repr=False)
    url: str = ""
    """Where the answer came from, after redirects."""
    unknown_login: str = ""
    """What a 401 asks for, where the phone can do none of it."""


@dataclass(frozen=True, slots=True)
class FetchFailed(Event):
    """No answer came; ``reason`` is one clause.

    ``refused`` says that one end refused the other's certificate or handshake.
    """

    fetch: Fetch
    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class SendLog(Errand):
    """PUT a part of the phone's log to the server; ``LogAnswered`` answers it."""

    asker_waits: ClassVar[bool] = False
    url: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogAnswered(Event):
    """The server answered a log with a status; 0 where no answer came."""

    errand: SendLog
    status: int
    reason: str = ""
    """Why no answer came, one clause."""


@dataclass(frozen=True, slots=True)
class RoundEnded(Event):
    """A provisioning round is over; the state says what it came to."""
