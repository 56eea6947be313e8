"""Certificates and keys as people hand them over: PEM, DER, bare base64.

- Every form of a certificate that a phone or an operator uses is read: PEM with text
  between the blocks, DER, and base64 with or without markers and with any white space
  (SNOM-TLS, "Uploading Server Certificates via Provisioning"; SNOM-FILES); PEM with
  its line breaks written ``\\n``, as environment variables and JSON have it.
- A private key in a bundle is kept apart in ``Bundle.keys`` and told in ``notes``;
  no error, note or repr shows any of it.
- Sizes are bounded before anything is decoded.
- What holds certificates in another form (PKCS #7, PKCS #12) is named, with the command
  that makes PEM of it.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from linekey.certs import containers
from linekey.certs import der as asn1
from linekey.certs.certificate import Certificate
from linekey.errors import CertificateError
from linekey.said import joined, say

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | dsa.DSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)
"""The private keys that a TLS identity can have."""

MAX_BUNDLE_BYTES = 1_048_576
"""Precedent: Mozilla's whole list of roots as PEM is some 250 kB."""

MAX_BUNDLE_CERTIFICATES = 1_000
MAX_KEY_BYTES = 65_536

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 #]{1,40})-----")
_CERTIFICATE_LABELS = {b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"}
_WHITESPACE = re.compile(rb"(?:\s|\xc2\xa0)+")
"""Also the no-break space, which text copied from a web page has."""
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
"""UTF-32 first: its mark begins with UTF-16's."""
_WIDE = ((b"-\0-\0", "utf-16-le"), (b"\0-\0-", "utf-16-be"))
"""How PEM in UTF-16 begins where it has no mark."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a file held.

    ``certificates`` keeps the file's order, each certificate once. ``keys`` are the
    private keys as PEM or DER, unopened (they may need a password), out of every repr.
    ``notes`` says in a clause each what else was found: keys, duplicates, garbage,
    other blocks.
    """

    certificates: tuple[Certificate, ...]
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()


def parse_certificates(data: bytes) -> list[Certificate]:
    """Read the certificates of a PEM bundle, a DER file or bare base64.

    Duplicates are left out, order is kept; text around PEM blocks is ignored, and so
    are private keys beside a certificate (``parse_bundle`` tells of both). Raises
    CertificateError when there is no certificate, or one that cannot be read.
    """
    return list(certificates_in(parse_bundle(data)))


def certificates_in(bundle: Bundle) -> tuple[Certificate, ...]:
    """Return a bundle's certificates; CertificateError, which says what else there was,
    if it has none."""
    if bundle.certificates:
        return bundle.certificates
    if bundle.keys:
        raise CertificateError(
            say("a private key where a certificate is expected"),
            hint=say("give the certificate; the key stays where it is used"),
        )
    found = say("no certificate found")
    if bundle.notes:
        found = say("no certificate found: %(notes)s", notes=joined(bundle.notes))
    raise CertificateError(
        found,
        hint=say("a certificate is DER, PEM, or the base64 between PEM's markers"),
    )


def parse_bundle(data: bytes) -> Bundle:
    """Read all that a PEM bundle, a DER file or bare base64 holds.

    Raises CertificateError for what is none of them, for a certificate block that
    cannot be read (with its number), and beyond MAX_BUNDLE_BYTES or
    MAX_BUNDLE_CERTIFICATES.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise CertificateError(
            say(
                "%(count)s bytes of certificates; the limit is %(limit)s",
                count=len(data),
                limit=MAX_BUNDLE_BYTES,
            )
        )
    if not data.strip():
        raise CertificateError(say("no certificate: empty input"))
    if not data.strip(b"\x00"):
        raise CertificateError(
            say("no certificate: %(count)s bytes of zeros", count=len(data))
        )
    if data.startswith(b"\x30"):
        return _parse_der(data)
    _refuse_container(data)
    text = _as_ascii(data)
    if _BEGIN.search(text):
        return _parse_pem(text)
    der = _decode_base64(text, "input")
    if not der.startswith(b"\x30"):
        # Any short word is base64 of something; what it would decode to tells nobody.
        raise CertificateError(
            say("no certificate: %(count)s bytes of other text", count=len(data)),
            hint=say("a certificate is DER, PEM, or the base64 between PEM's markers"),
        )
    return _parse_der(der)


def _as_ascii(data: bytes) -> bytes:
    """Text as UTF-8, without a byte order mark; ``\\n`` in PEM is a line break."""
    for mark, codec in _MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(codec, "replace").encode("utf-8")
            break
    else:
        wide = next((codec for mark, codec in _WIDE if data.startswith(mark)), None)
        text = data.decode(wide, "replace").encode("utf-8") if wide else data
    if _BEGIN.search(text):
        text = text.replace(b"\\r", b"").replace(b"\\n", b"\n")
    return text


def _refuse_container(data: bytes) -> None:
    """Raise CertificateError, with its name, for a file of another form."""
    container = containers.of_bytes(data)
    if container is not None:
        raise CertificateError(
            say("%(name)s, where a certificate is expected", name=container.name),
            hint=container.cure,
        )


def _parse_der(data: bytes) -> Bundle:
    _refuse_container(data)
    try:
        return Bundle((Certificate.from_der(data),))
    except CertificateError:
        if is_private_key_der(data):
            return Bundle((), (data,), (say("a private key in DER"),))
        raise


def is_private_key_der(data: bytes) -> bool:
    """Whether DER is a private key that opens without a password."""
    if len(data) > MAX_KEY_BYTES:
        return False
    try:
        serialization.load_der_private_key(data, None)
    except TypeError:
        return True  # encrypted PKCS #8
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _parse_pem(text: bytes) -> Bundle:
    certificates: dict[Certificate, int] = {}
    keys: list[bytes] = []
    notes: list[str] = []
    count = 0
    container = None
    for label, body, block in _blocks(text, notes):
        if label in _CERTIFICATE_LABELS:
            count += 1
            if count > MAX_BUNDLE_CERTIFICATES:
                raise CertificateError(
                    say(
                        "more than %(limit)s certificates in one file",
                        limit=MAX_BUNDLE_CERTIFICATES,
                    )
                )
            certificate = _parse_block(body, count, trusted=label[0:1] == b"T")
            if certificate in certificates:
                first = certificates[certificate]
                notes.append(
                    say(
                        "certificate %(count)s is the same as certificate %(first)s",
                        count=count,
                        first=first,
                    )
                )
            else:
                certificates[certificate] = count
        elif label.endswith(b"PRIVATE KEY"):
            keys.append(block)
            notes.append(
                say("a private key (%(label)s)", label=label.decode("ascii").lower())
            )
        else:
            container = container or containers.of_label(label)
            notes.append(
                say(
                    "a block of another kind (%(label)s)",
                    label=label.decode("ascii").lower(),
                )
            )
    if container is not None and not certificates:
        raise CertificateError(
            say("%(name)s, where a certificate is expected", name=container.name),
            hint=container.cure,
        )
    return Bundle(tuple(certificates), tuple(keys), tuple(notes))


def _blocks(text: bytes, notes: list[str]) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield label, body and whole of every block; note what stands between them."""
    at = 0
    stray = 0
    while begin := _BEGIN.search(text, at):
        stray += len(text[at : begin.start()].strip())
        label = begin[1]
        end_mark = b"-----END " + label + b"-----"
        end = text.find(end_mark, begin.end())
        following = _BEGIN.search(text, begin.end())
        if end < 0 or (following and following.start() < end):
            raise CertificateError(
                say(
                    "a %(label)s block without its END line",
                    label=label.decode("ascii"),
                ),
                hint=say("the file is cut off or was pasted in part; copy it whole"),
            )
        at = end + len(end_mark)
        yield label, text[begin.end() : end], text[begin.start() : at]
    stray += len(text[at:].strip())
    if stray:
        notes.append(
            say("%(stray)s bytes of other text around the blocks", stray=stray)
        )


def _parse_block(body: bytes, number: int, *, trusted: bool) -> Certificate:
    try:
        der = _decode_base64(body, "certificate")
        if trusted:  # OpenSSL's own form: the certificate, then its trust settings
            _, _, stop = asn1.read_span(der, 0, len(der))
            der = der[:stop]
        return Certificate.from_der(der)
    except CertificateError as error:
        raise CertificateError(
            say(
                "certificate %(number)s of the file: %(message)s",
                number=number,
                message=error.message,
            ),
            hint=error.hint,
        ) from error


def _decode_base64(text: bytes, what: str) -> bytes:
    """Strict base64 but for white space; the error shows none of it."""
    packed = _WHITESPACE.sub(b"", text)
    if not _BASE64.fullmatch(packed):
        bad = _first_stranger(text)
        raise CertificateError(
            say("%(what)s is neither DER, PEM nor base64: %(bad)s", what=what, bad=bad),
            hint=say("a certificate is DER, PEM, or the base64 between PEM's markers"),
        )
    packed = packed.rstrip(b"=")
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error as error:
        raise CertificateError(
            say(
                "%(what)s: broken base64 (%(count)s characters: cut off?)",
                what=what,
                count=len(packed),
            ),
            hint=say(
                "copy the certificate whole, from its first to its last character"
            ),
        ) from error


def _first_stranger(text: bytes) -> str:
    """Where base64 ends, without showing what surrounds it."""
    line, column = 1, 0
    for byte in text:
        column += 1
        if byte == 0x0A:
            line, column = line + 1, 0
        elif not (chr(byte).isascii() and (chr(byte).isalnum() or byte in b"+/ \t\r")):
            return say(
                "byte 0x%(byte)s in line %(line)s, column %(column)s",
                byte=f"{byte:02x}",
                line=line,
                column=column,
            )
    return say("padding in an unexpected place")


def to_pem(certificate: Certificate) -> str:
    """One PEM block with its final newline (RFC 7468, 64 columns)."""
    return pem_block("CERTIFICATE", certificate.der)


def pem_block(label: str, der: bytes) -> str:
    """Any one PEM block, such as of ``DH PARAMETERS``."""
    return f"-----BEGIN {label}-----\n{_columns(der)}\n-----END {label}-----\n"


def to_base64(certificate: Certificate) -> str:
    """Base64 without markers, 64 columns, no final newline.

    The form of the phones' ``<certificate type="base64">`` (SNOM-TLS, "Uploading Server
    Certificates via Provisioning", H).
    """
    return _columns(certificate.der)


def _columns(der: bytes) -> str:
    text = base64.b64encode(der).decode("ascii")
    return "\n".join(text[at : at + 64] for at in range(0, len(text), 64))


def parse_private_key(data: bytes, *, own: bool = False) -> PrivateKey:
    """Read one private key, PEM (the first in the file) or DER, PKCS #1, #8 or SEC 1.

    ``own`` says that linekey itself wrote it: an RSA key's primes are then not proved
    again, which takes 30 ms for 2048 bits.
    Raises CertificateError, which never shows any of it: no key, an encrypted
    one, a kind that TLS cannot use.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise CertificateError(say("a key file of %(count)s bytes", count=len(data)))
    container = containers.of_bytes(data)
    if container is not None:
        raise CertificateError(
            say("%(name)s, where a private key is expected", name=container.name),
            hint=container.cure,
        )
    if data.startswith(b"\x30"):
        der = data
        load = serialization.load_der_private_key
    else:
        der = _first_key_block(_as_ascii(data))
        load = serialization.load_pem_private_key
    try:
        key = load(der, None, unsafe_skip_rsa_key_validation=own)
    except TypeError:
        raise CertificateError(
            say("the private key is encrypted, and nobody is asked for its passphrase"),
            hint=say(
                "decrypt it with openssl pkey -in FILE -out NEWFILE, and chmod 600 it"
            ),
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        # The library's message is left out: nothing of a key file is ever shown.
        raise CertificateError(
            say("the private key cannot be read"),
            hint=say("it must be PEM or DER; `openssl pkey -in FILE -noout` checks it"),
        ) from None
    if not isinstance(key, PrivateKey):
        raise CertificateError(
            say("a TLS identity cannot have a %(name)s", name=type(key).__name__)
        )
    return key


def _first_key_block(text: bytes) -> bytes:
    for label, _, block in _blocks(text, []):
        if label.endswith(b"PRIVATE KEY"):
            return block
    raise CertificateError(
        say("no private key found"),
        hint=say("it must be PEM or DER; this may be the certificate"),
    )


def private_key_to_pem(key: PrivateKey) -> bytes:
    """PKCS #8 PEM, not encrypted: for files of mode 0600 only."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
