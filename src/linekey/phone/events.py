"""What happens to a phone, in the past tense, and what it then does, as commands.

Events come from the edges (``phone.edge``, the phone's pages, ``linekey phone``);
``phone.machine`` answers each with commands, which the edge carries out in order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from linekey.catalog.firmware import Firmware
from linekey.phone.app_events import AppCommand, AppEvent
from linekey.phone.identity import DeviceIdentity
from linekey.trust.connection import ConnectionReport


@dataclass(frozen=True, slots=True)
class Fetch:
    """Command: GET this URL with the phone's TLS; ``DocumentFetched`` or
    ``FetchFailed`` answers it, after one ``ConnectionEnded`` for each connection."""

    url: str
    kind: str
    """``document`` or ``certificate``."""
    round: int
    """Which provisioning round it belongs to; answers of an older one are dropped."""
    depth: int = 0
    """How many documents named each other on the way here."""


@dataclass(frozen=True, slots=True)
class Save:
    """Command: write the state to disk before doing anything else."""


@dataclass(frozen=True, slots=True)
class WakeUp:
    """Command: send ``ProvisioningWanted(reason)`` after ``after_s`` seconds.

    It replaces the one before.
    """

    after_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class ApplySettings:
    """Command: settings changed; whatever hangs on them (SIP, pages) looks again."""


@dataclass(frozen=True, slots=True)
class RoundEnded:
    """Command: tell the story: a provisioning round is over (see the state)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Command: tell whoever asked what came of it."""

    ok: bool
    text: str
    hint: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What came of it as a document, where a sentence does not do."""


Command = Fetch | Save | WakeUp | ApplySettings | RoundEnded | Answer | AppCommand


@dataclass(frozen=True, slots=True)
class PoweredOn:
    """Event: the phone booted. Volatile settings are gone, a round begins."""


@dataclass(frozen=True, slots=True)
class ProvisioningWanted:
    """Event: fetch the settings again: a timer, check-sync, a button."""

    reason: str


@dataclass(frozen=True, slots=True)
class DocumentFetched:
    """Event: an answer came, whatever its status."""

    fetch: Fetch
    status: int
    body: bytes = field(repr=False)
    url: str = ""
    """Where the answer came from, after redirects."""


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Event: no answer came; ``reason`` is one clause.

    ``refused`` says that one end refused the other's certificate or handshake.
    """

    fetch: Fetch
    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """Event: one connection, whatever it was for, is over or refused."""

    report: ConnectionReport


@dataclass(frozen=True, slots=True)
class ExceptionAdded:
    """Event: somebody pressed *Add Exception* on the Unknown Certificates tab.

    ``sha256`` is the certificate's fingerprint, or its first 8 digits or more.
    """

    sha256: str


@dataclass(frozen=True, slots=True)
class CertificateRemoved:
    """Event: somebody took a certificate off the Server or 802.1X tab."""

    sha256: str


@dataclass(frozen=True, slots=True)
class CertificateUploaded:
    """Event: somebody uploaded a file; ``admin``: in admin mode."""

    data: bytes = field(repr=False)
    admin: bool = False


@dataclass(frozen=True, slots=True)
class ServerAuthenticationActivated:
    """Event: somebody pressed *Activate* below TLS Server Authentication."""


@dataclass(frozen=True, slots=True)
class SettingEntered:
    """Event: somebody changed a setting on the phone or its pages."""

    name: str
    value: str = field(repr=False)
    idx: int | None = None


@dataclass(frozen=True, slots=True)
class NotificationDismissed:
    """Event: somebody read the notification at ``index`` (0 is the newest)."""

    index: int = 0


@dataclass(frozen=True, slots=True)
class PatchInstalled:
    """Event: a firmware patch (``phone.patch``) was brought to the phone."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FirmwareChanged:
    """Event: the phone runs another firmware; its authorities come with it."""

    firmware: Firmware


@dataclass(frozen=True, slots=True)
class BuiltInReplaced:
    """Event: the operator gave this virtual phone another built-in certificate."""

    identity: DeviceIdentity


@dataclass(frozen=True, slots=True)
class FactoryResetDone:
    """Event: somebody reset the phone to its factory defaults."""


Event = (
    PoweredOn
    | ProvisioningWanted
    | DocumentFetched
    | FetchFailed
    | ConnectionEnded
    | ExceptionAdded
    | CertificateRemoved
    | CertificateUploaded
    | ServerAuthenticationActivated
    | SettingEntered
    | NotificationDismissed
    | PatchInstalled
    | FirmwareChanged
    | BuiltInReplaced
    | FactoryResetDone
    | AppEvent
)
