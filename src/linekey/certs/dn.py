"""Distinguished names, read from their RDNs.

A name is never taken from a printed string, nor split at commas: printed names come
in two orders (that of the encoding, and its reverse, as RFC 4514 and the phones print),
and values hold commas and slashes (CISCO-SPA). ``Name`` keeps its
DER; equality is equality of the DER, while ``matches`` compares as OpenSSL does when it
looks for an issuer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import final

from linekey.certs import der as asn1
from linekey.errors import CertificateError
from linekey.said import say
from linekey.words import choice_hint

Attribute = tuple[str, str]
"""Attribute type as a dotted identifier, and the value as text."""

SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.13": "description",
    "2.5.4.17": "postalCode",
    "2.5.4.41": "name",
    "2.5.4.42": "GN",
    "2.5.4.43": "initials",
    "2.5.4.45": "x500UniqueIdentifier",
    "2.5.4.46": "dnQualifier",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
    "1.2.840.113549.1.9.2": "unstructuredName",
}
"""OpenSSL's short names of the attribute types that device certificates use."""

OIDS = {short: oid for oid, short in SHORT_NAMES.items()}

_CODECS = {
    asn1.UTF8_STRING: "utf-8",
    asn1.BMP_STRING: "utf-16-be",
    asn1.UNIVERSAL_STRING: "utf-32-be",
    # Read as Latin-1 by OpenSSL, whatever the standards allow in them.
    asn1.PRINTABLE_STRING: "latin-1",
    asn1.IA5_STRING: "latin-1",
    asn1.T61_STRING: "latin-1",
    asn1.VISIBLE_STRING: "latin-1",
    asn1.NUMERIC_STRING: "latin-1",
}
# The types whose case and spaces OpenSSL ignores when it compares names.
_FOLDED = _CODECS.keys() - {asn1.NUMERIC_STRING}

_MAX_ATTRIBUTES = 256  # OpenSSL limits a name by size (1 MiB); ours is for the reader


@final
@dataclass(frozen=True, slots=True)
class Name:
    """A subject or an issuer.

    ``rdns`` holds one tuple for each RDN, in the order of the encoding; an RDN of
    several attributes holds several pairs. A value that is not a string type is
    written ``#`` and the hex of its DER (RFC 4514 §2.4); bytes that a string's own
    encoding forbids become U+FFFD.
    """

    der: bytes
    rdns: tuple[tuple[Attribute, ...], ...] = field(compare=False)
    _canonical: tuple[frozenset[tuple[str, int, bytes]], ...] | None = field(
        default=None, compare=False, repr=False
    )
    _text: str | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_der(cls, der: bytes) -> "Name":
        """Read a Name (RFC 5280 §4.1.2.4). Raises CertificateError."""
        return _load(bytes(der))

    @classmethod
    def build(cls, rdns: Sequence[Sequence[Attribute] | Attribute]) -> "Name":
        """Write a name; an entry is one ``(type, value)`` pair or several for one RDN.

        A type is a short name such as ``CN`` or a dotted identifier. ``C``, ``DC``
        and ``emailAddress`` get the string types of RFC 5280, all else UTF8String.
        Raises CertificateError for an unknown type.
        """
        encoded = []
        for entry in rdns:
            pairs = [entry] if isinstance(entry[0], str) else list(entry)
            attributes = sorted(_write_attribute(*pair) for pair in pairs)
            encoded.append(asn1.write(asn1.SET, *attributes))
        return cls.from_der(asn1.write(asn1.SEQUENCE, *encoded))

    def values(self, attribute: str) -> tuple[str, ...]:
        """All values of one attribute type, in order: ``values("CN")``.

        ``attribute`` is a short name of SHORT_NAMES or a dotted identifier. Raises
        CertificateError for a name that is neither.
        """
        oid = _oid(attribute)
        return tuple(v for rdn in self.rdns for kind, v in rdn if kind == oid)

    def matches(self, other: "Name") -> bool:
        """Whether OpenSSL takes both for the same name.

        String types of either kind are compared without regard to their encoding, to
        ASCII case, and to leading, trailing and repeated spaces.
        """
        return self.der == other.der or self.canonical == other.canonical

    @property
    def canonical(self) -> tuple[frozenset[tuple[str, int, bytes]], ...]:
        """A value that is equal for two names exactly when they ``match``; hashable."""
        if self._canonical is None:
            object.__setattr__(self, "_canonical", _canonical(self.der))
        assert self._canonical is not None
        return self._canonical

    def __str__(self) -> str:
        """As the phones print names: the last RDN first, ``emailAddress=…,CN=…,C=…``.

        That is RFC 4514 §2.1, and nginx's ``$ssl_client_s_dn``. Special characters are
        escaped as in RFC 4514 §2.4, so one line is one name; what cannot be seen
        (controls, direction marks) is written ``\\XX``.
        """
        if self._text is None:
            text = ",".join(
                "+".join(
                    f"{SHORT_NAMES.get(t, t)}={escape_value(v)}"
                    for t, v in reversed(rdn)
                )
                for rdn in reversed(self.rdns)
            )
            object.__setattr__(self, "_text", text)
        assert self._text is not None
        return self._text

    def __bool__(self) -> bool:
        return bool(self.rdns)


