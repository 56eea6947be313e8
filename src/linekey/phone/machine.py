"""The virtual phone as a state machine: events in, commands out.

Theory of operation: ``Machine.handle(event, now)`` changes ``Machine.state`` and says
what is to be done, in order. It only hands each event to whoever takes it: the phone
itself (``phone.device``) first, then each use of TLS (``phone.uses``). A ``Save`` comes
before anything that leaves the phone, so that a crash loses nothing that was shown to
the world. ``now`` is the phone's own clock. The machine never waits, and whatever an
event brings, the worst is a line in the log. What ``handle`` raises all the same is a
fault of linekey's own: ``faulted`` says how the phone goes on.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from linekey.phone.device import DEVICE
from linekey.phone.events import Command, Event, Faulted, PassOn, Reply, Save
from linekey.phone.state import PhoneState
from linekey.phone.uses.all import USES
from linekey.phone.uses.use import Handler
from linekey.phone.wording import own_fault


def _takers() -> dict[type[Event], tuple[Handler, ...]]:
    takers: dict[type[Event], tuple[Handler, ...]] = {}
    for use in (DEVICE, *USES):
        for kind, handler in use.takes.items():
            takers[kind] = (*takers.get(kind, ()), handler)
    return takers


TAKERS: Final[Mapping[type[Event], tuple[Handler, ...]]] = _takers()
"""Who takes an event, in order."""


class Machine:
    """One phone's behaviour. ``state`` is what it is now."""

    def __init__(self, state: PhoneState) -> None:
        self.state = state

    def handle(self, event: Event, now: datetime) -> list[Command]:
        """Take one event; return what to do, in order.

        No event is answered with an exception. One that comes is a fault of linekey's
        own, in whatever was called; hand it to ``faulted``.
        """
        done: list[Command] = []
        for handle in TAKERS.get(type(event), ()):
            self.state, commands = handle(self.state, event, now)
            for command in commands:
                if isinstance(command, PassOn):
                    done += self.handle(command.event, now)
                else:
                    done.append(command)
        return done

    def faulted(
        self, event: Event, whole: PhoneState, kind: str, now: datetime
    ) -> list[Command]:
        """Go on after a fault of linekey's own: as if ``event`` had not come, but told.

        ``whole`` is the last state that was reached without it, ``kind`` the
        exception's type.
        """
        reason, hint = own_fault(kind)
        # Log lines that may be on disk already stay.
        log, count = self.state.log, self.state.log_count
        text = f"{_words(event)} was left undone: {reason}"
        self.state = replace(whole, log=log, log_count=count).with_log(
            now, "phone", text, level="error"
        )
        commands = self.handle(Faulted(event, reason), now)
        return [Save(), *commands, Reply(False, text, hint)]


def _words(event: Event) -> str:
    """An event's name as words: ``FormSubmitted`` is ``form submitted``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(event).__name__).lower()
