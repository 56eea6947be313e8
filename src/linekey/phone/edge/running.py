"""What a use's edge needs of the phone that runs it (``edge.runner.VirtualPhone``)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from linekey.phone.edge import http
from linekey.phone.events import Event
from linekey.phone.state import PhoneState
from linekey.trust.connection import Purpose
from linekey.wire.dialer import Stream


class Clock(Protocol):
    """The phone's clock."""

    def now(self) -> datetime:
        """What it shows."""


class RunningPhone(Protocol):
    """A phone that runs."""

    settings_changed: asyncio.Condition
    """Notified when settings or accepted certificates changed."""

    @property
    def clock(self) -> Clock:
        """The phone's clock."""

    @property
    def state(self) -> PhoneState:
        """What the phone is now."""

    def happened(self, event: Event) -> None:
        """Tell the phone that something happened; nobody waits for an answer."""

    async def connect(
        self, purpose: Purpose, host: str, port: int, encrypted: bool = True
    ) -> Stream:
        """Open a connection as this phone. Raises DialError."""

    async def get(
        self, url: str, purpose: Purpose, *, max_bytes: int = http.MAX_BYTES
    ) -> http.HttpAnswer:
        """GET a URL as this phone. Raises InputError and ``http.HttpError``."""

    async def put(self, url: str, data: bytes, purpose: Purpose) -> int:
        """PUT a text to a URL as this phone; the status. Raises as ``get``."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """How an errand is done; either way an event says what came of it."""

    carry: Callable[[RunningPhone, Any], Awaitable[Event]]
    failed: Callable[[Any, str, str], Event]
    """``failed(errand, reason, hint)``, where linekey itself failed."""
