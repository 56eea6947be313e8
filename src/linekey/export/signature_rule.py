"""Which generation a certificate is of, for nginx, which knows no signature's name.

nginx has the certificate as percent-encoded PEM (``$ssl_client_escaped_cert``) and no
variable for its algorithm. In DER the algorithm stands right behind the serial number
(RFC 5280 §4.1), so with at most 20 bytes of serial (§4.1.2.2) its identifier ends
within the first 48 bytes: the first line of the PEM. There its base64 has one of three
forms, by where it begins. The expressions look into that line only.

OpenSSL refuses a certificate whose two algorithm fields differ (X509_verify), so the
first one is the one that was verified. What fits no expression (MD5, RSA-PSS, a serial
number of more than 20 bytes) is of no generation, and the phone gets nothing.
"""

from base64 import b64encode
from urllib.parse import quote

from linekey.catalog.models import Generation

_RSA = "300d06092a864886f70d0101{} 05"
_ECDSA = "300a06082a8648ce3d0403{} 30"
_ALGORITHMS = (
    (Generation.SHA1, _RSA.format("05")),
    (Generation.SHA1, "300906072a8648ce3d0401 30"),
    (Generation.SHA256, _RSA.format("0b")),
    (Generation.SHA256, _RSA.format("0c")),
    (Generation.SHA256, _RSA.format("0d")),
    (Generation.SHA256, _ECDSA.format("02")),
    (Generation.SHA256, _ECDSA.format("03")),
    (Generation.SHA256, _ECDSA.format("04")),
)
"""AlgorithmIdentifier up to the OID's end (RFC 3279, 4055, 5758), and the byte behind:
the NULL of RSA's parameters, the SEQUENCE of the issuer."""

_BEGIN = "^-----BEGIN%20CERTIFICATE-----%0A(?:[A-Za-z0-9]|%2B|%2F)*"


def signature_patterns() -> tuple[tuple[str, Generation], ...]:
    """Regular expressions on the escaped PEM, each with the generation that it means.

    They heed case, as base64 does.
    """
    return tuple(
        (_BEGIN + quote(form, safe=""), generation)
        for generation, algorithm in _ALGORITHMS
        for form in _forms(*map(bytes.fromhex, algorithm.split()))
    )


def _forms(whole: bytes, behind: bytes) -> list[str]:
    """The base64 of ``whole`` for each place it may begin at, in full characters.

    Only where its last byte shares a character with the byte behind is that one
    needed; it may be on the next line where it is not.
    """
    forms = []
    for before in range(3):
        known = whole if (before + len(whole)) % 3 == 0 else whole + behind
        text = b64encode(bytes(before) + known + bytes(2)).decode("ascii")
        first = -(-8 * before // 6)
        last = 8 * (before + len(known)) // 6
        forms.append(text[first:last])
    return forms
