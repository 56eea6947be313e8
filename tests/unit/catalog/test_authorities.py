"""The table of Snom's authorities, typed from SNOM-CA."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from linekey.catalog.authorities import ALL_CAS, KNOWN_CAS, known_ca


@dataclass
class Seen:
    sha1: str
    sha256: str


FACTS = [
    ("Snom Technology AG CA", "Snom Technology AG", 0xA6CE92744C91EC5F,
     "2008-07-22 10:18:48", "2037-04-21 10:18:48", 1024, "sha1",
     "d8d849e5819997c4d908f341f57291f00ad7ebc7",
     "c21060cc9b2ba8c6e2e1f4fe6a2fa93dbbf4cdac2d54750bb61a65b43444311c"),
    ("snom technology AG SHA-256 CA", "snom technology AG", 0xEEE986A833AB43C7,
     "2016-02-11 14:13:15", "2037-12-31 14:13:15", 2048, "sha256",
     "c2d82c4eca9c4bad5b880747330f27ee53730262",
     "746d74357f0a00ecc615d59514ffbadf7caa06ed8a66f33aaea6a1a151a21d40"),
    ("Snom Phone 1 SHA-256", "snom technology AG", 2,
     "2016-02-11 15:19:52", "2037-12-31 15:19:52", 2048, "sha256",
     "cdf226f0627f00043a737cb66659d50009aca6c9",
     "ac6b0efa80c1f92dae01add84cc8ce069e45dd34f7a0a254b4b2dcbbd0f4de88"),
    ("Snom Phone 2 SHA-256", "snom technology AG", 3,
     "2016-02-11 15:21:22", "2037-12-31 15:21:22", 2048, "sha256",
     "4cdca2865d4420f5da5de5652e9e5471871eabff", None),
]  # fmt: skip


@pytest.mark.parametrize("row", FACTS, ids=lambda row: row[0])
def test_an_authority_is_known_by_its_fingerprint(row: tuple) -> None:
    name, organization, serial, begins, ends, bits, digest, sha1, sha256 = row
    ca = known_ca(Seen(sha1, sha256 or "0" * 64))
    assert ca is not None
    assert (ca.name, ca.organization, ca.serial) == (name, organization, serial)
    assert ca.not_before == datetime.fromisoformat(begins).replace(tzinfo=UTC)
    assert ca.not_after == datetime.fromisoformat(ends).replace(tzinfo=UTC)
    assert (ca.key_bits, ca.signature_hash) == (bits, digest)
    assert (ca.generation.value, ca.key_bits) in {("sha1", 1024), ("sha256", 2048)}
    assert (ca.vendor, ca.confidence) == ("snom", "H")
    assert ca.role == ("root" if name.endswith("CA") else "intermediate")


def test_a_sha1_match_does_not_stand_against_a_known_sha256() -> None:
    name, *_, sha1, sha256 = FACTS[0]
    assert known_ca(Seen(sha1, "0" * 64)) is None
    assert KNOWN_CAS[sha1].name == KNOWN_CAS[sha256].name == name


def test_an_unknown_certificate_is_unknown() -> None:
    assert known_ca(Seen("0" * 40, "0" * 64)) is None


def test_the_intermediate_without_known_bytes_is_listed_and_matches_nothing() -> None:
    (ca,) = [ca for ca in ALL_CAS if ca.name == "Snom Phone 1"]
    assert (ca.sha1, ca.sha256, ca.not_after) == (None, None, None)
    assert ca not in KNOWN_CAS.values()


def test_the_printed_md5_is_kept() -> None:
    (ca,) = [ca for ca in ALL_CAS if ca.name == "Snom Phone 2 SHA-256"]
    assert ca.md5 == "92e6ba2db3bcecf0c3383716709b2ebc"
