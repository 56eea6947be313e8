"""A certificate is read as it stands, odd ones too, and never by a printed name."""

import ast
import hashlib
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import certifi
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from tests.unit.certs.conftest import BEGIN, END, Family, named

import linekey
from linekey.certs import der as asn1
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import parse_certificates
from linekey.errors import CertificateError


def rebuilt(certificate: Certificate, **fields: bytes) -> bytes:
    """The DER with some fields of its TBSCertificate replaced; the signature is void."""
    der = certificate.der
    _, start, stop = asn1.read_span(der, 0, len(der))
    _, tbs_start, tbs_stop = asn1.read_span(der, start, stop)
    names = [
        "version",
        "serial",
        "algorithm",
        "issuer",
        "validity",
        "subject",
        "key",
        "rest",
    ]
    parts, at = {}, tbs_start
    for name in names:
        if at < tbs_stop:
            _, _, end = asn1.read_span(der, at, tbs_stop)
            parts[name], at = der[at:end], end
    assert not fields.keys() - parts.keys()
    tbs = asn1.write(0x30, *(parts | fields).values())
    return asn1.write(0x30, tbs, der[tbs_stop:])


def test_every_root_of_mozilla_reads_as_cryptography_reads_it() -> None:
    with open(certifi.where(), "rb") as file:
        roots = parse_certificates(file.read())
    assert len(roots) > 100
    for root in roots:
        other = root.x509
        if root.serial > 0:  # of 0, which some roots have, cryptography warns
            assert root.serial == other.serial_number
        assert root.not_before == other.not_valid_before_utc
        assert root.not_after == other.not_valid_after_utc
        assert root.signature == other.signature
        assert root.tbs == other.tbs_certificate_bytes
        assert root.version == other.version.value + 1
        theirs = [
            (attribute.oid.dotted_string, attribute.value)
            for attribute in other.subject
        ]
        assert [pair for rdn in root.subject.rdns for pair in rdn] == theirs
        assert root.is_ca is True
        assert root.key.kind in {"rsa", "ec"}
        assert root.key.bits == other.public_key().key_size
        assert root.self_issued
        hash_name = other.signature_hash_algorithm
        assert hash_name is not None
        assert root.signature_hash == hash_name.name


def test_fingerprints_are_those_of_the_der(family: Family) -> None:
    leaf = family.leaf
    assert leaf.sha1 == hashlib.sha1(leaf.der).hexdigest()
    assert leaf.md5 == hashlib.md5(leaf.der).hexdigest()
    assert leaf.sha256 == hashlib.sha256(leaf.der).hexdigest()


def test_names_print_as_the_seed_prints_them() -> None:
    text = (
        "emailAddress=security@snom.com,CN=Snom Phone 2 SHA-256,O=snom technology AG,"
        "L=Berlin,ST=Berlin,C=DE"
    )
    # The bytes of the vendor's CA files begin with C and end with the e-mail (H).
    name = Name.build(
        [
            ("C", "DE"),
            ("ST", "Berlin"),
            ("L", "Berlin"),
            ("O", "snom technology AG"),
            ("CN", "Snom Phone 2 SHA-256"),
            ("emailAddress", "security@snom.com"),
        ]
    )
    assert str(name) == text
    assert name.rdns[0] == (("2.5.4.6", "DE"),)


def test_a_comma_in_a_value_splits_nothing() -> None:
    """The Cisco SPA's CN (CISCO-SPA) holds what looks like more attributes."""
    cn = "SPA-525G2, MAC: 708105B37234, Serial: CBT,CN=000413AABBCC"
    name = Name.build([("ST", "708105B37234"), ("CN", cn)])
    assert name.values("CN") == (cn,)
    assert name.values("ST") == ("708105B37234",)
    assert str(name).startswith(
        "CN=SPA-525G2\\, MAC: 708105B37234\\, Serial: CBT\\,CN=000413AABBCC"
    )


def test_several_common_names_and_multi_valued_rdns_are_all_there() -> None:
    name = Name.build([("CN", "one"), [("CN", "two"), ("OU", "x")], ("CN", "three")])
    assert name.values("CN") == ("one", "two", "three")
    assert len(name.rdns) == 3
    assert str(name) == "CN=three,CN=two+OU=x,CN=one"  # DER sorts a set


