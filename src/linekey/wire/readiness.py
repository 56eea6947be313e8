"""Whether the server can look up and record now, said by those who do it.

Each worker asks its registry and commits an empty transaction through its own writer,
and writes down what came of it, for ``/readyz`` wherever that is answered. That costs
a write, so it is done while somebody asks, and while the last answer was bad.

Rules: what is told is younger than ``FRESH_S``; a worker that says nothing for longer
hangs, and counts for nothing. Ready is: somebody says so, and nobody says otherwise,
since the kernel chooses which worker has the next phone. Nothing here reads a clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linekey.errors import Cause
from linekey.said import say
from linekey.wire.asgi_edge import FAULT

FRESH_S = 5.0
"""Seconds for which a worker's word holds: more than a bad answer takes."""
ASKED_S = 15.0
"""Seconds for which a question is remembered: balancers ask again within 10."""

STATES: tuple[str, ...] = ("", "ready", "reserve", *map(str, Cause), FAULT)
"""What a worker may say, by its number; 0 is nothing."""
READY = STATES.index("ready")
RESERVE = STATES.index("reserve")
"""The disk is full, and phones are served from what was kept in reserve for that."""
LEAVING = "leaving"
"""The cause where the operator ends this server."""
SERVING = frozenset({READY, RESERVE})


@dataclass(frozen=True, slots=True)
class Report:
    """What one worker said, and how many seconds ago."""

    state: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Readiness:
    """What is told of all of them. ``cause`` is empty when they are ready and all is
    well; ready with a cause serves phones, and will not for ever."""

    ready: bool
    cause: str
    reason: str
    workers: int
    """How many have said anything lately."""

    def as_json(self) -> dict[str, Any]:
        """The answer's body; it names nothing of this installation."""
        plain: dict[str, Any] = {"status": "ready" if self.ready else "not ready"}
        if self.cause:
            plain |= {"cause": self.cause, "reason": self.reason}
        return plain | {"workers": self.workers}


def judge(reports: Sequence[Report]) -> Readiness:
    """Say whether phones can be served now, by what the workers said."""
    fresh = [r for r in reports if r.state and r.age_s <= FRESH_S]
    if not fresh:
        return Readiness(
            False,
            "silent",
            say(
                "no worker has said anything for %(seconds)s s", seconds=f"{FRESH_S:g}"
            ),
            0,
        )
    bad = [r for r in fresh if r.state not in SERVING]
    told = bad or [r for r in fresh if r.state == RESERVE]
    if not told:
        return Readiness(True, "", "", len(fresh))
    state = min(told, key=lambda r: r.age_s).state
    return Readiness(not bad, STATES[state], sentence_of(state), len(fresh))


def leaving(reports: Sequence[Report]) -> Readiness:
    """Say that this server ends: phones that come are served, and more should not."""
    return Readiness(
        False,
        LEAVING,
        say("this server is being stopped, and finishes what is under way"),
        sum(r.state != 0 and r.age_s <= FRESH_S for r in reports),
    )


def sentence_of(state: int) -> str:
    """Say in words why a worker is not ready."""
    cause = STATES[state]
    if state == RESERVE:
        return say(
            "the disk is full: decisions about phones go on from what was kept in"
            " reserve, refusals of strangers are not recorded"
        )
    if cause == FAULT:
        return say("a fault of linekey's own")
    return say(Cause(cause).sentence)
