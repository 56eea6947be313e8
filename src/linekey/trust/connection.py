"""What the phone knows of one connection it tried, as values.

The edge (``wire.dialer``) fills a ``ConnectionReport`` for every connection, whatever
came of it; the state machine turns it into log lines, tab entries and notifications.
A handshake that completed is never called accepted here: a TLS 1.3 server refuses a
client afterwards (design, decision 9).
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from linekey.certs.certificate import Certificate
from linekey.tls.alerts import Alert
from linekey.tls.suites import Suite
from linekey.tls.versions import Version
from linekey.trust.client_refusal import CertificateWish
from linekey.trust.findings import Verdict


class Purpose(str):
    """What the phone connects for, as log and tabs name it; ``label`` is for people.

    Those below are SNOM-TLS's (Setting-Up the phone for TLS; 802.1X: the tab). A
    further use of TLS makes its own.
    """

    label: str
    SIP: ClassVar["Purpose"]
    PROVISIONING: ClassVar["Purpose"]
    ACTION_URL: ClassVar["Purpose"]
    FUNCTION_KEY: ClassVar["Purpose"]
    MINIBROWSER: ClassVar["Purpose"]
    LDAP: ClassVar["Purpose"]
    IEEE8021X: ClassVar["Purpose"]
    WEB: ClassVar["Purpose"]
    """The phone's own pages: here the phone is the server."""

    def __new__(cls, value: str, label: str) -> Self:
        """Take the word for log and JSON, and the label for the screen."""
        purpose = super().__new__(cls, value)
        purpose.label = label
        return purpose


Purpose.SIP = Purpose("sip", "SIP")
Purpose.PROVISIONING = Purpose("provisioning", "Provisioning")
Purpose.ACTION_URL = Purpose("action-url", "Action URL")
Purpose.FUNCTION_KEY = Purpose("function-key", "Function key")
Purpose.MINIBROWSER = Purpose("minibrowser", "Minibrowser")
Purpose.LDAP = Purpose("ldap", "Directory (LDAP)")
Purpose.IEEE8021X = Purpose("802.1x", "802.1X")
Purpose.WEB = Purpose("web", "Web pages")


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """One connection attempt of the phone, from connecting to its end.

    ``peer`` is ``host:port`` as the phone was told to call it; ``completed`` says that
    the handshake completed, and no more. ``verdict`` is the phone's own about the
    server, None where no certificate came. ``error`` is empty where nothing went
    wrong, else one clause in lower case.
    """

    purpose: Purpose
    peer: str
    completed: bool
    encrypted: bool = True
    """False for plain HTTP and SIP: then there is no TLS to tell of."""
    version: Version | None = None
    suite: Suite | None = None
    chain: tuple[Certificate, ...] = ()
    """What the server showed, leaf first."""
    verdict: Verdict | None = None
    resumed: bool = False
    client_certificate_asked: bool = False
    wish: CertificateWish | None = None
    """What the server asked for and whom it named; None where that was not seen."""
    client_certificate: Certificate | None = None
    """The phone's own leaf, where it was asked for and shown."""
    alert_sent: Alert | None = None
    alert_received: Alert | None = None
    error: str = ""
    hint: str = ""
    """The cure, from whoever knows the reason; empty where it is not known better than
    from the rest of this report."""
    renegotiation_asked: bool = False
    """The server wanted a second handshake, which the virtual phone declines."""
    notes: tuple[str, ...] = ()
    """Worth a log line each: suites the engine could not offer, and the like."""

    @property
    def refused_by_phone(self) -> bool:
        """Whether the phone itself refused the server's certificate."""
        return self.verdict is not None and not self.verdict.accepted
