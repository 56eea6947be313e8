"""Kamailio from exported files: a registrar that knows which phone registers.

What it does with all but registrations is in test_export_kamailio_calls.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.peers import free_port
from tests.live.sip_line import USER, line, register, registrar
from tests.live.test_export_https import (
    SHA1_PHONE,
    add_sha1_phone,
    modernize,
    spoofing_identities,
)

from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_VENDOR
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.server.server import utc_now
from linekey.store.devices import Devices

pytestmark = [pytest.mark.peer("kamailio"), pytest.mark.peer("openssl")]


async def test_a_phone_registers_its_own_account(
    place: Place, record_interop: Any
) -> None:
    async with (
        registrar(place, (USER, str(place.phone))) as peer,
        line(place, peer, place.identity(place.phone)) as phone,
    ):
        challenge = await phone.ask(register())
        assert challenge.startswith("SIP/2.0 401"), challenge + peer.log()
        answer = await phone.ask(register(challenge=challenge, cseq=2))
    assert answer.startswith("SIP/2.0 200"), answer + peer.log()
    assert f"sip:{USER}@127.0.0.1" in answer
    record_interop("kamailio", "REGISTER over TLS, client certificate and digest")


async def test_an_account_is_refused_to_another_phone_with_the_right_password(
    place: Place, record_interop: Any
) -> None:
    async with registrar(
        place, (USER, "000413AABB99"), ("4712", str(place.phone))
    ) as peer:
        async with line(place, peer, place.identity(place.phone)) as phone:
            challenge = await phone.ask(register())
            answer = await phone.ask(register(challenge=challenge, cseq=2))
            assert answer.startswith("SIP/2.0 403 This account belongs"), answer
        async with line(place, peer, place.identity(place.phone)) as phone:
            challenge = await phone.ask(register())
            answer = await phone.ask(
                register(challenge=challenge, as_user="4712", cseq=2)
            )
            assert answer.startswith("SIP/2.0 403 This account is not yours"), answer
    record_interop("kamailio", "right password from another phone", "403")


async def test_a_wrong_password_is_challenged_again(place: Place) -> None:
    async with (
        registrar(place, (USER, str(place.phone))) as peer,
        line(place, peer, place.identity(place.phone)) as phone,
    ):
        challenge = await phone.ask(register())
        answer = await phone.ask(register(challenge=challenge, secret="x", cseq=2))
    assert answer.startswith("SIP/2.0 401"), answer


async def test_an_account_without_a_mac_is_nobodys(place: Place) -> None:
    async with registrar(place, (USER, ""), ("2", str(place.phone))) as peer:
        async with line(place, peer, place.identity(place.phone)) as phone:
            answer = await phone.register()
            assert answer.startswith("SIP/2.0 403 This account belongs"), answer
        # And closes no other.
        async with line(place, peer, place.identity(place.phone)) as phone:
            assert (await phone.register("2")).startswith("SIP/2.0 200")


async def test_an_account_taken_out_is_out_without_a_restart(place: Place) -> None:
    async with (
        registrar(place, (USER, str(place.phone))) as peer,
        line(place, peer, place.identity(place.phone)) as phone,
    ):
        challenge = await phone.ask(register())
        answer = await phone.ask(register(challenge=challenge, cseq=2))
        assert answer.startswith("SIP/2.0 200"), answer
        table = peer.folder / "dbtext" / "subscriber"
        table.write_text(table.read_text().splitlines(keepends=True)[0])
        later = table.stat().st_mtime + 2  # the file system's clock ticks in seconds
        os.utime(table, (later, later))
        challenge = await phone.ask(register(cseq=3))
        answer = await phone.ask(register(challenge=challenge, cseq=4))
        assert answer.startswith("SIP/2.0 401"), answer


async def test_old_phones_register_where_the_fleet_has_them(
    place: Place, record_interop: Any
) -> None:
    add_sha1_phone(place)
    accounts = [("1", str(SHA1_PHONE)), ("2", str(place.old_phone))]
    async with registrar(place, *accounts) as peer:
        for user, mac, words in (
            ("1", SHA1_PHONE, ["-tls1_2"]),
            ("2", place.old_phone, ["-tls1"]),
        ):
            identity = place.identity(mac, Generation.SHA1)
            async with line(place, peer, identity, *words) as phone:
                challenge = await phone.ask(register(user))
                assert challenge.startswith("SIP/2.0 401"), challenge + peer.log()
                answer = await phone.ask(register(user, challenge=challenge, cseq=2))
                assert answer.startswith("SIP/2.0 200"), answer
    record_interop("kamailio", "SHA-1, RSA-1024 certificate; TLS 1.0 and 1.2")


async def test_no_certificate_a_strangers_or_a_sha1_one_too_many_are_refused(
    place: Place, tmp_path: Path, record_interop: Any
) -> None:
    modernize(place)
    other = LabAuthority.open(tmp_path / "other-lab")
    other.device_identity(place.phone, Generation.SHA256)
    path = other.device_path(place.phone, Generation.SHA256)
    forged = (str(path.with_suffix(".pem")), str(path.with_suffix(".key")))
    sha1 = place.identity(SHA1_PHONE, Generation.SHA1)
    async with registrar(place, (USER, str(place.phone))) as peer:
        for identity in (None, forged, sha1):
            async with line(place, peer, identity, "-tls1_2") as phone:
                assert "SIP/2.0" not in await phone.read()
        async with line(place, peer, place.identity(place.phone), "-tls1_1") as phone:
            assert "SIP/2.0" not in await phone.read()
    record_interop("kamailio", "no certificate, or a stranger's", "refused")


async def test_no_other_attribute_passes_for_the_cn(
    place: Place, tmp_path: Path
) -> None:
    mac = str(place.phone)
    Devices(place.database).add(Device(Mac("000413AABB99"), LAB_VENDOR), utc_now())
    async with registrar(place, (USER, mac)) as peer:
        for number, identity in enumerate(spoofing_identities(place, tmp_path)):
            async with line(place, peer, identity) as phone:
                answer = await phone.ask(register())
                if answer.startswith("SIP/2.0 401"):
                    answer = await phone.ask(register(challenge=answer, cseq=2))
                if number == SECOND_CN:
                    continue  # told on the page: Kamailio reads the first CN
                no_mac = number in NO_MAC
                told = "A phone's certificate is needed" if no_mac else "This account belongs to another phone"  # fmt: skip
                assert answer.startswith(f"SIP/2.0 403 {told}"), (number, answer)


SECOND_CN = 8
"""CN=000413AABBCC, CN=000413AABB99: no vendor's authority issues two CNs."""
NO_MAC = range(2, 8)
"""Those whose CN is no MAC, or not there."""


NEEDED = "SIP/2.0 403 A phone's certificate is needed"


async def test_who_is_not_verified_is_refused_whatever_tls_lets_in(
    place: Place, record_interop: Any
) -> None:
    """As if tls.cfg demanded no certificate, and somebody listened without TLS."""
    plain = free_port()
    changes = {
        "require_certificate = yes": "require_certificate = no",
        "listen=tls:": f"listen=tcp:127.0.0.1:{plain}\nlisten=tls:",
    }
    async with registrar(place, (USER, str(place.phone)), changes=changes) as peer:
        async with line(place, peer, None) as phone:
            assert (await phone.ask(register())).startswith(NEEDED)
        reader, writer = await asyncio.open_connection("127.0.0.1", plain)
        writer.write(register())
        assert (await reader.readline()).decode().startswith(NEEDED)
        writer.close()
        await writer.wait_closed()
        async with line(place, peer, place.identity(place.phone)) as phone:
            assert (await phone.register(cseq=5)).startswith("SIP/2.0 200")
    record_interop("kamailio", "no certificate where tls.cfg demands none, SIP without TLS", "403")  # fmt: skip
