"""What cures that a server refused this phone's certificate, as far as the phone knows.

The phone knows what it showed and which alert or page came back; whom the server named
it does not keep. So it tells of hash, key size, purpose and dates, by the same rules as
the check (``trust.client_refusal``), and else leaves the refusal's own words.
"""

from datetime import datetime
from typing import Final

from linekey.phone.state import PhoneState
from linekey.tls.alerts import Alert
from linekey.trust.client_refusal import causes, cures_of

_CLOCKS: Final = frozenset({"not-yet", "clock"})
"""A phone's clock may stand at 1970: nothing is said that needs it to be right."""


def cure_of_refusal(state: PhoneState, alert: Alert | None, now: datetime) -> str:
    """The cure by what was shown; empty where that says nothing."""
    identity = state.client_identity
    if identity is None:
        return ""
    found = causes(identity.chain, (), alert, now)
    return cures_of([cause for cause in found if cause.code not in _CLOCKS])