@pytest.mark.parametrize(
    ("tag", "content", "value"),
    [
        (asn1.BMP_STRING, "000413AABBCC".encode("utf-16-be"), "000413AABBCC"),
        (asn1.UNIVERSAL_STRING, "ä".encode("utf-32-be"), "ä"),
        (asn1.T61_STRING, b"M\xfcller", "Müller"),
        (asn1.UTF8_STRING, b"\xff\xfe", "\ufffd\ufffd"),
        (asn1.BMP_STRING, b"\x00", "\ufffd"),
        (asn1.UTF8_STRING, b"000413AABBCC\x00x", "000413AABBCC\x00x"),
        (asn1.INTEGER, b"\x05", "#020105"),
    ],
)
def test_values_of_every_string_type_are_read(tag, content, value) -> None:
    attribute = asn1.write(0x30, asn1.write_oid("2.5.4.3"), asn1.write(tag, content))
    name = Name.from_der(asn1.write(0x30, asn1.write(0x31, attribute)))
    assert name.values("CN") == (value,)


def test_what_cannot_be_seen_is_escaped_in_print() -> None:
    name = Name.build([("CN", "a\x00b\n\u202ec"), ("O", " x ")])
    assert str(name) == "O=\\ x\\ ,CN=a\\00b\\0A\\E2\\80\\AEc"


def test_names_match_as_openssl_matches_them() -> None:
    ours = Name.build([("CN", "LAB  Phone 1")])
    printable = asn1.write(
        0x30,
        asn1.write_oid("2.5.4.3"),
        asn1.write(asn1.PRINTABLE_STRING, b" lab phone 1 "),
    )
    theirs = Name.from_der(asn1.write(0x30, asn1.write(0x31, printable)))
    assert ours != theirs
    assert ours.matches(theirs)
    assert not ours.matches(Name.build([("CN", "LAB Phone 2")]))
    assert not ours.matches(Name.build([("O", "LAB Phone 1")]))


def test_an_unknown_attribute_type_is_an_error_with_its_cure() -> None:
    with pytest.raises(CertificateError, match="'commonName'") as caught:
        Name.build([("CN", "x")]).values("commonName")
    assert "CN" in caught.value.hint


@pytest.mark.parametrize("serial", [-5, 0, 1, 127, 128, 1 << 159])
def test_serials_that_cryptography_may_refuse_are_read(keys, serial) -> None:
    certificate = issue(
        named("x"), keys[0], None, serial=serial, not_before=BEGIN, not_after=END
    )
    assert certificate.serial == serial


def test_version_1_has_no_extensions(family: Family) -> None:
    old = family.make("old", 3, family.as_issuer(1), version=1)
    assert old.version == 1
    assert old.is_ca is None
    assert old.subject_key_id is None
    assert old.extensions == {}


def test_version_1_with_extensions_is_read_and_told(family: Family) -> None:
    odd = Certificate.from_der(rebuilt(family.leaf, version=b""))
    assert odd.version == 1
    assert odd.subject_key_id == family.leaf.subject_key_id
    assert odd.openssl  # OpenSSL takes it as well


def test_a_small_rsa_key_is_read_though_cryptography_refuses_it(family: Family) -> None:
    small = asn1.write(0x30, asn1.write_integer((1 << 511) + 1), asn1.write_integer(3))
    algorithm = asn1.write(
        0x30, asn1.write_oid("1.2.840.113549.1.1.1"), asn1.write(asn1.NULL)
    )
    spki = asn1.write(0x30, algorithm, asn1.write(asn1.BIT_STRING, b"\x00", small))
    odd = Certificate.from_der(rebuilt(family.leaf, key=spki))
    assert (odd.key.kind, odd.key.bits, odd.key.exponent) == ("rsa", 512, 3)


@pytest.mark.parametrize(
    ("kind", "size", "bits", "curve", "text"),
    [
        ("rsa", 1024, 1024, None, "RSA-1024"),
        ("ec", "secp384r1", 384, "secp384r1", "EC secp384r1"),
        ("ed25519", 0, 256, None, "ED25519"),
        ("dsa", 1024, 1024, None, "DSA-1024"),
    ],
)
def test_keys_are_told_apart(kind, size, bits, curve, text) -> None:
    certificate = issue(
        named("x"), new_key(kind, size), None, serial=1, not_before=BEGIN, not_after=END
    )
    key = certificate.key
    assert (key.kind, key.bits, key.curve, key.text) == (kind, bits, curve, text)


def test_an_unreadable_key_is_told_and_raises_nothing(family: Family) -> None:
    odd = Certificate.from_der(rebuilt(family.leaf, key=asn1.write(0x30, b"")))
    assert odd.key.kind == "unreadable"


