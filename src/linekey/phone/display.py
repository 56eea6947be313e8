"""What the phone's display says of the last key, event or page, whatever its use.

Rule: no password is in it, and no URL's user, password or token.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from linekey.phone.events import Command, Reply, Save
from linekey.phone.state import Level, PhoneState


@dataclass(frozen=True, slots=True)
class Message:
    """What the last key press, event or page came to, for the screen."""

    ok: bool
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Display:
    """Part of the state. ``opening``: the URL that is being fetched for it, masked."""

    message: Message | None = None
    opening: str = ""


def tell(
    state: PhoneState,
    purpose: str,
    reply: Reply,
    now: datetime,
    *,
    level: Level | None = None,
) -> tuple[PhoneState, list[Command]]:
    """Say it in the log, on the display and to whoever asked."""
    level = level or ("info" if reply.ok else "error")
    state = state.with_part(Display(Message(reply.ok, reply.text, reply.hint)))
    state = state.with_log(now, purpose, reply.text, level=level)
    return state, [Save(), reply]


def with_message(state: PhoneState, message: Message | None) -> PhoneState:
    """The state with this message on the display, or none."""
    return state.with_part(Display(message, state.part(Display).opening))


def describe_display(state: PhoneState) -> dict[str, Any]:
    """For pages and JSON."""
    display = state.part(Display)
    message = display.message
    return {
        "opening": display.opening,
        "message": None
        if message is None
        else {"ok": message.ok, "text": message.text, "hint": message.hint},
    }
