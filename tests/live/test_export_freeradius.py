"""FreeRADIUS from exported files: 802.1X by EAP-TLS. The supplicant is eapol_test.

Its configuration is the one that linekey's phone writes (``network.ieee8021x``). Each
refusal stands beside a log-in at the same server, and is for the reason that the
server's log gives.
"""

from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.radius import is_in, log_in, phone_identity, radius, refused
from tests.live.test_export_https import (
    SHA1_PHONE,
    add_sha1_phone,
    modernize,
    spoofing_identities,
)

from linekey.catalog.models import Generation
from linekey.lab.authority import LabAuthority
from linekey.tls.versions import Version

pytestmark = [pytest.mark.peer("freeradius"), pytest.mark.peer("eapol_test")]

TLS10, TLS11 = (Version.TLS1_0,), (Version.TLS1_1,)
TLS12, TLS13 = (Version.TLS1_2,), (Version.TLS1_3,)
TOO_OLD_OR_NEW = "Alert write:fatal:protocol version"


async def test_a_phone_logs_in_with_its_certificate(
    place: Place, record_interop: Any
) -> None:
    modernize(place)
    async with radius(place) as peer:
        got = await log_in(place, peer, place.phone, place.identity(place.phone))
    assert is_in(got), got.out[-3000:] + peer.log()
    record_interop("freeradius", "EAP-TLS with a SHA-256 certificate over TLS 1.2")


async def test_a_sha1_rsa1024_phone_and_a_tls10_phone_log_in_where_the_fleet_has_them(
    place: Place, record_interop: Any
) -> None:
    add_sha1_phone(place)
    async with radius(place) as peer:
        for mac, versions in (
            (SHA1_PHONE, TLS12),
            (place.old_phone, TLS11),
            (place.old_phone, TLS10),
        ):
            identity = place.identity(mac, Generation.SHA1)
            got = await log_in(place, peer, mac, identity, versions)
            assert is_in(got), got.out[-3000:] + peer.log()
    record_interop("freeradius", "SHA-1, RSA-1024 certificate; TLS 1.0, 1.1 and 1.2")


async def test_an_old_phone_opens_nothing_for_a_new_one(
    place: Place, tmp_path: Path, record_interop: Any
) -> None:
    old = place.identity(place.old_phone, Generation.SHA1)
    good = place.identity(place.phone)
    async with radius(place) as peer:
        assert is_in(await log_in(place, peer, place.old_phone, old, TLS10)), peer.log()
        assert is_in(await log_in(place, peer, place.phone, good)), peer.log()
        for identity, versions, reason in (
            (good, TLS10, TOO_OLD_OR_NEW),
            (good, TLS11, TOO_OLD_OR_NEW),
            (place.identity(place.phone, Generation.SHA1), TLS12, "key too weak"),
            (phone_identity(place, tmp_path, str(place.phone), "sha1"), TLS12, "signature digest algorithm too weak"),
        ):  # fmt: skip
            login = log_in(place, peer, place.phone, identity, versions)
            await refused(peer, login, reason)
    record_interop(
        "freeradius",
        "SHA-1 certificate or TLS 1.0 of a phone that has better",
        "reject",
    )


async def test_a_phone_cannot_call_itself_another_phone(
    place: Place, record_interop: Any
) -> None:
    modernize(place)
    add_sha1_phone(place)
    good = place.identity(place.phone)
    async with radius(place) as peer:
        assert is_in(await log_in(place, peer, place.phone, good)), peer.log()
        await refused(
            peer,
            log_in(place, peer, SHA1_PHONE, good),
            "Certificate CN (000413AABBCC) does not match specified value",
        )
    record_interop(
        "freeradius", "another phone's name, one's own certificate", "reject"
    )


async def test_strangers_and_what_the_fleet_does_not_need_are_rejected(
    place: Place, tmp_path: Path, record_interop: Any
) -> None:
    modernize(place)
    other = LabAuthority.open(tmp_path / "other-lab")
    other.device_identity(place.phone, Generation.SHA256)
    path = other.device_path(place.phone, Generation.SHA256)
    forged = (str(path.with_suffix(".pem")), str(path.with_suffix(".key")))
    good = place.identity(place.phone)
    async with radius(place) as peer:
        assert is_in(await log_in(place, peer, place.phone, good)), peer.log()
        for identity, versions, reason in (
            (forged, TLS12, "Alert write:fatal:unknown CA"),
            (place.identity(place.phone, Generation.SHA1), TLS12, "key too weak"),
            (good, TLS11, TOO_OLD_OR_NEW),
        ):
            login = log_in(place, peer, place.phone, identity, versions)
            await refused(peer, login, reason)
    record_interop(
        "freeradius", "a stranger's certificate, or an unneeded SHA-1 one", "reject"
    )


async def test_tls13_is_not_spoken(place: Place) -> None:
    modernize(place)
    good = place.identity(place.phone)
    async with radius(place) as peer:
        got = await log_in(place, peer, place.phone, good, TLS12 + TLS13)
        assert is_in(got), peer.log()
        assert "Using TLS version TLSv1.2" in got.out
        await refused(
            peer, log_in(place, peer, place.phone, good, TLS13), TOO_OLD_OR_NEW
        )


async def test_the_servers_order_of_suites_decides(place: Place) -> None:
    modernize(place)
    good = place.identity(place.phone)
    best, second = "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"
    async with radius(place) as peer:
        got = await log_in(place, peer, place.phone, good, suites=(second, best))
        alone = await log_in(place, peer, place.phone, good, suites=(second,))
    assert "Server selected cipher suite 0xc02f" in got.out, peer.log()
    assert "Server selected cipher suite 0xc030" in alone.out, peer.log()
    assert is_in(got)
    assert is_in(alone)


async def test_no_other_attribute_passes_for_the_cn(
    place: Place, tmp_path: Path
) -> None:
    modernize(place)
    good = place.identity(place.phone)
    async with radius(place) as peer:
        assert is_in(await log_in(place, peer, place.phone, good)), peer.log()
        for number, identity in enumerate(spoofing_identities(place, tmp_path)):
            login = log_in(place, peer, place.phone, identity)
            if number == FIRST_OF_TWO:
                assert is_in(await login), peer.log()
            else:
                await refused(peer, login, "does not match specified value")


FIRST_OF_TWO = 8
"""CN=000413AABBCC, CN=000413AABB99: no vendor's authority issues two CNs."""
