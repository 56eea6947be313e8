"""The ClientHello of a phone, derived from its matrix row. Derived, never captured.

The matrix tells versions and suites; the rest follows the OpenSSL line that such a row
looks like (``Row.era``), all of it inference (L) until somebody brings a capture:

- ``0.9.8`` (SSL 3 and TLS 1.0): no extension at all, so no server name either.
- ``1.0.0`` (TLS 1.0; one phone of such a row, a 710 with 8.7.5.13, was measured with
  OpenSSL 1.0.0c, M): an empty session ticket; curves only with EC suites, which the row
  has not; a server name only if the program sets one, read as not (L).
- ``1.0.1`` and ``1.0.2``: server name when a *name* is connected to (never an IP
  address, RFC 6066 §3), point formats, curves, an empty session ticket and, with TLS
  1.2, signature algorithms: the defaults and the order of those OpenSSL lines.
- Every hello ends its suites with TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746 §3.3),
  offers no compression, no ALPN, and resumes no session.
- The record says TLS 1.0 whatever is offered, as OpenSSL's first record does.

Rule: the random bytes are an argument; nothing here makes any.
"""

from dataclasses import dataclass, replace

from linekey.catalog.evidence import Rule
from linekey.catalog.matrix import TLS1_2, Row
from linekey.tls.hello import ClientHello, new_client_hello
from linekey.tls.suites import EMPTY_RENEGOTIATION_INFO_SCSV
from linekey.tls.versions import Version

EXTENSION_ORDER = (0, 11, 10, 35, 13)
"""Server name, point formats, curves, session ticket, signature algorithms: the order
in which OpenSSL 1.0 writes them."""
POINT_FORMATS = (0, 1, 2)
"""Uncompressed and both compressed forms, as OpenSSL 1.0 offers them."""


@dataclass(frozen=True, slots=True)
class Era:
    """What a line of OpenSSL adds to the hello by default."""

    groups: tuple[int, ...]
    """Curves by IANA number, in order; empty: no curve extension."""
    signature_algorithms: tuple[int, ...]
    """Pairs of hash and signature as TLS 1.2 numbers them; only sent with TLS 1.2."""
    session_ticket: bool
    """An empty session ticket is sent; False: the hello has no extension at all."""
    server_name: bool
    """The program sets the name it connects to (L for every line)."""


# SHA-512 down to SHA-1, each with RSA, DSA and ECDSA (RFC 5246 §7.4.1.4.1).
_SIGNATURES = tuple(
    digest << 8 | kind for digest in (6, 5, 4, 3, 2) for kind in (1, 2, 3)
)

ERAS: dict[str, Era] = {
    "0.9.8": Era((), (), session_ticket=False, server_name=False),
    "1.0.0": Era((), (), session_ticket=True, server_name=False),
    "1.0.1": Era(
        (14, 13, 25, 11, 12, 24, 9, 10, 22, 23, 8, 6, 7, 20, 21, 4, 5, 18, 19, 1, 2, 3,
         15, 16, 17),
        _SIGNATURES,
        session_ticket=True,
        server_name=True,
    ),
    "1.0.2": Era(
        (23, 25, 28, 27, 24, 26, 22, 14, 13, 11, 12, 9, 10),
        _SIGNATURES,
        session_ticket=True,
        server_name=True,
    ),
}  # fmt: skip

HELLO_RULES: tuple[Rule, ...] = (
    Rule(
        "hello.derived",
        "the ClientHello is derived from the matrix row, not captured from a phone",
        "inference: matrix row and OpenSSL's defaults of its time",
        "L",
    ),
    Rule(
        "hello.server_name",
        "the server name is sent by rows that speak TLS 1.2, for a name, never for an"
        " IP address; older rows send none",
        "inference; RFC 6066 §3",
        "L",
    ),
)
"""What is guessed about every hello, for reports."""


def sends_server_name(row: Row) -> bool:
    """Say whether a phone of this row sends the name it connects to (L)."""
    return ERAS[row.era].server_name


def sends_session_ticket(row: Row) -> bool:
    """Say whether a phone of this row asks for a session ticket (L)."""
    return ERAS[row.era].session_ticket


def groups_of(row: Row) -> tuple[int, ...]:
    """Return the curves a phone of this row offers, by IANA number, in order (L)."""
    return ERAS[row.era].groups if "ECDH" in row.key_exchange else ()


def signature_algorithms_of(row: Row) -> tuple[int, ...]:
    """Return the TLS 1.2 signature algorithms a phone of this row offers (L)."""
    return ERAS[row.era].signature_algorithms if TLS1_2 in row.versions else ()


def build_hello(row: Row, server_name: str | None, random: bytes) -> ClientHello:
    """Build the hello of a row, for a connection to ``server_name``.

    ``server_name`` is a host name or an IP address, or None for none; ``random`` is 32
    bytes, and ``tls.hello.build_client_hello`` refuses any other length. Raises
    UnicodeError for a text that cannot be a host name.
    """
    hello = new_client_hello(
        random=random,
        max_version=Version(row.versions[-1]),
        suites=(*row.suites, EMPTY_RENEGOTIATION_INFO_SCSV),
        server_name=server_name if sends_server_name(row) else None,
        groups=groups_of(row),
        signature_algorithms=signature_algorithms_of(row),
        point_formats=POINT_FORMATS,
        session_ticket=ERAS[row.era].session_ticket,
        record_version=Version.TLS1_0,
    )
    ordered = sorted(hello.extensions, key=lambda item: EXTENSION_ORDER.index(item[0]))
    return replace(hello, extensions=tuple(ordered))
