"""The versions of SSL and TLS, with their numbers on the wire (RFC 8446 §4.2.1)."""

from enum import IntEnum


class Version(IntEnum):
    """A protocol version; ordered, and equal to its number on the wire."""

    SSL3 = 0x0300
    TLS1_0 = 0x0301
    TLS1_1 = 0x0302
    TLS1_2 = 0x0303
    TLS1_3 = 0x0304

    @property
    def label(self) -> str:
        """As OpenSSL and nginx spell it: ``TLSv1.2``, and ``TLSv1`` for 1.0."""
        return _LABELS[self]


BY_NUMBER: dict[int, Version] = {version.value: version for version in Version}
"""By the number on the wire: what ``Version(number)`` finds, in a third of the time."""

_LABELS = {
    Version.SSL3: "SSLv3",
    Version.TLS1_0: "TLSv1",
    Version.TLS1_1: "TLSv1.1",
    Version.TLS1_2: "TLSv1.2",
    Version.TLS1_3: "TLSv1.3",
}

_SPELLINGS = {
    spelling: version
    for version, number in zip(Version, ("3", "1.0", "1.1", "1.2", "1.3"), strict=True)
    for prefix in (("ssl", "sslv") if version is Version.SSL3 else ("tls", "tlsv"))
    for spelling in (
        prefix + number,
        *((prefix + "1",) if number == "1.0" else ()),
        *((prefix + "3.0",) if number == "3" else ()),
    )
}


def is_grease(number: int) -> bool:
    """Whether this 16-bit number is one of RFC 8701's, sent to mean nothing."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def label_of(number: int) -> str:
    """Name a version number from the wire, also one that nobody registered."""
    try:
        return Version(number).label
    except ValueError:
        return f"version 0x{number:04x}"


def parse_version(text: str) -> Version:
    """Read "TLS 1.2", "TLSv1.2", "tls1.2", "SSL 3" and the like, in any case.

    Raises ValueError for anything else.
    """
    try:
        return _SPELLINGS["".join(text.lower().split())]
    except KeyError:
        raise ValueError(f"no TLS version is called {text!r}") from None
