"""Issue certificates, of the kinds that phones have: SHA-1, MD5 and version 1 too.

- The TBSCertificate is written here and signed as bytes, one way for every hash and
  version: `cryptography`'s builder signs with neither SHA-1 nor MD5 and knows version 3
  only, and pyOpenSSL's ``X509.sign`` is deprecated.
- Nothing here reads a clock or draws a number: dates and the serial are arguments.
- What is issued is read back by ``Certificate.from_der`` before it is handed out.

Extensions are in the order subjectKeyIdentifier, authorityKeyIdentifier,
basicConstraints, keyUsage, extendedKeyUsage, subjectAltName, then the caller's own.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (
    dsa,
    ec,
    ed448,
    ed25519,
    padding,
    rsa,
)

from linekey.certs import algorithms as alg
from linekey.certs import der as asn1
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey
from linekey.errors import CertificateError

PublicKey = (
    rsa.RSAPublicKey
    | ec.EllipticCurvePublicKey
    | dsa.DSAPublicKey
    | ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
)
"""The public keys that a certificate of ours can hold."""

HashName = Literal["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),  # noqa: S303 - a lab CA must look like the oldest phones
    "sha1": hashes.SHA1(),  # noqa: S303 - see above
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_SIGNATURE_OIDS = {
    (family, digest): oid
    for oid, (name, digest) in alg.SIGNATURES.items()
    for family, begins, ends in (
        ("rsa", "", "WithRSAEncryption"),
        ("ecdsa", "ecdsa-with-", ""),
        ("dsa", "dsa", ""),
    )
    if digest is not None
    and name.startswith(begins)
    and name.endswith(ends)
    # OpenSSL does not verify DSA with more than SHA-256.
    and (family, digest) not in {("dsa", "sha384"), ("dsa", "sha512")}
}
_CURVES: dict[str, Callable[[], ec.EllipticCurve]] = {
    "secp256r1": ec.SECP256R1,
    "secp384r1": ec.SECP384R1,
    "secp521r1": ec.SECP521R1,
}

RawExtension = tuple[str, bool, bytes]
"""Dotted identifier, criticality, DER of the value."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs: a certificate and its private key, which no repr shows."""

    certificate: Certificate
    key: PrivateKey = field(repr=False, compare=False)


def new_key(kind: str = "rsa", size: int | str = 2048) -> PrivateKey:
    """Make a private key: ("rsa" or "dsa", bits), ("ec", curve), ("ed25519", 0).

    RSA from 1024 bits on; RSA-2048 takes some 100 ms. Raises CertificateError for
    another kind, size or curve.
    """
    try:
        if kind == "rsa" and isinstance(size, int):
            return rsa.generate_private_key(65537, size)
        if kind == "ec" and isinstance(size, str) and size in _CURVES:
            return ec.generate_private_key(_CURVES[size]())
        if kind == "dsa" and isinstance(size, int):
            return dsa.generate_private_key(size)
        if kind == "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"no {kind} key of {size!r}: {error}") from error
    raise CertificateError(
        f"no key of kind {kind!r} and size {size!r}",
        hint=f"rsa or dsa with bits, ec with one of {', '.join(_CURVES)}, or ed25519",
    )


def issue(
    subject: Name,
    key: PublicKey | PrivateKey,
    issuer: Issuer | None,
    *,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    hash: HashName = "sha256",
    version: int = 3,
    ca: bool | None = None,
    path_length: int | None = None,
    ca_critical: bool = False,
    key_ids: bool = True,
    key_usage: Iterable[str] = (),
    extended_key_usage: Iterable[str] = (),
    dns_names: Iterable[str] = (),
    ip_addresses: Iterable[IPv4Address | IPv6Address] = (),
    uris: Iterable[str] = (),
    extensions: Sequence[RawExtension] = (),
) -> Certificate:
    """Issue one certificate.

    ``key`` is the subject's; with ``issuer`` None the certificate is self-signed and it
    must be the private one. Dates must be aware. ``ca`` None leaves basicConstraints
    out; it is not critical unless ``ca_critical``, and there is no keyUsage unless
    asked for, as in the vendor's own (SNOM-CA, H). ``key_ids`` writes
    subjectKeyIdentifier and authorityKeyIdentifier. Usages are named as in RFC 5280
    or dotted. ``version`` 1 has no extensions at all: asking for one beyond the key
    identifiers is an error. Host names are written as they are, so that wrong ones
    can be made. Raises CertificateError.
    """
    public = key if isinstance(key, PublicKey) else key.public_key()
    if issuer is None:
        if isinstance(key, PublicKey):
            raise CertificateError("a self-signed certificate needs the private key")
        issuer_name, signer = subject, key
    else:
        issuer_name, signer = issuer.certificate.subject, issuer.key
    spki = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    written: list[bytes] = []
    if key_ids and version == 3:
        own_id = key_id(spki)
        authority = own_id
        if issuer is not None:
            certificate = issuer.certificate
            authority = certificate.subject_key_id or key_id(certificate.public_key_der)
        written.append(_extension(alg.SUBJECT_KEY_ID, asn1.write(4, own_id)))
        written.append(
            _extension(
                alg.AUTHORITY_KEY_ID, asn1.write(0x30, asn1.write(0x80, authority))
            )
        )
    if ca is not None:
        value = _basic_constraints(ca, path_length)
        written.append(_extension(alg.BASIC_CONSTRAINTS, value, ca_critical))
    if usages := tuple(key_usage):
        written.append(_extension(alg.KEY_USAGE, _key_usage(usages), critical=True))
    if purposes := tuple(extended_key_usage):
        written.append(_extension(alg.EXTENDED_KEY_USAGE, _purposes(purposes)))
    if names := _general_names(dns_names, ip_addresses, uris):
        written.append(_extension(alg.SUBJECT_ALT_NAME, asn1.write(0x30, *names)))
    for oid, critical, value in extensions:
        content = asn1.write_oid(oid)
        written.append(_extension(content[2:], value, critical))
    if version not in {1, 3} or (version == 1 and written):
        raise CertificateError(
            f"a version {version} certificate has no extensions"
            if version == 1
            else f"cannot issue a certificate of version {version}"
        )
    algorithm = _algorithm(signer, hash)
    tbs = asn1.write(
        asn1.SEQUENCE,
        asn1.write(0xA0, asn1.write_integer(2)) if version == 3 else b"",
        asn1.write_integer(serial),
        algorithm,
        issuer_name.der,
        asn1.write(
            asn1.SEQUENCE, asn1.write_time(not_before), asn1.write_time(not_after)
        ),
        subject.der,
        spki,
        asn1.write(0xA3, asn1.write(asn1.SEQUENCE, *written)) if written else b"",
    )
    signature = _sign(signer, tbs, hash)
    return Certificate.from_der(
        asn1.write(
            asn1.SEQUENCE,
            tbs,
            algorithm,
            asn1.write(asn1.BIT_STRING, b"\x00", signature),
        )
    )


