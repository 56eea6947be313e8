"""What the system says of a connection that failed, as one line for people."""

import os
import re
import socket

_NUMBERS = re.compile(r"\[Errno (\d{1,4})\]")
"""In asyncio's words for several addresses, none of which answers."""


def os_text(error: OSError) -> str:
    """What went wrong, in the system's words: ``connection refused``."""
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved: {(error.strerror or '').lower()}"
    numbers = [error.errno] if error.errno else map(int, _NUMBERS.findall(str(error)))
    text = "; ".join(dict.fromkeys(map(os.strerror, numbers))) or str(error)
    return (text or type(error).__name__).lower()
