"""What happens to the phone's applications, and what they then want done.

Events in the past tense (``AppEvent``), commands in the imperative (``AppCommand``).
``phone.app_machine`` answers the first with the second; ``edge.app_runner`` carries a
command out and comes back with the event that says what came of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from linekey.catalog.secrecy import mask_url
from linekey.certs.certificate import Certificate
from linekey.mac import Mac
from linekey.phone.apps import LineStatus
from linekey.phone.uses.directory.look_up import LookupResult
from linekey.phone.uses.directory.settings import DirectorySettings
from linekey.phone.uses.network.ieee8021x import EapMethod
from linekey.phone.uses.sip.registration import LineState
from linekey.tls.versions import Version
from linekey.trust.connection import Purpose


class AppEvent:
    """Event: something of the phone's applications."""

    __slots__ = ()


class AppCommand:
    """Command: something for the edge to do; whoever asked waits for what comes."""

    __slots__ = ()


# --- lines


@dataclass(frozen=True, slots=True)
class LinesRead(AppEvent):
    """The accounts of the settings were read; lines that stay keep their state."""

    lines: tuple[LineStatus, ...]
    problems: tuple[str, ...] = ()
    """Accounts that cannot be read, a sentence each."""


@dataclass(frozen=True, slots=True)
class LineMoved(AppEvent):
    """A line's registration is in another state."""

    index: int
    state: LineState
    reason: str
    until: datetime | None = None
    local_host: str = ""
    failed: bool = False
    """Whether it was refused or lost, as against on its way."""


@dataclass(frozen=True, slots=True)
class LineNoted(AppEvent):
    """Something about a line that belongs into the log and changes nothing."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class ActionHappened(AppEvent):
    """A phone event that an action URL may be set for: ``incoming``, ``dnd_on`` …

    ``asked``: somebody wants to know when there is no URL; a call that comes does not.
    """

    event: str
    variables: Mapping[str, str] = field(default_factory=dict)
    sip_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    asked: bool = False


# --- keys and minibrowser


@dataclass(frozen=True, slots=True)
class KeyPressed(AppEvent):
    """Somebody pressed the function key of this idx (from 0)."""

    idx: int


@dataclass(frozen=True, slots=True)
class NamedKeyPressed(AppEvent):
    """Somebody pressed a dedicated key: ``directory`` for ``dkey_directory``."""

    name: str


@dataclass(frozen=True, slots=True)
class EntryChosen(AppEvent):
    """Somebody chose entry ``number`` (from 0) of the page's list."""

    number: int


@dataclass(frozen=True, slots=True)
class SoftKeyPressed(AppEvent):
    """Somebody pressed ``F1``, a digit, ``*`` or ``#`` while a page is shown."""

    key: str


@dataclass(frozen=True, slots=True)
class FormSubmitted(AppEvent):
    """Somebody filled an input page in: one value for each field, in order."""

    values: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BackPressed(AppEvent):
    """Somebody pressed CANCEL: the page before, or none."""


@dataclass(frozen=True, slots=True)
class BrowserLeft(AppEvent):
    """Somebody closed the minibrowser."""


@dataclass(frozen=True, slots=True)
class FetchTimeCame(AppEvent):
    """The time of the ``<Fetch>`` of page ``serial`` has come."""

    serial: int


@dataclass(frozen=True, slots=True)
class MessageRead(AppEvent):
    """Somebody read the message on the screen."""


@dataclass(frozen=True, slots=True)
class OpenPage(AppCommand):
    """GET this URL; ``PageFetched`` or ``PageFailed`` answers it."""

    url: str = field(repr=False)
    purpose: Purpose
    number: int = 0
    """``Apps.asked`` at that time; 0 for an action URL, whose answer always counts."""
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
class PageFetched(AppEvent):
    """An answer came, whatever its status. ``url`` is where from, after redirects."""

    request: OpenPage
    status: int
    url: str = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PageFailed(AppEvent):
    """No answer came; ``reason`` is one clause."""

    request: OpenPage
    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ReopenAfter(AppCommand):
    """Send ``FetchTimeCame(serial)`` after so many seconds; nobody waits for it."""

    after_s: float
    serial: int


# --- directory


@dataclass(frozen=True, slots=True)
class LookupWanted(AppEvent):
    """Somebody typed a name or a number into the directory."""

    text: str


@dataclass(frozen=True, slots=True)
class SearchDirectory(AppCommand):
    """Look up; ``LookupEnded`` answers it."""

    settings: DirectorySettings
    text: str


@dataclass(frozen=True, slots=True)
class LookupEnded(AppEvent):
    """The directory answered, or did not: ``result.problem``."""

    text: str
    result: LookupResult


# --- 802.1X


@dataclass(frozen=True, slots=True)
class NetworkCertificateUploaded(AppEvent):
    """Somebody uploaded a file for the 802.1X shelf; ``admin``: in admin mode."""

    data: bytes = field(repr=False)
    admin: bool = False


@dataclass(frozen=True, slots=True)
class NetworkLoginWanted(AppEvent):
    """Log in to the network, at this RADIUS server in the switch's place."""

    host: str
    port: int
    secret: str = field(repr=False)
    """What switch and RADIUS server share."""


@dataclass(frozen=True, slots=True)
class LogIntoNetwork(AppCommand):
    """Run the supplicant; ``NetworkLoginEnded`` answers it."""

    method: EapMethod
    host: str
    port: int
    secret: str = field(repr=False)
    mac: Mac
    """The EAP identity, and the Calling-Station-Id."""
    chain: tuple[Certificate, ...] = ()
    key_pem: bytes = field(default=b"", repr=False)
    authorities: tuple[Certificate, ...] = ()
    excepted: tuple[Certificate, ...] = ()
    """Servers' certificates that somebody added as an exception."""
    versions: tuple[Version, ...] = ()
    suites: tuple[int, ...] = ()
    """The profile's, as ``network.ieee8021x.supplicant`` takes them."""
    md5_username: str = ""
    md5_password: str = field(default="", repr=False)

    @property
    def peer(self) -> str:
        """``host:port``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class NetworkLoginEnded(AppEvent):
    """The supplicant is done. ``chain``: what the network's server showed."""

    request: LogIntoNetwork
    ok: bool
    reason: str
    hint: str = ""
    chain: tuple[Certificate, ...] = ()
    version: Version | None = None
    notes: tuple[str, ...] = ()
    tried: bool = True
    """False where nothing was sent: something lacks on this side."""
