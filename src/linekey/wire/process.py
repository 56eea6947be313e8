"""What a process with thousands of connections sets up: its loop, its collector."""

import asyncio
import gc


def new_loop() -> asyncio.AbstractEventLoop:
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
    gc.set_threshold(20_000, 20, 20)
