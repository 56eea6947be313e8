"""Certificates that today's OpenSSL does not load, written once more."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from tests.live.line_cases import TODAY
from tests.live.odd_certificates import odd_leaves, root
from tests.live.strength_cases import EC_HASHES, chain, rsa_chain

from linekey.certs import der as asn1
from linekey.certs.certificate import Certificate
from linekey.certs.lines import prove_as
from linekey.certs.restate import against_signatures, loads, restate, stand_in

LEAVES = dict(odd_leaves())
READ_BY_OLD_LINES_ALONE = (
    "UTCTime without seconds",
    "GeneralizedTime without seconds",
    "UTCTime without Z",
    "UTCTime that is text",
    "GeneralizedTime without Z",
    "serial number padded",
    "empty serial number",
)


@pytest.mark.parametrize("what", READ_BY_OLD_LINES_ALONE)
def test_a_stand_in_has_the_same_key_and_size_and_is_read(what: str) -> None:
    der = LEAVES[what]
    made = stand_in(der)
    assert made is not None
    assert len(made) == len(der)
    stand = Certificate.from_der(made)
    assert loads(stand)
    assert stand.public_key_der == Certificate.from_der(der).public_key_der


@pytest.mark.parametrize("what", sorted(LEAVES.keys() - set(READ_BY_OLD_LINES_ALONE)))
def test_nothing_stands_in_for_what_is_read_or_what_no_line_reads(what: str) -> None:
    assert stand_in(LEAVES[what]) is None


def test_a_restated_path_is_read_and_its_true_signatures_still_count() -> None:
    leaf = Certificate.from_der(LEAVES["UTCTime without seconds"])
    again = restate((leaf, root()), old=True)
    assert all(map(loads, again))
    assert again[0].not_before == leaf.not_before
    assert again[0].dns_names == leaf.dns_names
    assert not list(against_signatures((leaf, root())))
    broken = Certificate.from_der(leaf.der[:-1] + bytes([leaf.der[-1] ^ 1]))
    assert [p.code for p in against_signatures((broken, root()))] == [7]


P256 = (
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
)
"""Prime, b, generator's x and y, order (FIPS 186-4 §D.1.2.3); a is -3."""


def spelled_out(key: ec.EllipticCurvePublicKey, numbers: tuple[int, ...]) -> bytes:
    """SubjectPublicKeyInfo with ECParameters (RFC 3279 §2.3.5)."""
    prime, b, x, y, order = numbers
    field = asn1.write(
        0x30, asn1.write_oid("1.2.840.10045.1.1"), asn1.write_integer(prime)
    )
    curve = asn1.write(0x30, *(asn1.write(4, n.to_bytes(32)) for n in (prime - 3, b)))
    base = asn1.write(4, b"\x04" + x.to_bytes(32) + y.to_bytes(32))
    parameters = asn1.write(
        0x30, asn1.write_integer(1), field, curve, base, asn1.write_integer(order),
        asn1.write_integer(1),
    )  # fmt: skip
    point = key.public_numbers()
    bits = b"\x00\x04" + point.x.to_bytes(32) + point.y.to_bytes(32)
    algorithm = asn1.write(0x30, asn1.write_oid("1.2.840.10045.2.1"), parameters)
    return asn1.write(0x30, algorithm, asn1.write(asn1.BIT_STRING, bits))


@pytest.mark.parametrize("other", [0, 1, 2, 3, 4], ids=["", "b", "x", "y", "order"])
def test_a_curve_that_is_spelled_out_is_checked_where_it_is_a_named_one(
    other: int,
) -> None:
    """And nowhere else: not with another generator, to which anybody knows a key."""
    own = ec.generate_private_key(ec.SECP256R1())
    numbers = tuple(n + (place == other != 0) for place, n in enumerate(P256))
    algorithm = asn1.write(0x30, asn1.write_oid(EC_HASHES["sha256"]))

    def sign(tbs: bytes) -> bytes:
        return own.sign(tbs, ec.ECDSA(hashes.SHA256()))

    ders = chain(spelled_out(own.public_key(), numbers), algorithm, sign)
    leaf, middle = map(Certificate.from_der, ders)
    proof = prove_as("1.0.2", leaf, (middle,), (root(),), at=TODAY, purpose="server")
    assert [p.code for p in proof.problems] == ([1] if other else [])
    forged = Certificate.from_der(leaf.der[:-1] + bytes([leaf.der[-1] ^ 1]))
    proof = prove_as("1.0.2", forged, (middle,), (root(),), at=TODAY, purpose="server")
    assert [p.code for p in proof.problems] == ([1] if other else [7])


def test_a_signature_that_nobody_here_can_check_is_no_bad_one() -> None:
    ders = rsa_chain(1024, 65_537, "md4", lambda tbs: b"no MD4")
    leaf, middle = map(Certificate.from_der, ders)
    proof = prove_as("1.0.1", leaf, (middle,), (root(),), at=TODAY, purpose="server")
    (problem,) = proof.problems
    assert problem.code == 1
    assert "md4WithRSAEncryption by RSA-1024" in problem.detail
    assert problem.certificate == leaf
