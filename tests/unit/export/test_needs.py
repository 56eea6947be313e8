from dataclasses import replace
from typing import Any

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.catalog.profile import all_profiles
from linekey.export.admission import admitted
from linekey.export.gnutls import priority_string
from linekey.export.needs import Needs, fleet_needs
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.tls.policy import PolicyChoice, choose
from linekey.tls.suites import by_name
from linekey.tls.versions import Version

MODERN_RSA = ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384")


def phone(model: str | None, firmware: str | None = None, number: int = 1) -> Device:
    mac = Mac(f"0004130000{number:02X}")
    return Device(
        mac, "snom", model, None if firmware is None else Firmware.parse(firmware)
    )


def test_a_modern_sha2_fleet_needs_tls12_two_suites_and_no_level_0() -> None:
    needs = fleet_needs([phone("D785", "10.1.33.33")])
    assert needs.versions == (Version.TLS1_2,)
    assert needs.suites == MODERN_RSA
    assert needs.tls13_suites == ()
    assert not needs.level_0
    assert not needs.dhe
    assert needs.notes == ()
    assert needs.unserved == ()


def test_one_sha1_phone_asks_for_level_0_and_for_nothing_else() -> None:
    needs = fleet_needs([phone("D785", "10.1.33.33"), phone("D715", "10.1.33.33", 2)])
    assert needs.versions == (Version.TLS1_2,)
    assert needs.suites == MODERN_RSA
    assert needs.sha1_models == ("D715",)
    assert needs.level_0_reasons == ("SHA-1 certificates of the D715",)


def test_a_generation_that_the_operator_pinned_counts() -> None:
    pinned = replace(phone("D715", "10.1.33.33"), generations=frozenset({Generation.SHA256}))  # fmt: skip
    assert not fleet_needs([pinned]).level_0
    sha1 = replace(phone("D785", "10.1.33.33"), generations=frozenset({Generation.SHA1}))  # fmt: skip
    assert fleet_needs([sha1]).sha1_models == ("D785",)


def test_a_tls10_phone_opens_tls10_and_its_own_suites() -> None:
    needs = fleet_needs([phone("D785", "10.1.33.33"), phone("300", "8.7.5.57", 2)])
    assert needs.versions == (Version.TLS1_0, Version.TLS1_1, Version.TLS1_2)
    assert needs.suites == (*MODERN_RSA, "DHE-RSA-AES128-SHA", "AES128-SHA")
    assert needs.old_protocols == ("300",)
    assert needs.dhe
    assert len(needs.level_0_reasons) == 2


def test_revoked_phones_need_nothing() -> None:
    gone = replace(phone("300", "8.7.5.57"), state="revoked")
    needs = fleet_needs([phone("D785", "10.1.33.33", 2), gone])
    assert needs.phones == 1
    assert needs.min_version is Version.TLS1_2


def test_a_phone_that_nothing_acceptable_serves_is_named_with_the_reason() -> None:
    needs = fleet_needs([phone("360", "8.7.3.25.9"), phone("D785", "10.1.33.33", 2)])
    (who,) = needs.unserved
    assert who.phones == ("000413000001 (360 8.7.3.25.9)",)
    assert "3DES" in who.reason
    assert needs.min_version is Version.TLS1_2


def test_no_phone_at_all_needs_what_phones_of_today_do() -> None:
    needs = fleet_needs([])
    assert needs.versions == (Version.TLS1_2,)
    assert needs.suites[0] == MODERN_RSA[0]
    assert "no phone is registered" in needs.notes[0]


def test_unknown_models_and_firmwares_are_taken_for_new_and_named() -> None:
    needs = fleet_needs([phone(None), phone("D715", None, 2)])
    assert needs.max_version is Version.TLS1_3
    assert needs.tls13_suites
    assert "000413000001" in needs.notes[0]
    assert "000413000002" in needs.notes[1]


def test_a_model_that_the_catalogue_does_not_have_is_said_with_a_cure_that_fits() -> None:  # fmt: skip
    needs = fleet_needs([phone("T46S"), phone(None, None, 2)])
    unset, strange = needs.notes
    assert "model not in the record" in unset
    assert "000413000002" in unset
    assert "000413000001" not in unset
    assert "no source tells" in strange
    assert "000413000001 (T46S)" in strange
    assert "TLS 1.2 and 1.3" in strange
    assert "--min-version" in strange
    assert "--model" not in strange


def test_the_operator_can_open_an_older_version_than_the_registry_knows_of() -> None:
    needs = fleet_needs([phone("T46S")], oldest=Version.TLS1_0)
    assert needs.min_version is Version.TLS1_0
    assert {"ECDHE-RSA-AES128-SHA", "AES128-SHA"} < set(needs.suites)
    assert all(by_name(n).authentication == "RSA" for n in needs.suites)
    assert needs.level_0_reasons == ("TLSv1, which was asked for",)
    assert needs.level_0


