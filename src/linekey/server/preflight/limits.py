"""Can this process hold what the settings allow? As the system's limits have it.

Rule: nothing here changes anything; the soft limit is raised at the start
(``wire.descriptors``), so only the hard limit counts.
"""

from collections.abc import Iterator

from linekey.server.preflight.finding import found
from linekey.settings import Settings
from linekey.trust.findings import Finding
from linekey.wire.descriptors import RESERVE, needed


def check_descriptors(settings: Settings, hard_limit: int) -> Iterator[Finding]:
    """Judge how many descriptors this process may have at most (RLIMIT_NOFILE)."""
    limits = settings.limits
    wanted, room = needed(limits), hard_limit - RESERVE
    if room >= limits.connections:
        return
    cure = (
        f"LimitNOFILE={wanted} in the unit, ulimit -Hn {wanted} before the start, "
        f"--ulimit nofile={wanted} for a container"
    )
    least = min(limits.half_open, limits.connections)
    if room < least:
        yield found(
            "limits.descriptors",
            f"this process may have {hard_limit} descriptors, and {least} connections "
            f"with all else need {least + RESERVE}",
            f"{cure}; or lower limits.half_open",
        )
        return
    yield found(
        "limits.connections",
        f"this process may have {hard_limit} descriptors, too few for {wanted}: it "
        f"takes {room} connections, and not the {limits.connections} connections of "
        "limits.connections",
        f"{cure}; or limits.connections = {room}",
    )
