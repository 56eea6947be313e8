"""Where a line's registration may stand, and what follows what."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from linekey.phone.transitions import Transitions


class LineState(StrEnum):
    """Where a registration stands."""

    IDLE = "idle"
    CONNECTING = "connecting"
    REGISTERING = "registering"
    REGISTERED = "registered"
    WAITING = "waiting"
    UNREGISTERING = "unregistering"


LINE_STATES: Final[Transitions[LineState]] = MappingProxyType(
    {
        LineState.IDLE: {LineState.CONNECTING: "the settings have an account"},
        LineState.CONNECTING: {
            LineState.REGISTERING: "the connection stands",
            LineState.WAITING: "no connection; the delay grows, with jitter",
            LineState.IDLE: "the line stops",
        },
        LineState.REGISTERING: {
            LineState.REGISTERED: "200",
            LineState.WAITING: "refused, lost, or no answer",
            LineState.UNREGISTERING: "the line stops in the middle of a refresh",
            LineState.IDLE: "the line stops",
        },
        LineState.REGISTERED: {
            LineState.REGISTERING: "time to refresh",
            LineState.WAITING: "the connection is lost, or its pongs are",
            LineState.UNREGISTERING: "the line stops",
        },
        LineState.WAITING: {
            LineState.CONNECTING: "the delay is over, or a certificate was accepted",
            LineState.WAITING: "a fault of linekey's own; the delay grows",
            LineState.IDLE: "the line stops",
        },
        LineState.UNREGISTERING: {
            LineState.IDLE: "200, refused, lost, or no answer",
        },
    }
)
"""How a line may move."""
