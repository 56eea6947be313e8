"""What happens to a phone, in the past tense, and what it then does, as commands.

Events come from the edges (``phone.edge``, the phone's pages, ``linekey phone``);
``phone.machine`` answers each with commands, which the edge carries out in order. Those
here are the phone's own; each use of TLS has its events and commands in its folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from linekey.catalog.firmware import Firmware
from linekey.phone.identity import DeviceIdentity
from linekey.phone.typed import Data, Flag, Index, Lines, Number
from linekey.trust.connection import ConnectionReport


class Event:
    """Something happened."""

    __slots__ = ()
    is_noted_at_the_end: ClassVar[bool] = False
    """Whether it is still written down while the phone is switched off."""


class Command:
    """Something to do."""

    __slots__ = ()


class Errand(Command):
    """Command: something that takes its time; an event says what came of it.

    ``edge.carry`` knows which use's edge does it.
    """

    __slots__ = ()
    asker_waits: ClassVar[bool] = True
    """Whether whoever asked is told what came of it, not that it began."""


@dataclass(frozen=True, slots=True)
class Save(Command):
    """Write the state to disk before doing anything else."""


@dataclass(frozen=True, slots=True)
class ApplySettings(Command):
    """Settings changed; whatever hangs on them (SIP, pages) is to look again.

    A command, which no use takes: take ``RoundEnded`` and ``SettingEntered``.
    """


@dataclass(frozen=True, slots=True)
class SendLater(Command):
    """Send the event after so many seconds; it replaces the last one of its kind."""

    after_s: float
    event: Event


@dataclass(frozen=True, slots=True)
class PassOn(Command):
    """Have every use that takes this event take it, at once."""

    event: Event


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of something that somebody asked for."""

    ok: bool
    text: str
    hint: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What came of it as a document, where a sentence does not do."""


@dataclass(frozen=True, slots=True)
class Reply(Answer, Command):
    """Give whoever asked this answer."""

    @property
    def answer(self) -> Answer:
        """The answer that it gives."""
        return Answer(self.ok, self.text, self.hint, self.details)


@dataclass(frozen=True, slots=True)
class PoweredOn(Event):
    """The phone booted. Volatile settings are gone, a round begins."""


@dataclass(frozen=True, slots=True)
class Faulted(Event):
    """A fault of linekey's own undid ``event``; ``reason`` is a clause."""

    event: Event
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionReported(Event):
    """One connection, whatever it was for, stands, was refused or is over."""

    is_noted_at_the_end: ClassVar[bool] = True
    report: ConnectionReport


@dataclass(frozen=True, slots=True)
class ExceptionAdded(Event):
    """Somebody pressed *Add Exception* on the Unknown Certificates tab.

    ``sha256`` is the certificate's fingerprint, or its first 8 digits or more.
    """

    sha256: Lines


@dataclass(frozen=True, slots=True)
class CertificateRemoved(Event):
    """Somebody took a certificate off the Server or 802.1X tab."""

    sha256: Lines


@dataclass(frozen=True, slots=True)
class CertificateUploaded(Event):
    """Somebody uploaded a file; ``admin``: in admin mode."""

    data: Data = field(repr=False)
    admin: Flag = False


@dataclass(frozen=True, slots=True)
class ServerAuthenticationActivated(Event):
    """Somebody pressed *Activate* below TLS Server Authentication."""


@dataclass(frozen=True, slots=True)
class SettingEntered(Event):
    """Somebody changed a setting on the phone or its pages."""

    name: Lines
    value: Lines = field(repr=False)
    idx: Index = None


@dataclass(frozen=True, slots=True)
class NotificationDismissed(Event):
    """Somebody read the notification at ``index`` (0 is the newest)."""

    index: Number = 0


@dataclass(frozen=True, slots=True)
class MessageRead(Event):
    """Somebody read the message on the screen."""


@dataclass(frozen=True, slots=True)
class PatchInstalled(Event):
    """A firmware patch (``phone.patch``) was brought to the phone."""

    data: Data = field(repr=False)


@dataclass(frozen=True, slots=True)
class FirmwareChanged(Event):
    """The phone runs another firmware; its authorities come with it."""

    firmware: Firmware


@dataclass(frozen=True, slots=True)
class BuiltInReplaced(Event):
    """The operator gave this virtual phone another built-in certificate."""

    identity: DeviceIdentity


@dataclass(frozen=True, slots=True)
class FactoryResetDone(Event):
    """Somebody reset the phone to its factory defaults."""
