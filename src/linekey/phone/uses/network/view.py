"""What the last 802.1X login came to, as part of the phone's state."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from linekey.errors import InputError
from linekey.phone.state import PhoneState
from linekey.phone.uses.network.ieee8021x import EapMethod, read_method


@dataclass(frozen=True, slots=True)
class Login:
    """The last 802.1X login."""

    method: str
    peer: str
    ok: bool
    reason: str
    at: datetime
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """Part of the state."""

    last: Login | None = None


def describe_network(state: PhoneState) -> dict[str, Any]:
    """The last 802.1X login for pages and JSON."""
    login = state.part(Network).last
    if login is None:
        return {"ieee8021x": None}
    return {
        "ieee8021x": {
            "method": login.method,
            "peer": login.peer,
            "ok": login.ok,
            "reason": login.reason,
            "notes": list(login.notes),
            "at": login.at.isoformat(),
        }
    }


def is_offered(state: PhoneState) -> bool:
    """Whether the Screen page has a form for a login."""
    try:
        method = read_method(state.setting("ieee8021x_eap_auth_method"))
    except InputError:
        return True  # its form then says what is wrong with the setting
    return method is not EapMethod.OFF
