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
        f"set LimitNOFILE={wanted} in the systemd unit, ulimit -Hn {wanted} in a "
        f"shell, or --ulimit nofile={wanted} for a container"
    )
    least = min(limits.half_open, limits.connections)
    if room < least:
        yield found(
            "limits.descriptors",
            f"this process may have {hard_limit} file descriptors, but needs at least "
            f"{least + RESERVE}",
            f"{cure}; or lower limits.half_open",
        )
        return
    yield found(
        "limits.connections",
        f"this process may have {hard_limit} file descriptors, but needs {wanted}: it "
        f"accepts only {room} connections instead of {limits.connections} "
        "(limits.connections)",
        f"{cure}; or limits.connections = {room}",
    )
