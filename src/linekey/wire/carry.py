"""Carries a TLS pump's bytes over asyncio's streams.

For connections that one task follows: the phone's, the check's, the lab registrar's.
(The door has thousands, and is an asyncio protocol.)
"""

import asyncio
import contextlib
from typing import Final

from linekey.tls.events import Event
from linekey.tls.pump import Pump

READ_SIZE: Final = 65_536


async def carry(
    pump: Pump, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> list[Event]:
    """Send what is to be sent, read once, and tell what came of it.

    The pump's deadline is kept, on the clock of the event loop. Nothing is waited for
    once bytes came, so that nobody who is cancelled loses any. Raises OSError.
    """
    writer.write(pump.take_output())
    with contextlib.suppress(OSError):  # a peer that reads no more may have said why
        await writer.drain()
    try:
        async with asyncio.timeout_at(pump.deadline):
            data = await reader.read(READ_SIZE)
    except TimeoutError:
        events = pump.expire()
    else:
        events = pump.receive(data) if data else pump.receive_eof()
    writer.write(pump.take_output())
    return events
