"""What went wrong below TLS is said in the system's words."""

import errno
import socket

import pytest

from linekey.wire.system_words import os_text

REFUSED = "[Errno 111] Connect call failed"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "connection refused"),
        # As asyncio says it of a name with two addresses.
        (OSError(f"Multiple exceptions: {REFUSED} ('::1', 1, 0, 0), {REFUSED} ('127.0.0.1', 1)"), "connection refused"),
        (OSError(f"Multiple exceptions: [Errno 101] x, {REFUSED} ('127.0.0.1', 1)"), "network is unreachable; connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "the name cannot be resolved: name or service not known"),
        (OSError("odd"), "odd"),
        (OSError(), "oserror"),
    ],
)  # fmt: skip
def test_the_systems_words_are_said(error: OSError, said: str) -> None:
    assert os_text(error) == said
