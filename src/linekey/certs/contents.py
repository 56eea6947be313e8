"""What a certificate holds: keys, extensions and signature parameters, from their DER.

Each ``read_…`` takes the DER of one value and returns it, or raises CertificateError;
``Certificate`` asks them and decides what an unreadable value means.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from linekey.certs import algorithms as alg
from linekey.certs import der as asn1
from linekey.errors import CertificateError
from linekey.said import say

_MAX_KEY_BITS = 16_384  # OpenSSL's OPENSSL_RSA_MAX_MODULUS_BITS
_MAX_EXPONENT_BITS = 4_096  # Printed in decimal, where Python stops at 4,300 digits

EXPLICIT_CURVE = "explicit parameters"
"""``KeyInfo.curve`` of a curve that is spelled out, which RFC 5480 §2.1.1 forbids."""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A public key, as far as rules ask for it.

    ``kind`` is "rsa", "ec", "dsa", "ed25519", "ed448", the dotted identifier of
    another algorithm, or "unreadable". ``bits`` is the size of modulus, curve or
    prime, 0 when unknown. ``curve`` is the curve's name or dotted identifier.
    """

    kind: str
    bits: int
    curve: str | None = None
    modulus: int | None = field(default=None, repr=False)
    exponent: int | None = None

    @property
    def text(self) -> str:
        """For people: ``RSA-2048``, ``EC secp256r1``, ``ED25519``."""
        if self.kind == "ec":
            return f"EC {self.curve}"
        if self.kind in {"rsa", "dsa"}:
            return f"{self.kind.upper()}-{self.bits}"
        return self.kind.upper() if self.kind.startswith("ed") else self.kind


class AltNames(NamedTuple):
    """SubjectAltName's entries by kind; an address of no known length is left out."""

    dns: tuple[str, ...] = ()
    addresses: tuple[IPv4Address | IPv6Address, ...] = ()
    uris: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


def read_oid(der: bytes, start: int, stop: int, what: str) -> str:
    """An OBJECT IDENTIFIER element in dotted form."""
    start, stop = asn1.read_tagged(der, start, stop, asn1.OBJECT_IDENTIFIER, what)
    return asn1.dotted(der[start:stop])


def _whole(value: bytes, tag: int, what: str) -> tuple[int, int]:
    start, stop = asn1.read_tagged(value, 0, len(value), tag, what)
    if stop != len(value):
        raise CertificateError(say("%(what)s: bytes after its end", what=what))
    return start, stop


def read_octets(value: bytes) -> bytes:
    """SubjectKeyIdentifier (RFC 5280 §4.2.1.2)."""
    return value[slice(*_whole(value, asn1.OCTET_STRING, "key identifier"))]


def read_authority_key_id(value: bytes) -> bytes | None:
    """AuthorityKeyIdentifier's keyIdentifier (RFC 5280 §4.2.1.1); None without it."""
    start, stop = _whole(value, asn1.SEQUENCE, "authority key identifier")
    for tag, at, end in asn1.read_all(value, start, stop):
        if tag == 0x80:
            return value[at:end]
    return None


def read_authority_serial(value: bytes) -> tuple[bytes | None, int | None]:
    """AuthorityKeyIdentifier's issuer and serial number (RFC 5280 §4.2.1.1).

    The issuer is the first directoryName's DER, as OpenSSL takes it; None each where
    it is not there.
    """
    start, stop = _whole(value, asn1.SEQUENCE, "authority key identifier")
    name, serial = None, None
    for tag, at, end in asn1.read_all(value, start, stop):
        if tag == 0xA1:
            names = asn1.read_all(value, at, end)
            name = next((value[a:b] for kind, a, b in names if kind == 0xA4), None)
        elif tag == 0x82:
            serial = asn1.read_integer(value[at:end], "authority's serial number")
    return name, serial


def read_basic_constraints(value: bytes) -> tuple[bool, int | None]:
    """BasicConstraints (RFC 5280 §4.2.1.9): cA and pathLenConstraint."""
    start, stop = _whole(value, asn1.SEQUENCE, "basic constraints")
    is_ca, length = False, None
    spans = asn1.read_all(value, start, stop)
    if spans and spans[0][0] == asn1.BOOLEAN:
        _, at, end = spans.pop(0)
        is_ca = any(value[at:end])
    if spans and spans[0][0] == asn1.INTEGER:
        _, at, end = spans.pop(0)
        length = asn1.read_integer(value[at:end], "path length")
    if spans:
        raise CertificateError(say("an unknown field"))
    return is_ca, length


def read_key_usage(value: bytes) -> frozenset[str]:
    """KeyUsage's bits by name (RFC 5280 §4.2.1.3)."""
    return _named_bits(value, alg.KEY_USAGES, "key usage")


def read_netscape_cert_type(value: bytes) -> frozenset[str]:
    """Netscape's certificate types, by OpenSSL's names."""
    return _named_bits(value, alg.NETSCAPE_CERT_TYPES, "Netscape certificate type")


def _named_bits(value: bytes, names: tuple[str, ...], what: str) -> frozenset[str]:
    start, stop = _whole(value, asn1.BIT_STRING, what)
    if stop == start or stop - start > 5:
        raise CertificateError(say("malformed BIT STRING"))
    bits = value[start + 1 : stop]
    return frozenset(
        name
        for number, name in enumerate(names)
        if number // 8 < len(bits) and bits[number // 8] & (0x80 >> number % 8)
    )


