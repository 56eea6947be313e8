"""One certificate, as a value.

Rules kept here:

- ``Certificate.from_der`` reads any bytes into a Certificate or raises
  CertificateError, and nothing else. What it checks is the frame: the fields of RFC
  5280 §4.1, both names, both dates.
- Everything inside is read when asked for, and never raises: an extension or a key
  that cannot be read counts as absent, as OpenSSL's X509_get_ext_d2i has it.
- The reader is our own, since `cryptography` refuses what phones and OpenSSL take
  (a negative serial number, an RSA key below 1024 bits, a bad country code); ``x509``
  and ``openssl`` load the certificate there, and may refuse it.

Two certificates are equal when their DER is. Nothing here judges.
"""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, TypeVar, final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from OpenSSL import crypto

from linekey.certs import algorithms as alg
from linekey.certs import der as asn1
from linekey.certs.contents import (
    AltNames,
    KeyInfo,
    read_alt_names,
    read_authority_key_id,
    read_authority_serial,
    read_basic_constraints,
    read_extended_key_usage,
    read_key,
    read_key_usage,
    read_netscape_cert_type,
    read_octets,
    read_oid,
    read_pss_hash,
)
from linekey.certs.dn import Name, escape_value
from linekey.errors import CertificateError
from linekey.said import say

__all__ = ["Certificate", "Extension", "KeyInfo"]

MAX_CERTIFICATE_BYTES = 102_400
"""OpenSSL's default limit for a whole chain (SSL_CTX_set_max_cert_list)."""

_MAX_VERSION_BYTES = 16  # of an INTEGER that is always one byte, head included

_NEVER_BEGUN = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_LONG_OVER = datetime(1, 1, 1, tzinfo=UTC)

_T = TypeVar("_T")


class Extension(NamedTuple):
    """An extension's criticality and the DER of its value."""

    critical: bool
    value: bytes


class _Fields(NamedTuple):
    """The frame: content spans into the DER, and what is read at once."""

    version: int
    serial: int
    not_before: datetime
    not_after: datetime
    strict_times: bool
    readable_times: bool
    tbs: tuple[int, int]
    issuer: tuple[int, int]
    subject: tuple[int, int]
    key: tuple[int, int]
    inner_algorithm: tuple[int, int]
    algorithm: tuple[int, int]
    algorithm_oid: str
    signature: tuple[int, int]
    extensions: dict[bytes, Extension | None]