def test_an_exponent_too_large_to_print_is_an_unreadable_key(family: Family) -> None:
    numbers = asn1.write_integer((1 << 2047) + 1), asn1.write_integer(1 << 15_000)
    algorithm = asn1.write(0x30, asn1.write_oid("1.2.840.113549.1.1.1"))
    bits = asn1.write(asn1.BIT_STRING, b"\x00", asn1.write(0x30, *numbers))
    odd = Certificate.from_der(
        rebuilt(family.leaf, key=asn1.write(0x30, algorithm, bits))
    )
    assert odd.key.kind == "unreadable"
    assert repr(odd.key)


def test_unreadable_and_doubled_extensions_count_as_absent(family: Family) -> None:
    odd = family.make(
        "odd", 3, family.as_issuer(1),
        extensions=[
            ("2.5.29.17", False, b"\x30\x05garbage"),
            ("2.5.29.19", False, asn1.write(0x30)),
            ("2.5.29.19", False, asn1.write(0x30)),
        ],
    )  # fmt: skip
    assert odd.dns_names == ()
    assert odd.is_ca is None


def test_extensions_are_read(family: Family) -> None:
    rich = family.make(
        "rich", 3, family.as_issuer(1), ca=True, path_length=2, ca_critical=True,
        key_usage=["keyAgreement", "decipherOnly"],
        extended_key_usage=["serverAuth", "1.2.3.4"],
        dns_names=["a.example", "*.b.example"], uris=["sip:example.com"],
        ip_addresses=[ip_address("192.0.2.1"), ip_address("2001:db8::1")],
    )  # fmt: skip
    assert (rich.is_ca, rich.path_length) == (True, 2)
    assert rich.key_usage == {"keyAgreement", "decipherOnly"}
    assert rich.extended_key_usage == ("serverAuth", "1.2.3.4")
    assert rich.dns_names == ("a.example", "*.b.example")
    assert rich.uris == ("sip:example.com",)
    assert [str(a) for a in rich.ip_addresses] == ["192.0.2.1", "2001:db8::1"]
    assert rich.authority_key_id == family.intermediate.subject_key_id
    assert rich.extensions["2.5.29.19"].critical
    assert rich.x509.extensions  # cryptography reads what we wrote


def test_the_hash_of_a_pss_signature_is_found() -> None:
    from cryptography import x509

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, BEGIN, END)
    made = builder.sign(
        key, SHA256(), rsa_padding=padding.PSS(padding.MGF1(SHA256()), 32)
    )
    from cryptography.hazmat.primitives.serialization import Encoding

    ours = Certificate.from_der(made.public_bytes(Encoding.DER))
    assert (ours.signature_algorithm, ours.signature_hash) == ("rsassaPss", "sha256")
    assert str(ours.subject) == ""


