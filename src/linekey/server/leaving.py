"""Before a server ends: balancers are told, and have time to send phones elsewhere.

Between SIGTERM and the end of accepting ``/readyz`` says no, and everything else goes
on, new connections included: a balancer that has not asked yet still sends phones here.
Answers then close their connections, so that none is kept for another request.

Who has connected is served before the end, by workers: so where none has begun yet, and
nobody listens afterwards, one is waited for, if phones are in the backlog.

Rules: only SIGTERM announces (Ctrl-C at a terminal reaches the workers, too, and ends
at once); where no balancer asks, nobody is waited for; a second signal ends each wait.
"""

import asyncio
import logging
import select
import signal
import socket

from linekey.server.counters import Counters
from linekey.server.health import HealthServer
from linekey.settings import StopSettings
from linekey.wire.readiness import ASKED_S

_log = logging.getLogger("linekey.workers")

ENDS = (signal.SIGINT, signal.SIGTERM)
BEGIN_S = 20.0
"""That a worker has, in all, to begin when the end has come already."""
_LOOK_EVERY_S = 0.05


def announced_s(got: int, health: HealthServer | None, settings: StopSettings) -> float:
    """Return for how many seconds the end is announced; 0: nobody is told."""
    if got != signal.SIGTERM or health is None or health.asked_s > ASKED_S:
        return 0.0
    return settings.announce_s


async def announce(
    counters: Counters, signals: "asyncio.Queue[int]", seconds: float
) -> None:
    """Say that this server leaves, and serve on for so many seconds."""
    counters.leave()
    if not seconds:
        return
    _log.info("leaving: load balancers are told for %g s, phones served on", seconds)
    try:
        async with asyncio.timeout(seconds):
            while await signals.get() not in ENDS:
                pass  # a certificate that is renewed now is of no use
    except TimeoutError:
        pass


async def one_begins(
    counters: Counters, listener: socket.socket, signals: "asyncio.Queue[int]"
) -> None:
    """Wait until a worker has begun, if phones have connected and none has.

    From then on it takes SIGTERM for what it is, and lets go of nobody in the backlog.
    Whoever is there when the last process closes ``listener`` is reset.
    """
    if not _is_waited_for(counters, listener):
        return
    _log.info("phones have connected and no worker has begun: waiting for one")
    try:
        async with asyncio.timeout(BEGIN_S):
            while _is_waited_for(counters, listener):
                try:
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        if await signals.get() in ENDS:
                            return
                except TimeoutError:
                    pass
    except TimeoutError:
        _log.error("no worker has begun: phones that have connected are dropped")


def _is_waited_for(counters: Counters, listener: socket.socket) -> bool:
    if any(silence >= 0 for silence in counters.silences()):
        return False  # it has given a sign of life since it was started
    look = select.poll()
    look.register(listener, select.POLLIN)
    return bool(look.poll(0))
