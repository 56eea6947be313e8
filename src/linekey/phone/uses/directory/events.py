"""The directory: what happens to it, and what it wants done."""

from dataclasses import dataclass

from linekey.phone.events import Errand, Event
from linekey.phone.typed import Text
from linekey.phone.uses.directory.look_up import LookupResult
from linekey.phone.uses.directory.settings import DirectorySettings


@dataclass(frozen=True, slots=True)
class LookupWanted(Event):
    """Somebody typed a name or a number into the directory."""

    text: Text


@dataclass(frozen=True, slots=True)
class SearchDirectory(Errand):
    """Look up; ``LookupEnded`` answers it."""

    settings: DirectorySettings
    text: str


@dataclass(frozen=True, slots=True)
class LookupEnded(Event):
    """The directory answered, or did not: ``result.problem``."""

    text: str
    result: LookupResult