@lru_cache(maxsize=1024)
def _load(der: bytes) -> Name:
    rdns = []
    count = 0
    start, stop = asn1.read_tagged(der, 0, len(der), asn1.SEQUENCE, "name")
    if stop != len(der):
        raise CertificateError(say("name: bytes after its end"))
    while start < stop:
        at, rdn_stop = asn1.read_tagged(der, start, stop, asn1.SET, "RDN")
        start = rdn_stop
        rdn = []
        while at < rdn_stop:
            here, at = asn1.read_tagged(der, at, rdn_stop, 0x30, "RDN attribute")
            oid_start, oid_stop = asn1.read_tagged(
                der, here, at, asn1.OBJECT_IDENTIFIER, "attribute type"
            )
            tag, value_start, value_stop = asn1.read_span(der, oid_stop, at)
            if value_stop != at:
                raise CertificateError(say("RDN attribute: bytes after its value"))
            oid = asn1.dotted(der[oid_start:oid_stop])
            codec = _CODECS.get(tag)
            if codec is None:
                value = "#" + der[oid_stop:value_stop].hex()
            else:
                value = der[value_start:value_stop].decode(codec, "replace")
            rdn.append((oid, value))
            count += 1
        if rdn:  # OpenSSL reads over one without attributes
            rdns.append(tuple(rdn))
    if count > _MAX_ATTRIBUTES:
        raise CertificateError(say("a name of %(count)s attributes", count=count))
    return Name(der, tuple(rdns))


def _oid(attribute: str) -> str:
    if oid := OIDS.get(attribute):
        return oid
    if attribute[:1].isdigit():
        return attribute
    raise CertificateError(
        say("unknown attribute type: %(attribute)s", attribute=repr(attribute)),
        hint=say(
            "%(choice)s, or a dotted identifier", choice=choice_hint(attribute, OIDS)
        ),
    )


def _write_attribute(attribute: str, value: str) -> bytes:
    oid = _oid(attribute)
    tag = asn1.UTF8_STRING
    if SHORT_NAMES.get(oid) in {"C", "serialNumber", "dnQualifier"}:
        tag = asn1.PRINTABLE_STRING
    elif SHORT_NAMES.get(oid) in {"DC", "emailAddress"}:
        tag = asn1.IA5_STRING
    if tag != asn1.UTF8_STRING and not value.isascii():
        tag = asn1.UTF8_STRING
    return asn1.write(
        asn1.SEQUENCE, asn1.write_oid(oid), asn1.write(tag, value.encode("utf-8"))
    )


def _canonical(der: bytes) -> tuple[frozenset[tuple[str, int, bytes]], ...]:
    """OpenSSL's canonical form (x509_name_canon): folded strings, other types raw."""
    rdns = []
    _, start, stop = asn1.read_span(der, 0, len(der))
    for _, rdn_start, rdn_stop in asn1.read_all(der, start, stop):
        rdn = set()
        for _, at, end in asn1.read_all(der, rdn_start, rdn_stop):
            _, oid_start, oid_stop = asn1.read_span(der, at, end)
            tag, value_start, value_stop = asn1.read_span(der, oid_stop, end)
            value = der[value_start:value_stop]
            if tag in _FOLDED:
                value = value.decode(_CODECS[tag], "replace").encode("utf-8", "replace")
                tag = asn1.UTF8_STRING
                value = b" ".join(value.split()).lower()
            rdn.add((asn1.dotted(der[oid_start:oid_stop]), tag, value))
        rdns.append(frozenset(rdn))
    return tuple(rdns)


_SPECIAL = re.compile(r'[\\,+"<>;]')


def escape_value(value: str) -> str:
    """A value as RFC 4514 §2.4 writes it; what cannot be seen becomes ``\\XX``."""
    text = _SPECIAL.sub(r"\\\g<0>", value)
    if not text.isprintable():
        text = "".join(
            c
            if c.isprintable()
            else "".join(f"\\{b:02X}" for b in c.encode("utf-8", "replace"))
            for c in text
        )
    if text.startswith((" ", "#")):
        text = "\\" + text
    if text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1] + "\\ "
    return text
