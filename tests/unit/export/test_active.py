"""The lists of phones for foreign file servers, and how nginx tells generations."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from tests.certificates import certificate, key

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.certs.pem import to_pem
from linekey.export.active import active_phones, apache_map, nginx_map
from linekey.export.signature_rule import signature_patterns
from linekey.mac import Mac
from linekey.provisioning.device import Device

BOTH = (Generation.SHA1, Generation.SHA256)


def phone(number: int, model: str | None, **changes: Any) -> Device:
    device = Device(Mac(f"0004130000{number:02X}"), "snom", model, Firmware.parse("10.1.33.33"))  # fmt: skip
    return replace(device, **changes)


def test_active_phones_are_listed_with_the_generations_linekey_allows() -> None:
    devices = [
        phone(3, "D785"),
        phone(2, "D715"),
        phone(1, None),
        phone(4, "D785", state="revoked"),
        phone(5, "D715", generations=frozenset({Generation.SHA256})),
        phone(6, "D785", generations=frozenset()),
        phone(7, "Yealink T46U"),
    ]
    found = {p.mac.digits[-1]: p.generations for p in active_phones(devices)}
    assert list(found) == ["1", "2", "3", "5", "7"]
    assert found["1"] == found["7"] == BOTH
    assert Generation.SHA1 in found["2"]
    assert found["3"] == found["5"] == (Generation.SHA256,)


def test_each_peer_has_its_own_form() -> None:
    phones = active_phones([phone(1, None), phone(2, "D785")])
    assert nginx_map(phones) == (
        "000413000001:sha1 1;\n000413000001:sha256 1;\n000413000002:sha256 1;\n"
    )
    assert apache_map(phones) == "000413000001 sha1,sha256\n000413000002 sha256\n"
    assert nginx_map(()) == apache_map(()) == ""


def generations_of(pem: str) -> set[Generation]:
    """What nginx would find in its escaped PEM."""
    escaped = quote(pem, safe="")
    return {g for pattern, g in signature_patterns() if re.search(pattern, escaped)}


@pytest.mark.parametrize("length", range(1, 21))
@pytest.mark.parametrize(
    ("kind", "size", "hash"),
    [
        ("rsa", 1024, "sha1"), ("rsa", 2048, "sha256"), ("rsa", 2048, "sha384"), ("rsa", 2048, "sha512"),
        ("ec", "secp256r1", "sha1"), ("ec", "secp256r1", "sha256"), ("ec", "secp384r1", "sha384"),
    ],
)  # fmt: skip
def test_nginx_reads_the_generation_from_a_certificate_with_any_serial_number(
    kind: str, size: Any, hash: Any, length: int
) -> None:
    for serial in (1 << (8 * length - 2), (1 << (8 * length - 1)) - 1):
        subject = [("C", "DE"), ("CN", "000413AABBCC")]
        made = certificate(subject, key("phone", kind, size), serial=serial, hash=hash)
        assert made.signature_hash == hash
        expected = Generation.SHA1 if hash == "sha1" else Generation.SHA256
        assert generations_of(to_pem(made)) == {expected}


def test_another_algorithm_is_of_no_generation() -> None:
    made = certificate("000413AABBCC", key("phone", "ed25519", 0))
    assert generations_of(to_pem(made)) == set()


def test_the_algorithm_is_looked_for_in_the_first_line_only() -> None:
    pem = to_pem(certificate("x", key("phone", "rsa", 1024), hash="sha1"))
    first, rest = pem.split("\n", 1)
    assert generations_of(f"{first}\n{'A' * 64}\n{rest}") == set()
