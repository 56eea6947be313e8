"""Files that hold certificates in a form that is not read here, named.

A CA's portal offers PKCS #7, Windows exports PKCS #12, a Java program keeps a key
store: whoever gives one of them is told which it is, and the command that makes PEM of
it. Only the head of a file is looked at, so that BER of indefinite length, which
Windows and NSS write, is named as well.

Sources: ContentInfo, RFC 2315 §7 and RFC 5652 §3; PFX, RFC 7292 §4;
CertificationRequest, RFC 2986 §4.2; labels, RFC 7468 §§6-9; the key stores' magic
numbers, OpenJDK's ``JavaKeyStore`` and ``JceKeyStore`` (M).
"""

import re
from typing import NamedTuple

from linekey.said import say


class Container(NamedTuple):
    """A kind of file: ``name`` with its article, and the ``cure``."""

    name: str
    cure: str


_PKCS7_OIDS = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07"  # 1.2.840.113549.1.7


def _pkcs7(form: str) -> Container:
    inform = " -inform DER" if form == "DER" else ""
    return Container(
        say("a PKCS#7 file (.p7b, .p7c), %(form)s", form=form),
        say(
            "it holds certificates in another form; make PEM of it: openssl "
            "pkcs7%(inform)s -in FILE -print_certs -out chain.pem",
            inform=inform,
        ),
    )


def _pkcs12(form: str) -> Container:
    return Container(
        say("a PKCS#12 file (.p12, .pfx), %(form)s", form=form),
        say(
            "it holds certificates in another form; make PEM of it: openssl pkcs12 -in "
            "FILE -nokeys -out chain.pem; the private key in it goes to a file of its "
            "own: openssl pkcs12 -in FILE -nocerts -nodes -out key.pem"
        ),
    )


_PACKED = (b"PK\x03\x04", b"\x1f\x8b")
"""Magic numbers of ZIP (APPNOTE.TXT §4.3.7) and gzip (RFC 1952 §2.3.1)."""
_REQUEST = say("this is what a CA is asked with; give the certificate that it issued")
_LIST = say("this lists what a CA has revoked; give the certificate itself")
_STORE = Container(
    say("a Java key store (.jks)"),
    say(
        "it holds certificates in another form; make PKCS#12 of it with keytool "
        "-importkeystore -srckeystore FILE -destkeystore new.p12 -deststoretype pkcs12,"
        " and PEM of that: openssl pkcs12 -in new.p12 -nokeys -out chain.pem"
    ),
)
_LABELS = {
    b"PKCS7": _pkcs7("PEM"),
    b"PKCS #7 SIGNED DATA": _pkcs7("PEM"),
    b"CMS": _pkcs7("PEM"),
    b"PKCS12": _pkcs12("PEM"),
    b"CERTIFICATE REQUEST": Container(
        say("a certificate request (PKCS#10), PEM"), _REQUEST
    ),
    b"NEW CERTIFICATE REQUEST": Container(
        say("a certificate request (PKCS#10), PEM"), _REQUEST
    ),
    b"X509 CRL": Container(say("a revocation list (CRL), PEM"), _LIST),
}


def of_label(label: bytes) -> Container | None:
    """What a PEM block of this label is, if it is one of them."""
    return _LABELS.get(label)


_FIRST_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 #]{1,40})-----")


def of_file(data: bytes) -> Container | None:
    """What a file is, by its first PEM block or its first bytes."""
    first = _FIRST_LABEL.search(data)
    return of_bytes(data) or (of_label(first[1]) if first else None)


def of_bytes(data: bytes) -> Container | None:
    """What a file is by its first bytes, if it is one of them."""
    if data[:4] in (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"):
        return _STORE
    if data.startswith(_PACKED):
        return Container(
            say("a packed file (.zip, .gz)"), say("unpack it first: unzip, gunzip")
        )
    at = _inside(data, 0)
    if at is None:
        return None
    tag, content = data[at : at + 1], data[at + 2 : at + 2 + len(_PKCS7_OIDS)]
    if tag == b"\x06" and content == _PKCS7_OIDS:
        return _pkcs7("DER")
    if data[at : at + 3] == b"\x02\x01\x03":  # PFX: version 3, then a ContentInfo
        inner = _inside(data, at + 3)
        if inner is not None and data[inner + 2 :].startswith(_PKCS7_OIDS):
            return _pkcs12("DER")
        return None
    inner = _inside(data, at)
    if inner is None:
        return None
    # CertificationRequestInfo begins with version 0 and a name, which is a SEQUENCE; a
    # version 1 certificate with its serial number and an algorithm is told apart by
    # what the name begins with: a SET.
    if data[inner : inner + 3] == b"\x02\x01\x00":
        name = _inside(data, inner + 3)
        if name is not None and data[name : name + 1] != b"\x06":
            return Container(say("a certificate request (PKCS#10), DER"), _REQUEST)
    return None


def _inside(data: bytes, at: int) -> int | None:
    """Where the content of the SEQUENCE at ``at`` begins, if there is one."""
    if len(data) < at + 2 or data[at] != 0x30:
        return None
    length = data[at + 1]
    return at + 2 + (length & 0x7F if length & 0x80 else 0)
