"""SIP messages out of a byte stream, and back into bytes.

Over TLS a message's end is told by Content-Length alone (RFC 3261 §18.3); a message
without one that can be read breaks the stream and the connection with it, once those
before it were given out. A request of that kind still gets its 400 (RFC 4475 §3.1.2.3).
CR LF pairs between messages are keep-alives (RFC 5626 §3.5.1): two are a ping, one is
its pong. One that stands alone is a pong if one is due (``ping_sent``), else the half
of a ping that came in two pieces, and is kept until more comes.

Rule: bytes in, messages out. A message that is wrong but has an end is a ``Flawed``
among the others (``sip.syntax``); what has no end raises PeerError.
"""

import re
from dataclasses import dataclass

from sipmessage import Request, Response

from linekey.errors import PeerError
from linekey.phone.uses.sip.syntax import Flawed, read_message

MAX_HEADERS = 16 * 1024
"""Bytes of a message's header part. A REGISTER's answer has some 700."""
MAX_BODY = 64 * 1024
"""Bytes of a body. Phones carry SDP and XML of a few kB."""

PING = b"\r\n\r\n"
PONG = b"\r\n"


@dataclass(frozen=True, slots=True)
class Ping:
    """The peer asks for a sign of life; answer ``PONG``."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The peer answered ours."""


Received = Request | Response | Ping | Pong | Flawed


class SipReader:
    """Cuts a stream into messages. ``feed`` returns those that are complete."""

    def __init__(self) -> None:
        self.trouble: PeerError | None = None
        """Why nothing more can be read, once what came before it was given out."""
        self._buffer = bytearray()
        self._pong_due = False

    def ping_sent(self) -> None:
        """A ping went to the peer: one CR LF to come is its pong."""
        self._pong_due = True

    def feed(self, data: bytes) -> list[Received]:
        """Add bytes; give what is complete.

        Raises PeerError for what is no SIP, has no end, or is over the limits; where
        the same bytes held messages before that, they are given first, ``trouble`` is
        set, and the next call raises it.
        """
        if self.trouble is not None:
            raise self.trouble
        self._buffer += data
        found: list[Received] = []
        try:
            self._cut(found)
        except PeerError as error:
            self.trouble = error
            self._buffer.clear()
            if not found:
                raise
        return found

    def _cut(self, found: list[Received]) -> None:
        while self._buffer:
            if self._buffer.startswith(PING):
                del self._buffer[:4]
                found.append(Ping())
            elif self._buffer.startswith(PONG):
                if len(self._buffer) < 4 and not self._pong_due:
                    break  # the half of a ping
                del self._buffer[:2]
                self._pong_due = False
                found.append(Pong())
            elif not self._message(found):
                break

    def _message(self, found: list[Received]) -> bool:
        """Take one message off the buffer; whether there was a whole one."""
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEADERS)
        if end < 0:
            if len(self._buffer) >= MAX_HEADERS:
                raise PeerError(
                    f"the SIP server sent headers of over {MAX_HEADERS} bytes"
                    if self._buffer.startswith(b"SIP/2.0 ")
                    else "the peer sends something that is not SIP",
                    hint="check that host and port are those of a SIP server over TLS",
                )
            return False
        size = end + 4
        head = _unfold(bytes(self._buffer[:size]))
        try:
            length = _content_length(head)
        except PeerError as error:
            flawed = _endless(head, error)
            if flawed is not None:
                found.append(flawed)
            raise
        if len(self._buffer) < size + length:
            return False
        body = bytes(self._buffer[size : size + length])
        del self._buffer[: size + length]
        found.append(read_message(head, body))
        return True


def _endless(head: bytes, error: PeerError) -> Flawed | None:
    """What its sender is told of a request whose end nobody knows."""
    message = read_message(head, b"")
    if isinstance(message, Flawed):
        return message if message.code else None
    if isinstance(message, Response) or message.method == "ACK":
        return None
    return Flawed(error.message, 400, "Bad Request", message)


_FOLD = re.compile(rb"\r\n[ \t]+")


def _unfold(head: bytes) -> bytes:
    """Join continued header lines (RFC 3261 §7.3.1)."""
    return _FOLD.sub(b" ", head)


def _content_length(head: bytes) -> int:
    """The body's length. Raises PeerError where it cannot be known, or is too much."""
    lengths = set()
    for line in head.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() in (b"content-length", b"l"):
            lengths.add(value.strip())
    if len(lengths) != 1:
        raise PeerError(
            "the peer sent a SIP message without exactly one Content-Length",
            hint="over TLS every message needs one (RFC 3261 §18.3)",
        )
    text = lengths.pop()
    if not text.isdigit() or len(text) > 9 or int(text) > MAX_BODY:
        raise PeerError(
            f"the peer announces a SIP body of {text[:20].decode('ascii', 'replace')!r}"
            f" bytes; at most {MAX_BODY} are taken",
            hint="the server sends this phone more than a phone can hold",
        )
    return int(text)
