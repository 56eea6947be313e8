"""Before a server ends: balancers are told, and have time to send phones elsewhere.

Between SIGTERM and the end of accepting ``/readyz`` says no, and everything else goes
on, new connections included: a balancer that has not asked yet still sends phones here.
Answers then close their connections, so that none is kept for another request.

Rules: only SIGTERM announces (Ctrl-C at a terminal reaches the workers, too, and ends
at once); where no balancer asks, nobody is waited for; a second signal ends the wait.
"""

import asyncio
import logging
import signal

from linekey.server.counters import Counters
from linekey.server.health import HealthServer
from linekey.settings import StopSettings
from linekey.wire.readiness import ASKED_S

_log = logging.getLogger("linekey.workers")

ENDS = (signal.SIGINT, signal.SIGTERM)


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