def read_extended_key_usage(value: bytes) -> tuple[str, ...]:
    """ExtendedKeyUsage's purposes, named or dotted (RFC 5280 §4.2.1.12)."""
    start, stop = _whole(value, asn1.SEQUENCE, "extended key usage")
    found = []
    for tag, at, end in asn1.read_all(value, start, stop):
        if tag != asn1.OBJECT_IDENTIFIER:
            raise CertificateError(say("a usage that is no object identifier"))
        oid = asn1.dotted(value[at:end])
        found.append(alg.EXTENDED_KEY_USAGES.get(oid, oid))
    return tuple(found)


def read_alt_names(value: bytes) -> AltNames:
    """SubjectAltName (RFC 5280 §4.2.1.6); IA5 bytes become Latin-1 characters."""
    start, stop = _whole(value, asn1.SEQUENCE, "alternative names")
    dns, addresses, uris, emails = [], [], [], []
    for tag, at, end in asn1.read_all(value, start, stop):
        content = value[at:end]
        if tag == 0x82:
            dns.append(content.decode("latin-1"))
        elif tag == 0x87 and len(content) in {4, 16}:
            addresses.append(ip_address(content))
        elif tag == 0x86:
            uris.append(content.decode("latin-1"))
        elif tag == 0x81:
            emails.append(content.decode("latin-1"))
        elif tag & 0x80 == 0 or tag & 0x1F > 8:
            raise CertificateError(
                say("no general name has DER tag 0x%(tag)s", tag=f"{tag:02x}")
            )
    return AltNames(tuple(dns), tuple(addresses), tuple(uris), tuple(emails))


def read_key(spki: bytes) -> KeyInfo:
    """SubjectPublicKeyInfo (RFC 5280 §4.1.2.7, RFC 3279 §2.3)."""
    start, stop = _whole(spki, asn1.SEQUENCE, "public key")
    algorithm, end = asn1.read_tagged(spki, start, stop, asn1.SEQUENCE, "algorithm")
    bits, bits_stop = asn1.read_tagged(spki, end, stop, asn1.BIT_STRING, "key")
    oid_span = asn1.read_tagged(
        spki, algorithm, end, asn1.OBJECT_IDENTIFIER, "key algorithm"
    )
    oid = asn1.dotted(spki[slice(*oid_span)])
    if bits == bits_stop or spki[bits]:
        raise CertificateError(say("key: malformed BIT STRING"))
    if oid in alg.RSA_KEYS:
        return _read_rsa_key(spki[bits + 1 : bits_stop])
    if oid == alg.EC_KEY:
        tag, at, curve_stop = asn1.read_span(spki, oid_span[1], end)
        if tag != asn1.OBJECT_IDENTIFIER:
            return KeyInfo("ec", 0, EXPLICIT_CURVE)
        curve = asn1.dotted(spki[at:curve_stop])
        name, size = alg.CURVES.get(curve, (curve, 0))
        return KeyInfo("ec", size, name)
    if oid == alg.DSA_KEY:
        if oid_span[1] == end:
            return KeyInfo("dsa", 0)  # parameters inherited from the issuer
        at, _ = asn1.read_tagged(spki, oid_span[1], end, asn1.SEQUENCE, "DSA key")
        at, number_stop = asn1.read_tagged(spki, at, end, asn1.INTEGER, "DSA prime")
        return KeyInfo("dsa", _positive(spki[at:number_stop]).bit_length())
    if oid in alg.EDWARDS_KEYS:
        return KeyInfo(*alg.EDWARDS_KEYS[oid])
    return KeyInfo(oid, 0)


def _read_rsa_key(der: bytes) -> KeyInfo:
    start, stop = _whole(der, asn1.SEQUENCE, "RSA key")
    numbers = [
        _positive(der[at:end])
        for tag, at, end in asn1.read_all(der, start, stop)
        if tag == asn1.INTEGER
    ]
    if len(numbers) != 2:
        raise CertificateError(say("RSA key: not two numbers"))
    modulus, exponent = numbers
    if exponent.bit_length() > _MAX_EXPONENT_BITS:
        raise CertificateError(say("RSA key: an exponent out of bounds"))
    return KeyInfo("rsa", modulus.bit_length(), None, modulus, exponent)


def _positive(content: bytes) -> int:
    number = asn1.read_integer(content, "key")
    if not 0 < number.bit_length() <= _MAX_KEY_BITS or number < 0:
        raise CertificateError(say("key: a number out of bounds"))
    return number


def read_pss_hash(der: bytes) -> str | None:
    """The hash of RSASSA-PSS-params (RFC 4055 §3.1); SHA-1 when it says none."""
    try:
        if not der:
            return "sha1"
        start, stop = asn1.read_tagged(der, 0, len(der), asn1.SEQUENCE, "PSS")
        for tag, at, end in asn1.read_all(der, start, stop):
            if tag == 0xA0:
                at, end = asn1.read_tagged(der, at, end, asn1.SEQUENCE, "PSS hash")
                return alg.HASHES.get(read_oid(der, at, end, "PSS hash"))
    except CertificateError:
        return None
    return "sha1"
