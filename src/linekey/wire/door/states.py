"""The states of a connection at the door, and what may follow what.

``docs/reference/states.md`` is drawn from the table. Rule: a step that the table does
not have is a fault of linekey's, and raises; nothing that a peer sends leads there.
"""

import enum
from collections.abc import Mapping
from typing import Final


class State(enum.Enum):
    """Where a connection is; the value says what happens there."""

    __hash__ = object.__hash__  # members are themselves alone; Enum's own costs more

    HELLO = (
        "bytes are kept until a whole ClientHello is there; it is read in plain, and "
        "the policy for this kind of phone chosen from it"
    )
    TURN = "as many handshakes as may be are under way; nothing more is read"
    HANDSHAKE = "the engine of that policy speaks TLS; the certificate is judged inside"
    OPEN = "HTTP runs inside"
    LINGER = (
        "all is said; what still comes is thrown away, so that a reset cannot overtake "
        "what was said"
    )
    CLOSED = "the event loop has let go of it"


class Step(enum.Enum):
    """What leads from one to the next; the value says when."""

    __hash__ = object.__hash__

    QUEUED = "the hello is whole, and others are before it"
    BEGUN = "the hello is whole, and it is its turn"
    COMPLETED = "the handshake is done"
    REFUSED = "no hello, no policy, a certificate turned away, too slow or too much"
    LEFT = "the peer left"
    FINISHED = "the last answer is out, the peer closed, or the connection broke"
    ABORTED = "cut off: it stopped reading, or was closed for others"
    LOST = "TCP has ended"


HALF_OPEN: Final = (State.HELLO, State.TURN, State.HANDSHAKE)

_HALF_OPEN_ENDS: Final = {
    # To be lost is to be LEFT first: it goes on record.
    Step.REFUSED: State.LINGER,
    Step.LEFT: State.LINGER,
    Step.ABORTED: State.LINGER,
}

TRANSITIONS: Final[Mapping[State, Mapping[Step, State]]] = {
    State.HELLO: {
        Step.QUEUED: State.TURN,
        Step.BEGUN: State.HANDSHAKE,
        **_HALF_OPEN_ENDS,
    },
    State.TURN: {Step.BEGUN: State.HANDSHAKE, **_HALF_OPEN_ENDS},
    State.HANDSHAKE: {Step.COMPLETED: State.OPEN, **_HALF_OPEN_ENDS},
    State.OPEN: {
        Step.FINISHED: State.LINGER,
        Step.ABORTED: State.LINGER,
        Step.LOST: State.CLOSED,
    },
    State.LINGER: {Step.ABORTED: State.LINGER, Step.LOST: State.CLOSED},
    State.CLOSED: {},
}
"""State → step → next state. The first state is HELLO."""
