"""SIP messages out of a byte stream, and back into bytes.

Over TLS a message's end is told by Content-Length alone (RFC 3261 §18.3); a message
without it breaks the stream and the connection with it. CR LF pairs between messages
are keep-alives (RFC 5626 §3.5.1): two are a ping, one is its pong. One that stands
alone is a pong if one is due (``ping_sent``), else the half of a ping that came in two
pieces, and is kept until more comes.

Rule: bytes in, messages out; what a peer sends either reads or raises PeerError.
"""

from dataclasses import dataclass

from sipmessage import Message, Request, Response

from linekey.errors import PeerError

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


class SipReader:
    """Cuts a stream into messages. ``feed`` returns those that are complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._pong_due = False

    def ping_sent(self) -> None:
        """A ping went to the peer: one CR LF to come is its pong."""
        self._pong_due = True

    def feed(self, data: bytes) -> list[Request | Response | Ping | Pong]:
        """Add bytes; raises PeerError for what is no SIP, or is over the limits."""
        self._buffer += data
        found: list[Request | Response | Ping | Pong] = []
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
            elif (message := self._message()) is not None:
                found.append(message)
            else:
                break
        return found

    def _message(self) -> Request | Response | None:
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEADERS)
        if end < 0:
            if len(self._buffer) >= MAX_HEADERS:
                raise PeerError(
                    f"the SIP server sent headers of over {MAX_HEADERS} bytes"
                    if self._buffer.startswith(b"SIP/2.0 ")
                    else "the peer sends something that is no SIP",
                    hint="check that host and port are those of a SIP server over TLS",
                )
            return None
        head = bytes(self._buffer[: end + 4])
        length = _content_length(head)
        if len(self._buffer) < len(head) + length:
            return None
        body = bytes(self._buffer[len(head) : len(head) + length])
        del self._buffer[: len(head) + length]
        try:
            message = Message.parse(_unfold(head) + body)
        except (ValueError, UnicodeDecodeError):
            raise PeerError(
                "the peer sent a SIP message that cannot be read",
                hint="check that host and port are those of a SIP server over TLS",
            ) from None
        return message


def _unfold(head: bytes) -> bytes:
    """Join continued header lines (RFC 3261 §7.3.1)."""
    return head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")


def _content_length(head: bytes) -> int:
    lengths = set()
    for line in head.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() in (b"content-length", b"l"):
            lengths.add(value.strip())
    if len(lengths) != 1:
        raise PeerError(
            "the peer sent a SIP message with no one Content-Length, which TLS needs",
            hint="the server must say Content-Length in every message (RFC 3261 §18.3)",
        )
    text = lengths.pop()
    if not text.isdigit() or len(text) > 9 or int(text) > MAX_BODY:
        raise PeerError(
            f"the peer announces a SIP body of {text[:20].decode('ascii', 'replace')!r}"
            f" bytes; at most {MAX_BODY} are taken",
            hint="the server sends this phone more than a phone can hold",
        )
    return int(text)
