"""The lines: what their connections tell (``sip.edge``)."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from linekey.phone.events import Event
from linekey.phone.uses.sip.lines import LineStatus
from linekey.phone.uses.sip.states import LineState


@dataclass(frozen=True, slots=True)
class LinesRead(Event):
    """The accounts of the settings were read; lines that stay keep their state."""

    lines: tuple[LineStatus, ...]
    problems: tuple[str, ...] = ()
    """Accounts that cannot be read, a sentence each."""


@dataclass(frozen=True, slots=True)
class LineMoved(Event):
    """A line's registration is in another state."""

    is_noted_at_the_end: ClassVar[bool] = True
    index: int
    state: LineState
    reason: str
    until: datetime | None = None
    local_host: str = ""
    failed: bool = False
    """Whether it was refused or lost, as against on its way."""


@dataclass(frozen=True, slots=True)
class LineNoted(Event):
    """Something about a line that belongs into the log and changes nothing."""

    index: int
    text: str
