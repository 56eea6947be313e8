"""Certificates that today's OpenSSL does not load, and phones' lines of OpenSSL do.

OpenSSL 4 wants dates of at least their strict length and serial numbers in their
shortest form; 1.0.1 and 1.0.2 read others (measured with 1.0.1u, 1.0.2o, 1.0.2s). Up to
1.0.2 an extension that stands twice or cannot be read counts as absent; later it
refuses the whole certificate. OpenSSL 4 takes no elliptic curve that is spelled out,
and has no MD4; 1.0.1 to 1.1.1 take both. So such a certificate is written once more
without what is odd about it:

- ``restate`` writes a path so that OpenSSL can prove all of it but the signatures:
  every certificate has one and the same key, which signs them all;
  ``against_signatures`` looks at the true signatures.
- ``stand_in`` writes one certificate that is nothing but the same public key, in
  exactly as many bytes, for the TLS engine to compute with (docs/decisions/0002).

Neither is ever shown, stored or trusted.
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa

from linekey.certs import algorithms as alg
from linekey.certs import der as asn1
from linekey.certs import verify_errors as err
from linekey.certs.certificate import Certificate
from linekey.certs.contents import EXPLICIT_CURVE
from linekey.certs.path import PathProblem, as_problem
from linekey.errors import CertificateError

_EXTENSIONS = 0xA3
_ECDSA = asn1.write(asn1.SEQUENCE, asn1.write_oid("1.2.840.10045.4.3.2"))
_KNOWN = (
    alg.SUBJECT_ALT_NAME,
    alg.BASIC_CONSTRAINTS,
    alg.SUBJECT_KEY_ID,
    alg.AUTHORITY_KEY_ID,
    alg.KEY_USAGE,
    alg.EXTENDED_KEY_USAGE,
    alg.NETSCAPE_CERT_TYPE,
)


def loads(certificate: Certificate) -> bool:
    """Whether today's OpenSSL reads it at all."""
    try:
        return certificate.openssl is not None
    except CertificateError:
        return False


def differs(certificate: Certificate, *, old: bool) -> bool:
    """Whether a phone's OpenSSL takes it otherwise than ours; ``old``: up to 1.0.2."""
    return (
        not loads(certificate)
        or certificate.signature_hash == "md4"
        or certificate.key.curve == EXPLICIT_CURVE
        or (old and any(map(certificate.is_unreadable, _KNOWN)))
    )


def reads(certificate: Certificate, *, old: bool) -> bool:
    """Whether a phone's OpenSSL reads it; ``old``: up to 1.0.2."""
    return loads(certificate) or loads(_restated(certificate, old))


def restate(path: tuple[Certificate, ...], *, old: bool) -> tuple[Certificate, ...]:
    """The path in today's form, with keys and signatures of its own."""
    return tuple(_restated(certificate, old) for certificate in path)


@lru_cache(maxsize=64)
def _restated(certificate: Certificate, old: bool) -> Certificate:
    tbs = certificate.tbs
    start, stop = asn1.read_tagged(tbs, 0, len(tbs), asn1.SEQUENCE, "TBSCertificate")
    spans = asn1.read_all(tbs, start, stop)
    parts = [asn1.write(tag, tbs[a:b]) for tag, a, b in spans]
    at = 1 if spans[0][0] == 0xA0 else 0  # the version may be left out
    if old:
        parts[at] = asn1.write_integer(certificate.serial)
    parts[at + 1] = _ECDSA
    parts[at + 3] = asn1.write(
        asn1.SEQUENCE,
        asn1.write_time(certificate.not_before),
        asn1.write_time(certificate.not_after),
    )
    key = _key()
    parts[at + 5] = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if old and spans[-1][0] == _EXTENSIONS:
        parts[-1] = _without_unreadable(certificate, tbs[spans[-1][1] : spans[-1][2]])
    again = asn1.write(asn1.SEQUENCE, *parts)
    signature = key.sign(again, ec.ECDSA(hashes.SHA256()))
    bits = asn1.write(asn1.BIT_STRING, b"\x00", signature)
    return Certificate.from_der(asn1.write(asn1.SEQUENCE, again, _ECDSA, bits))


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _without_unreadable(certificate: Certificate, extensions: bytes) -> bytes:
    unreadable = {
        asn1.write(asn1.OBJECT_IDENTIFIER, oid)
        for oid in _KNOWN
        if certificate.is_unreadable(oid)
    }
    start, stop = asn1.read_tagged(
        extensions, 0, len(extensions), asn1.SEQUENCE, "extensions"
    )
    kept = []
    for tag, a, b in asn1.read_all(extensions, start, stop):
        content = extensions[a:b]
        if not any(content.startswith(oid) for oid in unreadable):
            kept.append(asn1.write(tag, content))
    return asn1.write(_EXTENSIONS, asn1.write(asn1.SEQUENCE, *kept)) if kept else b""


