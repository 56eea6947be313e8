from dataclasses import replace

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.export.admission import admitted
from linekey.export.needs import fleet_needs
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.tls.versions import Version

MODERN = Device(Mac("000413000001"), "snom", "D785", Firmware.parse("10.1.33.33"))
SHA1 = Device(Mac("000413000002"), "snom", "D715", Firmware.parse("10.1.33.33"))
OLD = Device(Mac("000413000003"), "snom", "300", Firmware.parse("8.7.5.57"))


def test_each_group_needs_what_its_own_phones_do() -> None:
    modern, level_0 = admitted([OLD, SHA1, MODERN])
    assert (modern.name, modern.macs) == ("modern", (MODERN.mac,))
    assert modern.needs == fleet_needs([MODERN])
    assert modern.needs.min_version is Version.TLS1_2
    assert (level_0.name, level_0.macs) == ("level0", (SHA1.mac, OLD.mac))
    assert level_0.needs == fleet_needs([SHA1, OLD])


def test_a_group_without_phones_is_left_out() -> None:
    (only,) = admitted([MODERN])
    assert not only.level_0
    (only,) = admitted([OLD])
    assert only.level_0


def test_a_revoked_phone_is_in_no_group() -> None:
    (only,) = admitted([MODERN, replace(SHA1, state="revoked")])
    assert only.macs == (MODERN.mac,)


def test_a_pin_to_sha2_takes_a_phone_out_of_level_0() -> None:
    pinned = replace(SHA1, generations=frozenset({Generation.SHA256}))
    (only,) = admitted([pinned])
    assert not only.level_0


def test_nobody_is_one_group_that_lets_nobody_in() -> None:
    (only,) = admitted([])
    assert (only.level_0, only.macs) == (False, ())


def test_the_servers_key_decides_the_suites_of_each_group() -> None:
    (only,) = admitted([MODERN], "ECDSA")
    assert all("ECDSA" in name for name in only.needs.suites)
