"""What came of one thing that a phone did, and why it failed: codes, causes, cures.

Rules: a code never changes its meaning, scripts rely on it; what is decided here is
read from the phone's own report of a connection (``trust.connection``) and from HTTP
statuses, never from prose. Texts are as ``linekey.reasons`` says.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from linekey.phone.state import FetchedDocument, PhoneState, Status
from linekey.reasons import Row
from linekey.trust.connection import ConnectionReport

_SAME = "linekey phone run with one of these phones shows all of it"

REASONS: Final = MappingProxyType(
    {
        "load.no_connection": Row(
            "no connection came about, or the server fell silent in the handshake",
            "look whether the server runs and the address is right; under load: its "
            "limits of connections, its backlog, a firewall's",
        ),
        "load.phone_refused": Row(
            "the server refused the phone's certificate in the handshake",
            "have the server trust the CA that issued the phones' certificates: "
            "linekey trust add FILE",
        ),
        "load.server_refused": Row(
            "the phone refused the server's certificate",
            "give the server's CA with --trust FILE, and with --server a name in its "
            "certificate; linekey check HOST:PORT says what phones think of it",
        ),
        "load.shed": Row(
            "the server was busy and said to come later (429, 503)",
            "that is how it protects itself: fewer phones a second, or more servers "
            "(linekey plan)",
        ),
        "load.request_refused": Row(
            "the server refused the request (400 to 499)",
            "register the phones: linekey device import FILE; linekey log says why "
            "each was refused",
        ),
        "load.server_failed": Row(
            "the server failed at the request (500 to 599)",
            "look at the server's log",
        ),
        "load.no_answer": Row(
            "the connection stood, and no whole answer came",
            "look at the server's log, and whether --limit is too short",
        ),
        "load.not_applied": Row(
            "an answer came that the phone could not use", _SAME
        ),
        "load.sip_refused": Row(
            "the SIP server refused the registration, or did not answer it",
            "look whether the accounts are those of the SIP server; its log says why",
        ),
        "load.page_refused": Row("the page or directory did not answer well", _SAME),
        "load.nothing_to_do": Row(
            "the phone has nothing set that it could do",
            "put it into the phones' configuration (a function key of type url, "
            "ldap_server, an action URL), or take it out of --mix",
        ),
        "load.not_yours": Row(
            "its configuration sends the phone to a host that is not said to be yours",
            "if it is, name it with --i-own HOST",
        ),
        "load.own_fault": Row(
            "a fault of linekey's own", "report it, with what the worker printed"
        ),
    }
)  # fmt: skip
"""Why something failed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that was done. ``code`` is empty where it went well."""

    kind: str
    begun_at: float
    """Seconds since the epoch."""
    took_s: float
    code: str = ""
    text: str = ""
    """What the phone says of the failure, one clause."""


def of_connection(report: ConnectionReport) -> str:
    """The code of a connection that did not come about."""
    if report.refused_by_phone:
        return "load.server_refused"
    if report.alert_received is not None:
        return "load.phone_refused"
    return "load.no_connection"


def of_status(status: int) -> str:
    """The code of an HTTP status that is no success."""
    if status in (429, 503):
        return "load.shed"
    if 400 <= status < 500:
        return "load.request_refused"
    return "load.server_failed" if status >= 500 else "load.not_applied"


def of_round(state: PhoneState, failed: ConnectionReport | None) -> tuple[str, str]:
    """The code and text of a round that has ended; an empty code: provisioned.

    ``failed`` is the newest connection of the round that did not come about.
    """
    if state.status is Status.PROVISIONED:
        return "", ""
    text = state.status_reason
    if failed is not None:
        return of_connection(failed), failed.error or text
    bad = [f for f in state.fetched if not f.applied]
    # A file that is not there is usual for a phone's model, unless it is all there is.
    bad = [f for f in bad if f.status != 404] or bad
    worst: FetchedDocument | None = bad[-1] if bad else None
    if worst is None or 200 <= worst.status < 300:
        return "load.not_applied", text
    if worst.status == 0:
        return "load.no_answer", worst.reason or text
    return of_status(worst.status), worst.reason or text
