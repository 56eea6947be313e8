"""File descriptors: what connections may take, and what is kept for all else.

Every connection is a descriptor, and so are the database's, the log's and a key file's.
A process that has none left cannot even say so: event loops then close what they accept
(libuv), or leave it (asyncio) and log that for each. So the soft limit is raised to
what the settings need, as far as the hard limit lets it, and connections never get the
last ``RESERVE``.
"""

import contextlib
import os
import resource

from linekey.settings import LimitSettings

RESERVE = 192
"""Descriptors that phones' connections never get: the event loop's, the database's
(SQLite three for each connection; the pool has 15 at most), log, key files, the other
listeners with ``OTHERS`` connections each."""
OTHERS = 32
"""Connections of a listener beside the phones': the status page, a balancer's look."""
_UNLIMITED = 1 << 30


def needed(limits: LimitSettings) -> int:
    """Return how many descriptors a process with these limits needs."""
    return limits.connections + RESERVE


def hard_limit() -> int:
    """Return how many descriptors this process may have at most (RLIMIT_NOFILE)."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def soft_limit() -> int:
    """Return how many descriptors this process may have now."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def raise_soft_limit(wanted: int) -> int:
    """Raise the soft limit to ``wanted`` if the hard limit lets it; never lower it.

    Returns the limit as it is then.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _number(soft) < wanted:
        new = min(wanted, _number(hard))
        with contextlib.suppress(ValueError, OSError):  # then it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (new, hard))
    return soft_limit()


def lowest_free() -> int:
    """Return the number that the next descriptor gets; a huge one if there is none."""
    try:
        number = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return _UNLIMITED
    os.close(number)
    return number


def fitting(limits: LimitSettings, may_have: int) -> LimitSettings:
    """Return the limits with no more connections than ``may_have`` descriptors hold."""
    room = max(1, may_have - RESERVE)
    if limits.connections <= room:
        return limits
    return limits.model_copy(update={"connections": room})


def _number(limit: int) -> int:
    return _UNLIMITED if limit == resource.RLIM_INFINITY else limit