def test_the_operator_can_close_a_version_and_who_is_not_served_is_named() -> None:
    devices = [phone("D785", "10.1.33.33"), phone("300", "8.7.5.57", 2)]
    needs = fleet_needs(devices, oldest=Version.TLS1_2)
    assert needs.versions == (Version.TLS1_2,)
    assert needs.suites == MODERN_RSA
    assert not needs.level_0
    (who,) = needs.unserved
    assert who.phones == ("000413000002 (300 8.7.5.57)",)
    assert "TLSv1.2 the oldest" in who.reason


def test_an_ecdsa_server_key_gets_ecdsa_suites_and_loses_what_has_none() -> None:
    needs = fleet_needs(
        [phone("D785", "10.1.33.33"), phone("300", "8.7.5.57", 2)], "ECDSA"
    )
    assert all("ECDSA" in name for name in needs.suites)
    (who,) = needs.unserved
    assert "RSA key" in who.reason


@pytest.mark.parametrize("profile", all_profiles(), ids=lambda p: p.name)
def test_no_phone_of_the_catalogue_brings_a_broken_suite(profile) -> None:
    device = Device(Mac("000413000001"), "snom", profile.model.name, profile.firmware)
    needs = fleet_needs([device])
    served = [] if needs.unserved else needs.suite_values
    for suite in served:
        assert suite.cipher == "AES"
        assert suite.authentication == "RSA"
        assert suite.mac != "MD5"
        assert not suite.export
        assert suite.number in profile.suites
    assert bool(needs.unserved) == (profile.max_version < Version.TLS1_2 and not any(
        by_name(n).number in profile.suites for n in ("AES128-SHA", "AES256-SHA")
    ))  # fmt: skip


def test_gnutls_is_told_the_same() -> None:
    modern = fleet_needs([phone("D785", "10.1.33.33")])
    assert priority_string(modern) == (
        "NONE:+VERS-TLS1.2:+ECDHE-RSA:+AES-128-GCM:+AES-256-GCM:+AEAD:+SIGN-ALL:"
        "+GROUP-ALL:+CTYPE-X509:+COMP-NULL"
    )
    old: Needs = fleet_needs([phone("300", "8.7.5.57")])
    text = priority_string(old)
    assert "+VERS-TLS1.0" in text
    assert "+VERS-TLS1.2" not in text
    assert "+DHE-RSA:+RSA:+AES-128-CBC:+SHA1" in text
    assert text.endswith("%PROFILE_LOW:%VERIFY_ALLOW_SIGN_WITH_SHA1")


def test_a_kind_of_phone_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def counted(*given: Any) -> PolicyChoice:
        looked.append(given)
        return choose(*given)

    monkeypatch.setattr("linekey.export.needs.choose", counted)
    fleet = [phone("D785", "10.1.77.77", n) for n in range(20)]  # in no other test
    assert fleet_needs(fleet).phones == 20
    assert [len(group.macs) for group in admitted(fleet)] == [20]
    assert len(looked) == 1


@pytest.mark.parametrize("model", ["T46U", "VVX450", "GRP2614"])
def test_another_makers_phone_is_taken_for_one_of_today_and_named(model: str) -> None:
    needs = fleet_needs([replace(phone(model), vendor="yealink")])
    assert (needs.min_version, needs.max_version) == (Version.TLS1_2, Version.TLS1_3)
    assert not needs.level_0
    assert "no source tells what the model supports" in needs.notes[0]
    assert model in needs.notes[0]


def test_with_both_certificates_each_phone_has_the_suites_that_it_can_use() -> None:
    new, old = phone("D785", "10.1.33.33"), phone("300", "8.7.5.57", 2)
    both = fleet_needs([new, old], also_ecdsa=True)
    assert set(fleet_needs([new, old]).suites) < set(both.suites)
    assert set(both.suites) == {
        *fleet_needs([new, old]).suites,
        *fleet_needs([new], "ECDSA").suites,
    }
    # A phone that knows RSA alone is served as before, and asks for nothing new.
    assert fleet_needs([old], also_ecdsa=True) == fleet_needs([old])
    assert fleet_needs([old], "ECDSA").unserved
    first = both.suites[0]
    assert "ECDSA" in first  # whose signature costs the server least


def test_without_a_phone_both_certificates_have_their_suites() -> None:
    suites = fleet_needs([], also_ecdsa=True).suites
    assert {by_name(name).authentication for name in suites} == {"RSA", "ECDSA"}
    oldest = fleet_needs([], oldest=Version.TLS1_0, also_ecdsa=True).suites
    assert {"AES128-SHA", "ECDHE-ECDSA-AES128-SHA"} <= set(oldest)
