"""A phone's timers without waiting: they ring when a test says so."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Timers:
    """Give ``later`` to a ``VirtualPhone``; ``fire`` lets the oldest timer ring."""

    set: list["Timer"] = field(default_factory=list)

    def later(self, after_s: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        timer = Timer(after_s, call)
        self.set.append(timer)
        return timer

    @property
    def waiting(self) -> list["Timer"]:
        """Those that were neither cancelled nor rang."""
        return [t for t in self.set if not t.cancelled()]

    def fire(self) -> None:
        timer = self.waiting[0]
        timer.cancel()
        timer.call()


class Timer(asyncio.TimerHandle):
    """One timer; ``after_s`` is what it was set to."""

    def __init__(self, after_s: float, call: Callable[[], None]) -> None:
        super().__init__(0.0, call, (), asyncio.get_running_loop())
        self.after_s = after_s
        self.call = call
