"""What the status page shows, as values, and where it comes from.

Rule: nothing here holds a secret: no password, no token, no key, no configuration.
A further column is a field here, its reading in ``source``, its cell in the template
``parts.html``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One decision, or one refused handshake, for people."""

    at: datetime
    kind: str
    """``request`` or ``handshake``."""
    outcome: str
    """``granted``, ``blanked``, ``refused`` or ``absent``."""
    reason: str
    """Stable name of the reason."""
    sentence: str
    cure: str
    mac: str | None
    resource: str
    peer: str
    tls: str
    """Version and suite, or empty."""
    fingerprint: str = ""
    """JA4 of the hello, for a refused handshake."""
    times: int = 1
    """How many this line counts; the rest of it is the first one's."""
    last_at: datetime | None = None
    """When the last of them was."""
    network: str = ""
    """The strangers' network that is counted, or empty."""


@dataclass(frozen=True, slots=True)
class PhoneLine:
    """One registered phone and when it was last here."""

    mac: str
    vendor: str
    model: str
    firmware: str
    label: str
    state: str
    last_seen: datetime | None
    last_outcome: str
    last_reason: str


@dataclass(frozen=True, slots=True)
class AuthorityLine:
    """One vendor CA that device certificates are believed from."""

    name: str
    vendor: str
    generation: str
    role: str
    not_after: datetime
    days_left: int
    sha256: str
    phones: str = ""
    """Which rule its phones follow, in words, or why they are refused."""
    after_end: str = "refuse"
    """What they get once their certificates have ended (``provisioning.expired``)."""


@dataclass(frozen=True, slots=True)
class ServerLine:
    """The server itself and its certificate."""

    url: str
    version: str
    started_at: datetime
    certificate_names: Sequence[str]
    certificate_issuer: str
    certificate_not_after: datetime
    certificate_days_left: int
    certificate_expires_soon: bool
    certificate_sha256: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The server and its authorities, without anything of the log."""

    server: ServerLine
    authorities: Sequence[AuthorityLine]
    notes: Sequence[str]
    """What needs the operator's attention, one sentence each."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the first page needs."""

    server: ServerLine
    phones_registered: int
    phones_seen: int
    """Phones that proved themselves in the last 24 hours."""
    phones_revoked: int
    outcomes: dict[str, int]
    """Decisions of the last 24 hours by outcome."""
    handshakes_refused: int
    """Refused handshakes and broken requests of the last 24 hours."""
    latest: Sequence[DecisionLine] = ()
    authorities: Sequence[AuthorityLine] = ()
    notes: Sequence[str] = field(default=())
    """What needs the operator's attention, one sentence each."""


class StatusSource(Protocol):
    """Where the page's facts come from; every method reads the store anew."""

    async def overview(self, now: datetime) -> Overview:
        """Return the first page's facts."""

    async def decisions(
        self, *, mac: str | None, refused: bool, limit: int
    ) -> Sequence[DecisionLine]:
        """Return the newest decisions and refused handshakes, newest first."""

    async def phones(self, limit: int) -> Sequence[PhoneLine]:
        """Return phones, those last seen first."""

    async def authorities(self, now: datetime) -> Sequence[AuthorityLine]:
        """Return the vendor CAs."""
