"""The hellos that are sent: derived from SNOM-TLS's matrix, or captured by a user.

A derived hello is labelled as derived wherever it is shown: the matrix tells versions
and suites, the rest is inference (``catalog.hello``). A capture replaces it: as it was
on the wire, in hex, as a pcap file or as other programs print it (``printed``), or one
that somebody published (``catalog.captured``). Of another maker's phone there is no
other.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from linekey.catalog.captured import CAPTURED
from linekey.catalog.hello import build_hello
from linekey.catalog.profile import Profile
from linekey.check.printed import hello_in_tree, printed_bytes
from linekey.errors import InputError
from linekey.tls.errors import TlsError
from linekey.tls.fingerprint import ja4
from linekey.tls.hello import ClientHello, build_client_hello, parse_client_hello
from linekey.tls.suites import SIGNALS, SUITES
from linekey.tls.versions import label_of

MAX_CAPTURE_BYTES: Final = 1024 * 1024
"""The largest capture that is read: one hello is a few hundred bytes."""

_NO_RANDOM: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Hello:
    """A hello without its random bytes, and where it comes from.

    ``versions`` are those that the phone takes in an answer, oldest first: a hello
    below TLS 1.3 names only its highest (RFC 5246 §E.1), and a phone that speaks SSL 3
    takes it from a server that answers so. ``derived`` is false for a captured hello.
    """

    client_hello: ClientHello
    origin: str
    versions: tuple[int, ...]
    derived: bool = False

    @property
    def wire_key(self) -> tuple[object, ...]:
        """Equal for hellos that are the same bytes but for the random."""
        hello = self.client_hello
        return (
            hello.record_version,
            hello.legacy_version,
            hello.suites,
            hello.extensions,
            hello.compressions,
        )

    def to_bytes(self, random: bytes) -> bytes:
        """The records to send; ``random`` is 32 bytes."""
        return build_client_hello(
            replace(self.client_hello, random=random, session_id=b"")
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what is offered, by name, and how much of it is derived."""
        hello = self.client_hello
        return {
            "origin": self.origin,
            "versions": [label_of(v) for v in self.versions],
            "suites": [
                SUITES[n].name if n in SUITES else f"0x{n:04x}"
                for n in hello.suites
                if n not in SIGNALS
            ],
            "server_name": hello.server_name,
            "ja4": ja4(hello),
        }


def derive(profile: Profile, server_name: str | None) -> Hello:
    """The hello of a profile, for a connection to ``server_name`` (or an address)."""
    row = profile.match.row
    return Hello(
        build_hello(row, server_name, _NO_RANDOM),
        f"derived from the matrix row {row.id}",
        profile.versions,
        derived=True,
    )


def published(name: str) -> Hello | None:
    """A hello that somebody published, by its id; None: none has it."""
    row = CAPTURED.get(name)
    if row is None:
        return None
    hello = row.client_hello()
    whose = row.model or f"a {row.maker} phone of unknown model"
    origin = f"published: {whose}, {row.use} ({row.source}; {row.confidence})"
    return Hello(hello, origin, tuple(sorted(hello.versions)))


def read_capture(data: bytes, label: str) -> Hello:
    """Read a hello that a user captured: raw records, hex digits, a pcap file, or what
    another program printed of it.

    Raises InputError when there is no ClientHello in it.
    """
    if len(data) > MAX_CAPTURE_BYTES:
        raise InputError(
            f"{label}: {len(data)} bytes; at most {MAX_CAPTURE_BYTES} are read",
            hint="export the one packet that holds the ClientHello",
        )
    instead = ""
    for candidate in _candidates(data):
        try:
            hello = parse_client_hello(candidate)
        except TlsError as error:
            if error.kind == "ssl2":
                raise InputError(
                    f"{label}: {error.message}, which no phone of the catalogue sends",
                    hint="an old client's SSL 2 compatible hello is no TLS record: "
                    "capture the hello of the phone itself, or switch SSL 2 off there",
                ) from None
            if candidate is not data:
                instead = f": {error.message}"
            continue
        if hello is not None:
            return Hello(
                replace(hello, random=_NO_RANDOM, session_id=b""),
                f"captured: {label}",
                tuple(sorted(hello.versions)),
            )
    if (tree := _from_tree(data, label)) is not None:
        return tree
    raise InputError(
        f"{label}: no TLS ClientHello in it{instead}",
        hint="give the hello's bytes, raw, in hex or as a hex dump; a pcap file with "
        "it in one packet; or what openssl -msg, tshark -V or tshark -T json prints",
    )


def _from_tree(data: bytes, label: str) -> Hello | None:
    """The hello of a tree as Wireshark copies it; None: there is none."""
    try:
        found = hello_in_tree(data.decode("utf-8", errors="replace"))
    except (ValueError, TlsError) as error:
        raise InputError(
            f"{label}: the hello that is printed there cannot be built anew: {error}",
            hint="give its bytes: a pcap file, or copy them as a hex dump",
        ) from None
    if found is None:
        return None
    hello, left_out = found
    without = f"; without {', '.join(left_out)}" if left_out else ""
    origin = f"captured: {label}, built anew from a print{without}"
    return Hello(hello, origin, tuple(sorted(hello.versions)))


def _candidates(data: bytes) -> Iterator[bytes]:
    text = re.sub(rb"[\s:,]|0x", b"", data)
    if re.fullmatch(rb"(?:[0-9A-Fa-f]{2})+", text):
        yield bytes.fromhex(text.decode("ascii"))
        return
    yield data
    yield from _within(data)
    for printed in printed_bytes(data):
        yield from _within(printed)


def _within(data: bytes) -> Iterator[bytes]:
    # In a pcap or pcapng file the hello stands somewhere in a packet's payload: a
    # handshake record (22, 3, 0..3) whose message is a ClientHello (1).
    for found in re.finditer(rb"\x16\x03[\x00-\x03]", data):
        at = found.start()
        if len(data) < at + 6 or data[at + 5] != 1:
            continue
        (length,) = struct.unpack_from("!H", data, at + 3)
        yield data[at : at + 5 + length]
    for found in _SSL2_HELLO.finditer(data):
        if _is_ssl2_hello(data, found.start()):
            yield data[found.start() :]


_SSL2_HELLO: Final = re.compile(rb"[\x80-\xff].\x01(?=\x00\x02|\x03[\x00-\x03])", re.S)


def _is_ssl2_hello(data: bytes, at: int) -> bool:
    """Whether lengths fit together there (RFC 5246 §E.2, V2ClientHello)."""
    if len(data) < at + 11:
        return False
    length, _, _, suites, session, challenge = struct.unpack_from("!HBHHHH", data, at)
    return bool(
        length & 0x7FFF == 9 + suites + session + challenge
        and suites > 0
        and suites % 3 == 0
        and 16 <= challenge <= 32
    )