def key_id(public_key_der: bytes) -> bytes:
    """SHA-1 of the key's bits: RFC 5280 §4.2.1.2, method 1. Raises CertificateError."""
    end = len(public_key_der)
    start, stop = asn1.read_tagged(public_key_der, 0, end, asn1.SEQUENCE, "public key")
    _, _, at = asn1.read_span(public_key_der, start, stop)
    at, end = asn1.read_tagged(public_key_der, at, stop, asn1.BIT_STRING, "public key")
    bits = public_key_der[at + 1 : end]
    return hashlib.sha1(bits, usedforsecurity=False).digest()


def _extension(oid: bytes, value: bytes, critical: bool = False) -> bytes:
    return asn1.write(
        asn1.SEQUENCE,
        asn1.write(asn1.OBJECT_IDENTIFIER, oid),
        asn1.write(asn1.BOOLEAN, b"\xff") if critical else b"",
        asn1.write(asn1.OCTET_STRING, value),
    )


def _basic_constraints(ca: bool, path_length: int | None) -> bytes:
    return asn1.write(
        asn1.SEQUENCE,
        asn1.write(asn1.BOOLEAN, b"\xff") if ca else b"",
        b"" if path_length is None else asn1.write_integer(path_length),
    )


def _key_usage(names: tuple[str, ...]) -> bytes:
    unknown = set(names) - set(alg.KEY_USAGES)
    if unknown:
        raise CertificateError(
            f"unknown key usage: {min(unknown)!r}", hint=", ".join(alg.KEY_USAGES)
        )
    numbers = [alg.KEY_USAGES.index(name) for name in names]
    bits = bytearray(max(numbers) // 8 + 1)
    for number in numbers:
        bits[number // 8] |= 0x80 >> number % 8
    unused = 7 - max(numbers) % 8
    return asn1.write(asn1.BIT_STRING, bytes((unused,)), bytes(bits))


def _purposes(names: tuple[str, ...]) -> bytes:
    by_name = {name: oid for oid, name in alg.EXTENDED_KEY_USAGES.items()}
    return asn1.write(
        asn1.SEQUENCE, *(asn1.write_oid(by_name.get(name, name)) for name in names)
    )


def _general_names(
    dns_names: Iterable[str],
    ip_addresses: Iterable[IPv4Address | IPv6Address],
    uris: Iterable[str],
) -> list[bytes]:
    return [
        *(asn1.write(0x82, _latin(name)) for name in dns_names),
        *(asn1.write(0x87, address.packed) for address in ip_addresses),
        *(asn1.write(0x86, _latin(uri)) for uri in uris),
    ]


def _latin(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise CertificateError(
            f"not a name that a certificate can hold: {text!r}",
            hint="write an international name in its xn-- form",
        ) from None


def _algorithm(key: PrivateKey, hash_name: str) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return asn1.write(asn1.SEQUENCE, asn1.write_oid("1.3.101.112"))
    if isinstance(key, ed448.Ed448PrivateKey):
        return asn1.write(asn1.SEQUENCE, asn1.write_oid("1.3.101.113"))
    if isinstance(key, rsa.RSAPrivateKey):
        family = "rsa"
    else:
        family = "ecdsa" if isinstance(key, ec.EllipticCurvePrivateKey) else "dsa"
    oid = _SIGNATURE_OIDS.get((family, hash_name))
    if oid is None or hash_name not in _HASHES:
        raise CertificateError(f"no signature of {family} with {hash_name!r}")
    # RFC 3279 §2.2.1: RSA has NULL parameters, the others none.
    null = asn1.write(asn1.NULL) if family == "rsa" else b""
    return asn1.write(asn1.SEQUENCE, asn1.write_oid(oid), null)


def _sign(key: PrivateKey, tbs: bytes, hash_name: str) -> bytes:
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(tbs, padding.PKCS1v15(), _HASHES[hash_name])
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(tbs, ec.ECDSA(_HASHES[hash_name]))
        if isinstance(key, dsa.DSAPrivateKey):
            return key.sign(tbs, _HASHES[hash_name])
        return key.sign(tbs)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"cannot sign with {hash_name}: {error}") from error
