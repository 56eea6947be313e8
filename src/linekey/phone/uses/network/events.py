"""802.1X: what happens, and what the supplicant is to do."""

from dataclasses import dataclass, field

from linekey.certs.certificate import Certificate
from linekey.endpoint import host_port
from linekey.mac import Mac
from linekey.phone.events import Errand, Event
from linekey.phone.typed import Data, Flag, Number, Text
from linekey.phone.uses.network.ieee8021x import EapMethod
from linekey.tls.versions import Version


@dataclass(frozen=True, slots=True)
class NetworkCertificateUploaded(Event):
    """Somebody uploaded a file for the 802.1X tab; ``admin``: in admin mode."""

    data: Data = field(repr=False)
    admin: Flag = False


@dataclass(frozen=True, slots=True)
class NetworkLoginWanted(Event):
    """Log in to the network, at this RADIUS server in the switch's place."""

    host: Text
    port: Number
    secret: Text = field(repr=False)
    """What switch and RADIUS server share."""


@dataclass(frozen=True, slots=True)
class LogIntoNetwork(Errand):
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
        return host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class NetworkLoginEnded(Event):
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