@pytest.mark.parametrize(
    ("validity", "begins"),
    [
        ([(asn1.UTC_TIME, b"491231235959Z")], datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ([(asn1.UTC_TIME, b"500101000000Z")], datetime(1950, 1, 1, tzinfo=UTC)),
        ([(asn1.GENERALIZED_TIME, b"20500101000000Z")], datetime(2050, 1, 1, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_dates_are_read_as_rfc_5280_writes_them(family, validity, begins) -> None:
    end = asn1.write(asn1.GENERALIZED_TIME, b"99991231235959Z")
    written = asn1.write(0x30, *(asn1.write(t, c) for t, c in validity), end)
    certificate = Certificate.from_der(rebuilt(family.leaf, validity=written))
    assert certificate.not_before == begins
    assert certificate.not_after.year == 9999


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b"2001020304Z", datetime(2020, 1, 2, 3, 4, tzinfo=UTC)),
        (b"200102030405+0100", datetime(2020, 1, 2, 2, 4, 5, tzinfo=UTC)),
        (b"2001020304-0030", datetime(2020, 1, 2, 3, 34, tzinfo=UTC)),
    ],
)
def test_dates_that_old_openssl_reads_are_read_and_named(
    family: Family, text: bytes, read: datetime
) -> None:
    date = asn1.write(asn1.UTC_TIME, text)
    odd = Certificate.from_der(
        rebuilt(family.leaf, validity=asn1.write(0x30, date, date))
    )
    assert odd.not_before == odd.not_after == read
    assert not odd.strict_times
    assert family.leaf.strict_times


@pytest.mark.parametrize(
    "text",
    [
        b"20010100Z",
        b"200101000000",
        b"",
        b"20010100000aZ",
        b"200101000000+9999999",
        b"200101000000.5",
    ],
)
def test_other_dates_are_never(family: Family, text: bytes) -> None:
    date = asn1.write(asn1.UTC_TIME, text)
    odd = Certificate.from_der(
        rebuilt(family.leaf, validity=asn1.write(0x30, date, date))
    )
    assert (odd.readable_times, odd.strict_times) == (False, False)
    assert odd.not_before.year == 9999
    assert odd.not_after.year == 1


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        (b"200230010203Z", datetime(2020, 2, 29, 23, 59, 59, tzinfo=UTC)),
        (b"201301010203Z", datetime(2020, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"200001010203Z", datetime(2020, 1, 1, tzinfo=UTC)),
        (b"200101249999Z", datetime(2020, 1, 1, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_day_that_does_not_exist_compares_as_its_digits_do(
    family: Family, text: bytes, nearest: datetime
) -> None:
    date = asn1.write(asn1.UTC_TIME, text)
    odd = Certificate.from_der(
        rebuilt(family.leaf, validity=asn1.write(0x30, date, date))
    )
    assert odd.not_before == nearest
    assert (odd.readable_times, odd.strict_times) == (True, False)


@pytest.mark.parametrize("outer_alone", [True, False])
def test_indefinite_lengths_are_read_as_definite_ones(
    family: Family, outer_alone: bool
) -> None:
    whole = family.leaf.der
    content = whole[4:]
    if not outer_alone:
        size = len(family.leaf.tbs)
        content = b"\x30\x80" + content[4:size] + b"\x00\x00" + content[size:]
    assert Certificate.from_der(b"\x30\x80" + content + b"\x00\x00") == family.leaf


def test_what_is_no_certificate_is_an_error_that_says_why(family: Family) -> None:
    der = family.leaf.der
    for data, reason in [
        (b"", "empty"),
        (der[:-1], "past its end"),
        (der + b"\x00", "after the certificate's end"),
        (b"hello", "not a DER certificate"),
        (b"\x30\x80\x00\x00", "truncated"),
        (b"\x30\x80" * 40, "deeply"),
        (b"\x30\x80\x30\x80\x00\x00", "truncated"),
        (bytes(200_000), "limit"),
        (
            rebuilt(
                family.leaf, version=asn1.write(0xA0, asn1.write_integer(1 << 200))
            ),
            "version",
        ),
    ]:
        with pytest.raises(CertificateError, match=reason):
            Certificate.from_der(data)


def test_equality_is_the_ders(family: Family) -> None:
    again = Certificate.from_der(bytearray(family.leaf.der))
    assert again == family.leaf
    assert len({again, family.leaf, family.root}) == 2
    assert Certificate.from_openssl(family.leaf.openssl) == family.leaf


def test_the_first_certificate_of_a_line_is_not_shown_whole(family: Family) -> None:
    assert repr(family.leaf).startswith("<Certificate CN=000413AABBCC sha256=")
    assert "modulus" not in repr(family.leaf.key)
    assert "PrivateKey" not in repr(Issuer(family.root, family.keys[0]))


SOURCES = Path(linekey.__file__).parent
EMPTY = Name.build([])


def unnamed(family, **fields):  # type: ignore[no-untyped-def]
    arguments = {"serial": 0x2A, "not_before": BEGIN, "not_after": END} | fields
    return issue(EMPTY, family.keys[2], family.as_issuer(1), **arguments)


def test_a_subject_is_its_label(family) -> None:  # type: ignore[no-untyped-def]
    assert family.leaf.label == "CN=000413AABBCC"
    assert family.leaf.issuer_label == "CN=intermediate"


def test_an_empty_subject_is_called_by_its_first_alternative_name(family) -> None:  # type: ignore[no-untyped-def]
    named = unnamed(family, dns_names=["sip.example.com", "b.example.com"])
    assert named.label == "DNS:sip.example.com"
    address = unnamed(family, ip_addresses=[ip_address("192.0.2.7")])
    assert address.label == "IP Address:192.0.2.7"
    assert "serial 2a" in unnamed(family).label


def test_a_hostile_name_stays_on_its_line(family) -> None:  # type: ignore[no-untyped-def]
    hostile = unnamed(family, dns_names=["a\n\x1b[2J.example.com"])
    assert hostile.label.isprintable()


def is_name(node: ast.expr) -> bool:
    """``x.subject``, or ``str(x.subject)``."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "str":
        return bool(node.args) and is_name(node.args[0])
    return isinstance(node, ast.Attribute) and node.attr in ("subject", "issuer")


def test_no_sentence_is_made_with_a_bare_subject() -> None:
    found = [
        f"{path.relative_to(SOURCES)}:{node.lineno}"
        for path in sorted(SOURCES.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FormattedValue) and is_name(node.value)
    ]
    assert [f for f in found if not f.startswith("certs/certificate.py")] == []
