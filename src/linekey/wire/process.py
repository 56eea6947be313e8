"""What a process with thousands of connections sets up: its loop, its collector, how
its memory is handed out."""

import contextlib
import ctypes
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def new_loop() -> "asyncio.AbstractEventLoop":
    """Make the event loop: uvloop's, which costs half of asyncio's own."""
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def settle_garbage() -> None:
    """Let the collector look at connections only, and less often.

    Called once, when what stays is loaded: freezing it spares each collection a walk
    over it. Connections are freed by their reference counts; cycles (tasks that failed,
    mostly) are few.
    """
    gc.collect()
    gc.freeze()
    collect_less()
    _join_freed_memory()


def collect_less() -> None:
    """Let the collector look for cycles less often: of 100,000 phones there is much to
    look through and none to find, and it takes a fifth of the time."""
    gc.set_threshold(20_000, 20, 20)


_M_MXFAST = 1  # malloc.h of glibc


def _join_freed_memory() -> None:
    """Let glibc's malloc join small pieces of memory as they are freed.

    Else it keeps them apart, and joins all of them whenever 64 KiB in a row come free
    or a large piece is asked for (mallopt(3), M_MXFAST): each TLS connection has
    several of 16 KiB. Other C libraries have no such call, and need none.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MXFAST, 0)
