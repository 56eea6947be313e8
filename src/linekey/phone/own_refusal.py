"""What cures that a server refused this phone's certificate, as far as the phone knows.

The phone knows what it showed, what the server asked for and whom it named, and which
alert or page came back: the same rules as the check's (``trust.client_refusal``) tell
verify depth, authority, level and purpose apart. Where they say nothing, the refusal's
own words stay.
"""

from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from linekey.phone.state import PhoneState
from linekey.tls.alerts import Alert
from linekey.trust.client_refusal import CertificateWish, causes, cures_of

_CLOCKS: Final = frozenset({"not-yet", "clock"})
"""A phone's clock may stand at 1970: nothing is said that needs it to be right."""


def cure_of_refusal(
    state: PhoneState,
    alert: Alert | None,
    now: datetime,
    wish: CertificateWish | None = None,
) -> str:
    """The cure by what was shown and asked for; empty where that says nothing."""
    identity = state.client_identity
    if identity is None:
        return ""
    asked = wish or CertificateWish()
    found = causes(
        identity.chain,
        asked.authorities,
        alert,
        now,
        types=asked.types,
        signatures=asked.signature_algorithms,
    )
    return cures_of([cause for cause in found if cause.code not in _CLOCKS])


def cure_of_answer(state: PhoneState, url: str, now: datetime) -> str:
    """The same for a refusal in HTTP, by what that server last asked for."""
    last, parts = state.last_tls, urlsplit(url)
    known = last is not None and last.peer.rpartition(":")[0].strip("[]") == (
        parts.hostname or ""
    )
    return cure_of_refusal(state, None, now, last.wish if last and known else None)
