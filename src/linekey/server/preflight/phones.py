"""Would phones of the registry find no cipher suite for this server's key?

The check tells it of every phone in the catalogue; here it is told of those that are
registered, before they try. A server with an RSA certificate serves all that any policy
serves, so it is not asked about.
"""

from collections.abc import Callable, Iterator

from linekey.console.forecasting import ShutOut
from linekey.server.preflight.checks import ServerFiles
from linekey.server.preflight.finding import found
from linekey.trust.findings import Finding
from linekey.words import counted

_MODELS = 3


def check_phones(
    files: ServerFiles, ask: Callable[[], ShutOut | None]
) -> Iterator[Finding]:
    """Judge the server's keys for the registered phones; ``ask`` reads those."""
    if files.key is None or any(c[0].key.kind == "rsa" for c in files.chains):
        return
    lost = ask()
    if lost is None:
        return
    beyond = len(lost.models) - _MODELS
    more = f" and {beyond} more" if beyond > 0 else ""
    named = ", ".join(lost.models[:_MODELS]) + more
    yield found(
        "certificate.unserved",
        f"{counted(lost.phones, 'registered phone')} can use no cipher suite with the "
        f"server's {files.chain[0].key.text} key ({named}): {lost.why}",
        "add an RSA-2048 certificate beside it: certificate and key take two files "
        "each, and each phone is shown the one that it can use",
    )