@final
@dataclass(frozen=True, repr=False)
class Certificate:
    """An X.509 certificate; make one with ``from_der``."""

    der: bytes
    """The whole certificate, byte for byte as it came; where that was BER with
    indefinite lengths, with definite ones, as OpenSSL keeps it."""
    subject: Name = field(compare=False)
    issuer: Name = field(compare=False)
    _fields: _Fields = field(compare=False)

    @classmethod
    def from_der(cls, der: bytes) -> "Certificate":
        """Read one certificate that fills ``der`` exactly.

        Raises CertificateError for anything else, and only that. The last 512 are
        kept: a server sees the same intermediates with every phone.
        """
        der = bytes(der)
        if der[:2] == b"\x30\x80":
            der = asn1.write_definite(der[:MAX_CERTIFICATE_BYTES])
        return _load(der)

    @classmethod
    def from_openssl(cls, certificate: crypto.X509) -> "Certificate":
        """Read what pyOpenSSL holds, a peer's certificate for one.

        Raises CertificateError, for what OpenSSL takes and we do not.
        """
        try:
            der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        except crypto.Error as error:
            raise CertificateError(
                say(
                    "OpenSSL gives no DER of the certificate: %(reasons)s",
                    reasons=_reasons(error),
                )
            ) from error
        made = cls.from_der(der)
        made.__dict__.setdefault("openssl", certificate)  # it is loaded already
        return made

    @property
    def serial(self) -> int:
        """The serial number; negative when its DER says so."""
        return self._fields.serial

    @property
    def version(self) -> int:
        """1, 2 or 3, as people count them (the DER says one less); else a defect."""
        return self._fields.version

    @property
    def not_before(self) -> datetime:
        """First second of validity, UTC; in 9999 where its field holds no date."""
        return self._fields.not_before

    @property
    def not_after(self) -> datetime:
        """Last second of validity, UTC; in the year 1 where its field holds no date."""
        return self._fields.not_after

    @property
    def strict_times(self) -> bool:
        """Both dates are written as RFC 5280 §4.1.2.5 has it; OpenSSL 1.0.2s and since
        1.1.0 takes no others.
        """
        return self._fields.strict_times

    @property
    def readable_times(self) -> bool:
        """Both dates can be read by some OpenSSL; else they stand for "never"."""
        return self._fields.readable_times

    @property
    def tbs(self) -> bytes:
        """The signed part, DER."""
        return self.der[slice(*self._fields.tbs)]

    @property
    def public_key_der(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return self.der[slice(*self._fields.key)]

    @cached_property
    def public_key_sha256(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo, lower-case hex."""
        return hashlib.sha256(self.public_key_der).hexdigest()

    @cached_property
    def signature(self) -> bytes:
        """The signature's bytes, without the BIT STRING's leading count."""
        return self.der[slice(*self._fields.signature)]

    @cached_property
    def x509(self) -> x509.Certificate:
        """As `cryptography` has it. Raises CertificateError where it refuses."""
        try:
            with warnings.catch_warnings():
                # It warns of a serial number 0, which roots in use have.
                warnings.simplefilter("ignore", CryptographyDeprecationWarning)
                return x509.load_der_x509_certificate(self.der)
        except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
            raise CertificateError(
                say("certificate cannot be loaded: %(error)s", error=error)
            ) from error

    @cached_property
    def openssl(self) -> crypto.X509:
        """As OpenSSL has it. Raises CertificateError where it refuses."""
        try:
            return crypto.load_certificate(crypto.FILETYPE_ASN1, self.der)
        except crypto.Error as error:
            raise CertificateError(
                say(
                    "certificate cannot be loaded by OpenSSL: %(reasons)s",
                    reasons=_reasons(error),
                )
            ) from error

    # -- fingerprints ---------------------------------------------------------

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the DER, lower-case hex."""
        return hashlib.sha256(self.der).hexdigest()

    @cached_property
    def sha1(self) -> str:
        """SHA-1 of the DER, lower-case hex: what the phone's pages print."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest()

    @cached_property
    def md5(self) -> str:
        """MD5 of the DER, lower-case hex: what the phone's pages print."""
        return hashlib.md5(self.der, usedforsecurity=False).hexdigest()

    # -- names ----------------------------------------------------------------

    @cached_property
    def label(self) -> str:
        """What a sentence calls it: its subject, or what stands in for an empty one.

        An empty subject is legal where a critical subjectAltName names the server (RFC
        5280 §4.1.2.6); then its first name stands here as OpenSSL prints it,
        ``DNS:sip.example.com``. A certificate without any name is called by its serial.
        """
        if self.subject:
            return str(self.subject)
        alt = self._alt_names
        for kind, names in (
            ("DNS", alt.dns),
            ("IP Address", alt.addresses),
            ("URI", alt.uris),
            ("email", alt.emails),
        ):
            if names:
                return f"{kind}:{escape_value(str(names[0]))}"
        return say(
            "a certificate without a name (serial %(serial)s)",
            serial=f"{self.serial:x}",
        )

    @property
    def issuer_label(self) -> str:
        """What a sentence calls its issuer; an empty name is said to be one."""
        return str(self.issuer) or say("an issuer without a name")

    @property
    def common_names(self) -> tuple[str, ...]:
        """Every CN of the subject, in order."""
        return self.subject.values("CN")

    @property
    def self_issued(self) -> bool:
        """Subject and issuer are the same name (RFC 5280 §6.1). No proof of a root."""
        return self.subject.matches(self.issuer)

    @cached_property
    def _alt_names(self) -> AltNames:
        return self._read(alg.SUBJECT_ALT_NAME, read_alt_names) or AltNames()

    @property
    def dns_names(self) -> tuple[str, ...]:
        """SAN dNSName values, each byte one character (Latin-1), NULs and all."""
        return self._alt_names.dns

    @property
    def ip_addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """SAN iPAddress values; those of another length than 4 or 16 are left out."""
        return self._alt_names.addresses

    @property
    def uris(self) -> tuple[str, ...]:
        """SAN uniformResourceIdentifier values (RFC 5922: SIP domains)."""
        return self._alt_names.uris

    @property
    def emails(self) -> tuple[str, ...]:
        """SAN rfc822Name values."""
        return self._alt_names.emails

    # -- key and signature ----------------------------------------------------

    @cached_property
    def key(self) -> KeyInfo:
        """The subject's public key."""
        try:
            return read_key(self.public_key_der)
        except CertificateError:
            return KeyInfo("unreadable", 0)

    @cached_property
    def _signature_names(self) -> tuple[str, str | None]:
        oid = self._fields.algorithm_oid
        if oid == alg.RSASSA_PSS:
            start, stop = self._fields.algorithm
            _, _, start = asn1.read_span(self.der, start, stop)
            return "rsassaPss", read_pss_hash(self.der[start:stop])
        return alg.SIGNATURES.get(oid, (oid, None))

    @property
    def same_algorithms(self) -> bool:
        """Both places name the same signature algorithm (RFC 5280 §4.1.1.2)."""
        fields = self._fields
        outer, inner = fields.algorithm, fields.inner_algorithm
        return self.der[slice(*outer)] == self.der[slice(*inner)]

    @property
    def signature_algorithm(self) -> str:
        """OpenSSL's long name (``sha1WithRSAEncryption``), else dotted."""
        return self._signature_names[0]

    @property
    def signature_hash(self) -> str | None:
        """ "sha1", "sha256", "md5" …; None for Ed25519 and for unknown algorithms."""
        return self._signature_names[1]

    # -- extensions -----------------------------------------------------------

    @property
    def extensions(self) -> dict[str, Extension]:
        """By dotted identifier, in the certificate's order; without those that stand
        twice.
        """
        return {
            asn1.dotted(oid): extension
            for oid, extension in self._fields.extensions.items()
            if extension is not None
        }

    def _read(self, oid: bytes, reader: Callable[[bytes], _T]) -> _T | None:
        extension = self._fields.extensions.get(oid)
        if extension is None:
            return None
        try:
            return reader(extension.value)
        except CertificateError:
            return None

    @cached_property
    def _basic_constraints(self) -> tuple[bool, int | None] | None:
        return self._read(alg.BASIC_CONSTRAINTS, read_basic_constraints)

    @property
    def is_ca(self) -> bool | None:
        """BasicConstraints' cA; None without (readable) basicConstraints."""
        return None if self._basic_constraints is None else self._basic_constraints[0]

    @property
    def path_length(self) -> int | None:
        """BasicConstraints' pathLenConstraint; None when there is none."""
        return None if self._basic_constraints is None else self._basic_constraints[1]

    @property
    def subject_key_id(self) -> bytes | None:
        """SubjectKeyIdentifier, or None."""
        return self._read(alg.SUBJECT_KEY_ID, read_octets)

    @property
    def authority_key_id(self) -> bytes | None:
        """AuthorityKeyIdentifier's keyIdentifier, or None."""
        return self._read(alg.AUTHORITY_KEY_ID, read_authority_key_id)

    @cached_property
    def authority_serial(self) -> tuple[Name | None, int | None]:
        """AuthorityKeyIdentifier's issuer and serial number, each where it is there."""
        found = self._read(alg.AUTHORITY_KEY_ID, read_authority_serial) or (None, None)
        try:
            return None if found[0] is None else Name.from_der(found[0]), found[1]
        except CertificateError:
            return None, found[1]

    @cached_property
    def key_usage(self) -> frozenset[str] | None:
        """KeyUsage by RFC 5280's names; None without the extension."""
        return self._read(alg.KEY_USAGE, read_key_usage)

    @cached_property
    def extended_key_usage(self) -> tuple[str, ...] | None:
        """ExtendedKeyUsage (``serverAuth``, else dotted); None without it."""
        return self._read(alg.EXTENDED_KEY_USAGE, read_extended_key_usage)

    @cached_property
    def netscape_cert_type(self) -> frozenset[str] | None:
        """NsCertType by OpenSSL's names (``client``, ``sslCA``); None without it."""
        return self._read(alg.NETSCAPE_CERT_TYPE, read_netscape_cert_type)

    def is_unreadable(self, extension: bytes) -> bool:
        """Whether an extension is there, but twice or with a value that says nothing.

        ``extension`` is one of ``algorithms``'s: of those that this class reads.
        """
        if extension not in self._fields.extensions:
            return False
        return self._read(extension, _READERS[extension][1]) is None

    def __repr__(self) -> str:
        return f"<Certificate {self.label} sha256={self.sha256[:16]}>"


@lru_cache(maxsize=512)
def _load(der: bytes) -> Certificate:
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise CertificateError(
            say(
                "certificate of %(count)s bytes; the limit is %(limit)s",
                count=len(der),
                limit=MAX_CERTIFICATE_BYTES,
            )
        )
    fields = _read_fields(der)
    return Certificate(
        der,
        Name.from_der(der[slice(*fields.subject)]),
        Name.from_der(der[slice(*fields.issuer)]),
        fields,
    )


def _reasons(error: crypto.Error) -> str:
    """pyOpenSSL's error stack as one clause."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(entry[2] or entry[0] for entry in entries) or "no reason given"


def _read_fields(der: bytes) -> _Fields:
    """The frame of RFC 5280 §4.1, strictly in its order."""
    if not der:
        raise CertificateError(say("no certificate: empty input"))
    if der[0] != asn1.SEQUENCE:
        raise CertificateError(
            say("not a DER certificate: it begins with %(der)s", der=repr(der[:12])),
            hint=say("a certificate is DER, PEM, or the base64 between PEM's markers"),
        )
    size = len(der)
    start, stop = asn1.read_tagged(der, 0, size, asn1.SEQUENCE, "certificate")
    if stop != size:
        raise CertificateError(
            say("%(size)s bytes after the certificate's end", size=size - stop),
            hint=say(
                "one DER file holds one certificate; write several as PEM, one after "
                "the other: openssl x509 -inform DER -in FILE"
            ),
        )
    at, tbs_stop = asn1.read_tagged(der, start, stop, asn1.SEQUENCE, "TBSCertificate")
    tbs = (start, tbs_stop)
    algorithm = asn1.read_tagged(
        der, tbs_stop, stop, asn1.SEQUENCE, "signature algorithm"
    )
    signature = asn1.read_tagged(der, algorithm[1], stop, asn1.BIT_STRING, "signature")
    if signature[1] != stop:
        raise CertificateError(say("bytes after the signature"))
    if signature[0] == signature[1] or der[signature[0]] > 7:
        raise CertificateError(say("signature: malformed BIT STRING"))
    signature = (signature[0] + 1, signature[1])

    version = 1
    tag, here, after = asn1.read_span(der, at, tbs_stop)
    if tag == 0xA0:
        number = asn1.read_tagged(der, here, after, asn1.INTEGER, "version")
        version = asn1.read_integer(der[slice(*number)], "version") + 1
        # OpenSSL takes any number for a version and minds only the first.
        if number[1] != after or after - here > _MAX_VERSION_BYTES:
            raise CertificateError(say("version: no INTEGER of a usable size"))
        tag, here, after = asn1.read_span(der, after, tbs_stop)
    if tag != asn1.INTEGER:
        raise CertificateError(
            say("serial number: found DER tag 0x%(tag)s", tag=f"{tag:02x}")
        )
    # An empty one is 0 up to OpenSSL 1.0.2.
    serial = int.from_bytes(der[here:after], "big", signed=True)

    inner_algorithm = asn1.read_tagged(
        der, after, tbs_stop, asn1.SEQUENCE, "inner signature algorithm"
    )
    issuer_at = inner_algorithm[1]
    _, issuer_stop = asn1.read_tagged(der, issuer_at, tbs_stop, asn1.SEQUENCE, "issuer")
    at, validity_stop = asn1.read_tagged(
        der, issuer_stop, tbs_stop, asn1.SEQUENCE, "validity"
    )
    tag, here, after = asn1.read_span(der, at, validity_stop)
    not_before = asn1.read_time(tag, der[here:after], "notBefore")
    strict = asn1.is_strict_time(tag, der[here:after])
    tag, here, after = asn1.read_span(der, after, validity_stop)
    not_after = asn1.read_time(tag, der[here:after], "notAfter")
    strict &= asn1.is_strict_time(tag, der[here:after])
    readable = not_before is not None and not_after is not None
    if after != validity_stop:
        raise CertificateError(say("validity: bytes after notAfter"))
    _, subject_stop = asn1.read_tagged(
        der, validity_stop, tbs_stop, asn1.SEQUENCE, "subject"
    )
    _, key_stop = asn1.read_tagged(
        der, subject_stop, tbs_stop, asn1.SEQUENCE, "public key"
    )
    return _Fields(
        version,
        serial,
        not_before or _NEVER_BEGUN,
        not_after or _LONG_OVER,
        strict and readable,
        readable,
        tbs,
        (issuer_at, issuer_stop),
        (validity_stop, subject_stop),
        (subject_stop, key_stop),
        inner_algorithm,
        algorithm,
        read_oid(der, *algorithm, "signature algorithm"),
        signature,
        _read_rest(der, key_stop, tbs_stop),
    )


def _read_rest(der: bytes, at: int, stop: int) -> dict[bytes, Extension | None]:
    """What may follow the key: unique identifiers, then the extensions."""
    found: dict[bytes, Extension | None] = {}
    last = 0x80
    while at < stop:
        tag, start, at = asn1.read_span(der, at, stop)
        if tag & 0x9F <= last or tag not in {0x81, 0xA1, 0x82, 0xA2, 0xA3}:
            raise CertificateError(
                say("unexpected field with DER tag 0x%(tag)s", tag=f"{tag:02x}")
            )
        last = tag & 0x9F
        if tag != 0xA3:
            continue
        start, end = asn1.read_tagged(der, start, at, asn1.SEQUENCE, "extensions")
        if end != at:
            raise CertificateError(say("bytes after the extensions"))
        while start < end:
            here, start = asn1.read_tagged(der, start, end, asn1.SEQUENCE, "extension")
            oid_start, oid_stop = asn1.read_tagged(
                der, here, start, asn1.OBJECT_IDENTIFIER, "extension type"
            )
            oid = der[oid_start:oid_stop]
            asn1.dotted(oid)  # refuses a malformed one
            tag, here, after = asn1.read_span(der, oid_stop, start)
            critical = False
            if tag == asn1.BOOLEAN:
                critical = der[here:after] != b"\x00"
                tag, here, after = asn1.read_span(der, after, start)
            if tag != asn1.OCTET_STRING or after != start:
                raise CertificateError(say("extension: its value is no OCTET STRING"))
            extension = Extension(critical, der[here:after])
            found[oid] = None if oid in found else extension
    return found


_READERS: dict[bytes, tuple[str, Callable[[bytes], object]]] = {
    alg.SUBJECT_ALT_NAME: ("subjectAltName", read_alt_names),
    alg.BASIC_CONSTRAINTS: ("basicConstraints", read_basic_constraints),
    alg.SUBJECT_KEY_ID: ("subjectKeyIdentifier", read_octets),
    alg.AUTHORITY_KEY_ID: ("authorityKeyIdentifier", read_authority_key_id),
    alg.KEY_USAGE: ("keyUsage", read_key_usage),
    alg.EXTENDED_KEY_USAGE: ("extendedKeyUsage", read_extended_key_usage),
    alg.NETSCAPE_CERT_TYPE: ("nsCertType", read_netscape_cert_type),
}
