"""Certificates that a strict parser refuses, or that are odd otherwise, by name.

Each is a sound certificate of a good root, taken apart, changed in one place and signed
again, so that nothing but that one place can decide.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from tests.certificates import certificate
from tests.live.line_cases import GOOD, NAME, key

from linekey.certs import der as asn1
from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate

Fields = list[tuple[int, bytes]]
"""A TBSCertificate's elements by tag and content: version, serial number, algorithm,
issuer, validity, subject, key, extensions."""
VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, EXTENSIONS = range(8)

DATES: dict[str, Any] = {"not_before": GOOD[0], "not_after": GOOD[1]}
SHA256_RSA = asn1.write_oid("1.2.840.113549.1.1.11")
NULL = b"\x05\x00"
Change = Callable[[Fields], None]


@cache
def root() -> Certificate:
    return certificate("odd root", key("odd root"), **DATES, ca=True)


@cache
def sound() -> Certificate:
    above = Issuer(root(), key("odd root"))
    return certificate(
        [("CN", NAME)], key("leaf"), above, serial=2, **DATES, dns_names=(NAME,)
    )


def elements(content: bytes) -> Fields:
    return [(t, content[a:b]) for t, a, b in asn1.read_all(content, 0, len(content))]


def signed(tbs: bytes, algorithm: bytes = SHA256_RSA + NULL, unused: int = 0) -> bytes:
    """The certificate's DER; the signature is sound whatever ``algorithm`` says."""
    signature = key("odd root").sign(tbs, padding.PKCS1v15(), hashes.SHA256())  # type: ignore[call-arg,union-attr,arg-type]
    bits = asn1.write(asn1.BIT_STRING, bytes([unused]) + signature)
    return asn1.write(asn1.SEQUENCE, tbs, asn1.write(asn1.SEQUENCE, algorithm), bits)


def changed(change: Change) -> bytes:
    start, stop = asn1.read_tagged(sound().tbs, 0, len(sound().tbs), 0x30, "TBS")
    fields = elements(sound().tbs[start:stop])
    change(fields)
    return signed(asn1.write(asn1.SEQUENCE, *(asn1.write(t, c) for t, c in fields)))


def put(place: int, content: bytes) -> Change:
    def change(fields: Fields) -> None:
        fields[place] = (fields[place][0], content)

    return change


def dates(tag: int, form: str) -> Change:
    """Both dates as ``strftime`` writes them."""
    return put(
        VALIDITY, b"".join(asn1.write(tag, f"{d:{form}}".encode()) for d in GOOD)
    )


def name(place: int, tag: int, text: bytes, oid: str = "2.5.4.10") -> Change:
    """Another attribute before the CN; O unless said."""

    def change(fields: Fields) -> None:
        pair = asn1.write(0x30, asn1.write_oid(oid), asn1.write(tag, text))
        fields[place] = (0x30, asn1.write(0x31, pair) + fields[place][1])

    return change


def extension(oid: str, value: bytes, critical: bytes | None = None) -> bytes:
    mark = b"" if critical is None else asn1.write(asn1.BOOLEAN, critical)
    return asn1.write(0x30, asn1.write_oid(oid), mark, asn1.write(4, value))


def more(*extensions: bytes) -> Change:
    def change(fields: Fields) -> None:
        held = elements(fields[EXTENSIONS][1])[0][1]
        fields[EXTENSIONS] = (0xA3, asn1.write(0x30, held, *extensions))

    return change


def without(place: int) -> Change:
    def change(fields: Fields) -> None:
        del fields[place]

    return change


SAN = asn1.write(0x30, asn1.write(0x82, NAME.encode()))
UTC, GENERAL = asn1.UTC_TIME, asn1.GENERALIZED_TIME

