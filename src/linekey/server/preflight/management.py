"""Is it safe to listen for the API there? A token that is read on the way is anybody's.

Rule: nothing here changes anything.
"""

from collections.abc import Iterator

from linekey.endpoint import is_loopback
from linekey.server.preflight.finding import found
from linekey.settings import Settings
from linekey.trust.findings import Finding


def check_management(settings: Settings) -> Iterator[Finding]:
    """Judge where the management listener is, and whether it speaks TLS."""
    status = settings.status
    if not status.enabled:
        return
    named = [status.certificate, status.key]
    if None in named and named != [None, None]:
        yield found(
            "management.half",
            "status.certificate and status.key belong together, and one is not set",
            "set both, or neither",
        )
    elif not is_loopback(status.host) and None in named:
        yield found(
            "management.plain",
            f"the API would answer on {status.host} without TLS, and its tokens could "
            "be read on the way",
            "set status.certificate and status.key to PEM files, or status.host to "
            "127.0.0.1",
        )
