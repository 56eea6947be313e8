"""What the kernel knows of a connection's peer before anything more is read.

Asked where something dear is about to be begun for a peer that may have given up, or
ended for one that may have answered meanwhile: a busy event loop reads late.
"""

import select

_LEFT = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


def has_left(descriptor: int) -> bool:
    """Whether the peer closed its side, or the connection broke."""
    return bool(_events(descriptor, getattr(select, "POLLRDHUP", 0)) & _LEFT)


def has_sent(descriptor: int) -> bool:
    """Whether bytes of the peer wait to be read."""
    return bool(_events(descriptor, select.POLLIN) & select.POLLIN)


def _events(descriptor: int, asked: int) -> int:
    if descriptor < 0:  # it is closing here
        return 0
    poll = select.poll()
    poll.register(descriptor, asked)
    found = poll.poll(0)
    return found[0][1] if found else 0