def against_signatures(path: tuple[Certificate, ...]) -> Iterator[PathProblem]:
    """Each signature of a path that OpenSSL cannot be asked about."""
    for depth, (child, issuer) in enumerate(pairwise(path)):
        try:
            if not _signed(child, issuer):
                yield as_problem(err.CERT_SIGNATURE_FAILURE, depth, child)
        except UnsupportedAlgorithm:
            what = f"{child.signature_algorithm} by {issuer.key.text}"
            said = f"linekey cannot check its signature ({what}), and the phone's"
            yield as_problem(
                err.UNSPECIFIED,
                depth,
                child,
                f"{said} OpenSSL can: what it says is not known",
            )


def _signed(child: Certificate, issuer: Certificate) -> bool:
    """Raises UnsupportedAlgorithm for what nobody here can compute."""
    name = child.signature_hash
    if name in _RARE_HASHES:
        raise UnsupportedAlgorithm(name)
    digest = _HASHES.get(name or "")
    if digest is None or not child.same_algorithms:
        return False
    try:
        key = serialization.load_der_public_key(issuer.public_key_der)
        if isinstance(key, rsa.RSAPublicKey):
            form: padding.AsymmetricPadding = padding.PKCS1v15()
            if child.signature_algorithm == "rsassaPss":
                form = padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)
            key.verify(child.signature, child.tbs, form, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(child.signature, child.tbs, ec.ECDSA(digest))
        elif isinstance(key, dsa.DSAPublicKey):
            key.verify(child.signature, child.tbs, digest)
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True


_RARE_HASHES = ("md4", "ripemd160")
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),  # noqa: S303 - what phones verify
    "sha1": hashes.SHA1(),  # noqa: S303 - what phones verify
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


# -- for the TLS engine -------------------------------------------------------


@lru_cache(maxsize=64)
def stand_in(der: bytes) -> bytes | None:
    """As many bytes that OpenSSL reads, with the same public key; None: not needed.

    None, too, where no phone's OpenSSL would read the certificate, or where there is
    no room for another.
    """
    try:
        certificate = Certificate.from_der(der)
        if loads(certificate) or not reads(certificate, old=True):
            return None
        made = _key_alone(certificate.public_key_der, 0)
        if len(made) > len(der):
            return None
        made = _key_alone(certificate.public_key_der, len(der) - len(made))
        return made if loads(Certificate.from_der(made)) else None
    except CertificateError:
        return None


def _key_alone(public_key_der: bytes, padding_size: int) -> bytes:
    algorithm = asn1.write(asn1.SEQUENCE, asn1.write_oid("1.2.840.113549.1.1.11"))
    times = asn1.write(asn1.UTC_TIME, b"700101000000Z") * 2
    # 2.5.4.13 is "description"; no extension has that identifier.
    filled = _long(
        asn1.SEQUENCE,
        asn1.write_oid("2.5.4.13"),
        _long(asn1.OCTET_STRING, bytes(padding_size)),
    )
    tbs = _long(
        asn1.SEQUENCE,
        asn1.write(0xA0, asn1.write_integer(2)),
        asn1.write_integer(1),
        algorithm,
        asn1.write(asn1.SEQUENCE),
        asn1.write(asn1.SEQUENCE, times),
        asn1.write(asn1.SEQUENCE),
        public_key_der,
        _long(_EXTENSIONS, _long(asn1.SEQUENCE, filled)),
    )
    return _long(
        asn1.SEQUENCE, tbs, algorithm, asn1.write(asn1.BIT_STRING, b"\x00\x00")
    )


def _long(tag: int, *contents: bytes) -> bytes:
    """An element whose length takes five bytes, however short: sizes then add up."""
    content = b"".join(contents)
    return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content