CHANGES: dict[str, Change] = {
    "nothing": lambda fields: None,
    # dates
    "UTCTime without seconds": dates(UTC, "%y%m%d%H%MZ"),
    "GeneralizedTime without seconds": dates(GENERAL, "%Y%m%d%H%MZ"),
    "GeneralizedTime before 2050": dates(GENERAL, "%Y%m%d%H%M%SZ"),
    "GeneralizedTime with a fraction": dates(GENERAL, "%Y%m%d%H%M%S.5Z"),
    "UTCTime with a fraction": dates(UTC, "%y%m%d%H%M%S.5Z"),
    "UTCTime +0000": dates(UTC, "%y%m%d%H%M%S+0000"),
    "UTCTime +0100": dates(UTC, "%y%m%d%H%M%S+0100"),
    "UTCTime -0100 without seconds": dates(UTC, "%y%m%d%H%M-0100"),
    "GeneralizedTime +0100": dates(GENERAL, "%Y%m%d%H%M%S+0100"),
    "UTCTime without Z": dates(UTC, "%y%m%d%H%M%S"),
    "GeneralizedTime without Z": dates(GENERAL, "%Y%m%d%H%M%S"),
    "UTCTime of month 13": dates(UTC, "%y13%d%H%M%SZ"),
    "UTCTime that is text": dates(UTC, "never"),
    "empty UTCTime": dates(UTC, ""),
    "notAfter of UTCTime 60": put(
        VALIDITY,
        asn1.write_time(GOOD[0]) + asn1.write(UTC, b"601231235959Z"),
    ),
    "notAfter 99991231235959Z": put(
        VALIDITY,
        asn1.write_time(GOOD[0]) + asn1.write(GENERAL, b"99991231235959Z"),
    ),
    "dates as PrintableString": dates(asn1.PRINTABLE_STRING, "%y%m%d%H%M%SZ"),
    # serial number and version
    "serial number 0": put(SERIAL, b"\x00"),
    "serial number -5": put(SERIAL, b"\xfb"),
    "serial number of 21 bytes": put(SERIAL, b"\x41" * 21),
    "serial number of 100 bytes": put(SERIAL, b"\x41" * 100),
    "serial number padded": put(SERIAL, b"\x00\x02"),
    "empty serial number": put(SERIAL, b""),
    "version 4": put(VERSION, asn1.write_integer(3)),
    "version 2": put(VERSION, asn1.write_integer(1)),
    "version 1 written out": put(VERSION, asn1.write_integer(0)),
    "version 1 with extensions": without(VERSION),
    "version 0": put(VERSION, asn1.write_integer(-1)),
    "version 1000": put(VERSION, asn1.write_integer(999)),
    # extensions
    "empty extensions": put(EXTENSIONS, asn1.write(0x30)),
    "no extensions": without(EXTENSIONS),
    "critical FALSE written out": more(extension("1.2.3.4", b"\x05\x00", b"\x00")),
    "critical 0x01": more(extension("1.2.3.4", b"\x05\x00", b"\x01")),
    "unknown critical extension": more(extension("1.2.3.4", b"\x05\x00", b"\xff")),
    "subjectAltName twice": more(extension("2.5.29.17", SAN)),
    "unknown extension twice": more(*[extension("1.2.3.4", b"\x05\x00")] * 2),
    "keyUsage twice": more(*[extension("2.5.29.15", b"\x03\x02\x05\xa0")] * 2),
    "keyUsage without bits": more(extension("2.5.29.15", b"\x03\x01\x00")),
    "keyUsage that is text": more(extension("2.5.29.15", b"\x0c\x01x")),
    "extendedKeyUsage twice": more(
        *[extension("2.5.29.37", asn1.write(0x30, asn1.write_oid("1.3.6.1.5.5.7.3.1")))]
        * 2
    ),
    "extendedKeyUsage without purpose": more(extension("2.5.29.37", b"\x30\x00")),
    "extendedKeyUsage that is text": more(extension("2.5.29.37", b"\x0c\x01x")),
    "basicConstraints that is text": more(extension("2.5.29.19", b"\x0c\x01x")),
    "basicConstraints twice": more(*[extension("2.5.29.19", b"\x30\x00")] * 2),
    "path length without CA": more(extension("2.5.29.19", b"\x30\x03\x02\x01\x00")),
    "empty subjectAltName": more(extension("2.5.29.17", b"\x30\x00")),
    "nsCertType that is text": more(
        extension("2.16.840.1.113730.1.1", b"\x0c\x01x")
    ),
    # names
    "BMPString": name(SUBJECT, asn1.BMP_STRING, "Müller".encode("utf-16-be")),
    "BMPString of odd length": name(SUBJECT, asn1.BMP_STRING, b"\x00M\x00"),
    "UniversalString": name(SUBJECT, asn1.UNIVERSAL_STRING, "M".encode("utf-32-be")),
    "T61String": name(SUBJECT, asn1.T61_STRING, b"M\xfcller"),
    "UTF8String that is Latin-1": name(SUBJECT, asn1.UTF8_STRING, b"M\xfcller"),
    "PrintableString with @": name(SUBJECT, asn1.PRINTABLE_STRING, b"a@b_*"),
    "PrintableString with Latin-1": name(SUBJECT, asn1.PRINTABLE_STRING, b"M\xfcller"),
    "IA5String with Latin-1": name(SUBJECT, asn1.IA5_STRING, b"M\xfcller"),
    "country of three letters": name(
        SUBJECT, asn1.PRINTABLE_STRING, b"DEU", "2.5.4.6"
    ),
    "empty O": name(SUBJECT, asn1.UTF8_STRING, b""),
    "name as INTEGER": name(SUBJECT, asn1.INTEGER, b"\x05"),
    "name as OCTET STRING": name(SUBJECT, asn1.OCTET_STRING, b"\x05"),
    "empty subject": put(SUBJECT, b""),
    "empty issuer": put(ISSUER, b""),
    "empty RDN": put(SUBJECT, b"\x31\x00"),
    # algorithms
    "inner algorithm without NULL": put(ALGORITHM, SHA256_RSA),
    "inner algorithm another": put(
        ALGORITHM, asn1.write_oid("1.2.840.113549.1.1.5") + NULL
    ),
}  # fmt: skip


def written(lengths: str) -> bytes:
    """The sound certificate with its outermost length in another form."""
    whole = sound().der
    content = whole[4:]
    if lengths == "indefinite":
        return b"\x30\x80" + content + b"\x00\x00"
    return b"\x30\x84" + len(content).to_bytes(4, "big") + content


def odd_leaves() -> Iterator[tuple[str, bytes]]:
    """Each by what is odd about it; DER, or what is meant for it."""
    for what, change in CHANGES.items():
        yield what, changed(change)
    yield "a byte after the end", sound().der + b"\x00"
    yield "long length", written("long")
    yield "indefinite length", written("indefinite")
    yield "outer algorithm without NULL", signed(sound().tbs, SHA256_RSA)
    yield "signature with unused bits", signed(sound().tbs, unused=3)
    yield "signature that is none", sound().der[:-1] + bytes([sound().der[-1] ^ 1])
