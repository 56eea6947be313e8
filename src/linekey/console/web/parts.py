"""What the console is made of: it comes from whoever runs the listener."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starlette.types import ASGIApp

from linekey.console.api.desk import Desk
from linekey.console.facts import Standing
from linekey.settings import ConsoleSettings
from linekey.store.database import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """The console's surroundings."""

    database: Database
    desk: Desk
    api: ASGIApp
    """The API without its guard: whoever asks it was let in already."""
    settings: ConsoleSettings
    base: str
    """Where browsers reach the console: scheme and host, without a slash."""
    folder: Path
    """Where relative paths of the settings start."""
    standing: Callable[[datetime], Awaitable[Standing]]
    """What is so of the server and its authorities."""

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by HTTPS."""
        return self.base.startswith("https://")
