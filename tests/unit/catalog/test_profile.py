import pytest

from linekey.catalog.models import MODELS, Generation, find_model
from linekey.catalog.profile import (
    Profile,
    all_profiles,
    as_captured,
    newest_firmware,
    profile,
)
from linekey.errors import InputError
from linekey.tls.hello import new_client_hello
from linekey.tls.versions import Version

PROFILES = all_profiles()


def test_the_lab_phone_is_a_modern_one() -> None:
    phone = profile("D785", "10.1.33.33")
    assert phone.name == "D785 10.1.33.33"
    assert phone.version_labels == ("TLSv1", "TLSv1.1", "TLSv1.2")
    assert (phone.min_version, phone.max_version) == (0x0301, 0x0303)
    assert phone.builtin_generation is Generation.SHA256
    assert phone.hashes == ("sha1", "sha224", "sha256", "sha384", "sha512")
    assert phone.server_auth_forced
    assert phone.confidence == "H"
    assert phone.warnings == ()


def test_the_old_phone_speaks_ssl3_and_proves_only_its_vendor() -> None:
    phone = profile("snom300", "8.7.3.25.9")
    assert phone.version_labels == ("SSLv3", "TLSv1")
    assert phone.shared_certificate
    assert phone.hashes == ("sha1",)
    assert phone.sha2_since is None
    assert 0x000A in phone.suites  # 3DES


def test_an_unlikely_combination_is_answered_with_a_warning() -> None:
    phone = profile("D785", "8.7.5.35")
    assert phone.warnings
    assert phone.confidence == "L"


def test_an_unknown_model_and_a_broken_version_are_input_errors() -> None:
    with pytest.raises(InputError, match="unknown phone model"):
        profile("D999", "10.1.33.33")
    with pytest.raises(InputError, match="not a firmware version"):
        profile("D785", "newest")


def test_the_newest_firmware_is_the_newest_row() -> None:
    assert str(newest_firmware(MODELS["D785"])) == "10.1.33.33"
    assert str(newest_firmware(MODELS["300"])) == "8.7.5.57"
    assert str(newest_firmware(MODELS["D717"])) == "10.1.33.33"


def test_all_profiles_cover_every_model_and_every_cell_of_the_matrix() -> None:
    assert {phone.model.name for phone in PROFILES} == set(MODELS)
    # SNOM-TLS's rows hold 12, 5, 8, 5 and 13 phones, the last with two firmwares; its
    # notes add 1 and 4 more.
    named = [p for p in PROFILES if p.model.origin != "later"]
    later = [p for p in PROFILES if p.model.origin == "later"]
    assert len(named) == 12 + 5 + 8 + 5 + 2 * 13 + 1 + 4
    assert len(later) == sum(m.origin == "later" for m in MODELS.values())
    assert all(not p.warnings for p in PROFILES)


@pytest.mark.parametrize("phone", PROFILES, ids=lambda p: p.name)
def test_every_fact_has_a_source_and_a_confidence(phone: Profile) -> None:
    names = {rule.name for rule in phone.facts}
    assert {"tls.versions", "tls.suites", "certificate.builtin"} <= names
    for rule in phone.facts:
        assert rule.statement
        assert rule.source
        assert rule.confidence in ("H", "M", "L")


def test_no_fact_is_surer_than_the_model_it_speaks_of() -> None:
    phone = profile("D717", "10.1.50.0")
    of_the_model = [
        r for r in phone.facts if r.name.startswith(("tls.", "certificate.b"))
    ]
    assert {r.confidence for r in of_the_model if r.name != "tls.note"} == {"L"}


@pytest.mark.parametrize(
    ("model", "verifies", "forced", "checks_name"),
    [
        ("T46U", True, False, False),
        ("VVX450", True, True, True),
        ("GRP2614", False, False, False),
        ("HT801", True, False, False),
    ],
)
def test_another_makers_phone_is_unknown_but_for_its_makers_defaults(
    model: str, verifies: bool, forced: bool, checks_name: bool
) -> None:
    row = profile(model, newest_firmware(find_model(model)))
    assert row.is_unknown
    assert row.confidence == "L"
    assert (row.server_auth_default, row.server_auth_forced) == (verifies, forced)
    assert row.check_fqdn_default is checks_name
    assert row.builtin_generation is None
    assert row.facts[0].name == "tls.unknown"
    assert row.warnings == ()


def test_a_captured_hello_tells_versions_suites_keys_and_hashes() -> None:
    row = profile("T46U", "108.86.0.45")
    old = as_captured(row, profile("D710", "8.7.5.35").client_hello())
    assert not old.is_unknown
    assert old.versions == (0x0301,)
    assert old.authentications == ("RSA",)
    assert old.hashes == ("sha1", "sha224", "sha256", "sha384", "sha512")
    new = as_captured(row, profile("D785", "10.1.33.33").client_hello())
    assert new.versions == (0x0301, 0x0302, 0x0303)
    assert new.authentications == ("RSA", "ECDSA")
    assert "md5" not in new.hashes
    assert {"sha1", "sha256", "sha384"} <= set(new.hashes)
    assert new.suites == profile("D785", "10.1.33.33").suites


def test_a_tls_1_2_hello_without_signature_algorithms_knows_sha1_alone() -> None:
    hello = new_client_hello(
        random=bytes(32), max_version=Version.TLS1_2, suites=(0xC02F,), groups=(23,)
    )
    row = as_captured(profile("T46U", "108.86.0.45"), hello)
    assert row.hashes == ("sha1",)
