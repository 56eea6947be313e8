"""FreeRADIUS from exported files: 802.1X by EAP-TLS. The supplicant is eapol_test.

Its configuration is the one that linekey's phone writes (``phone.ieee8021x``).
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import peer_path
from tests.live.conftest import Place, Ran
from tests.live.peers import (
    Peer,
    bytes_of,
    certificates_in,
    free_port,
    open_folder,
    running,
    write_export,
)
from tests.live.test_export_https import (
    SHA1_PHONE,
    add_sha1_phone,
    modernize,
    spoofing_identities,
)

from linekey.catalog.models import Generation
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.phone.ieee8021x import EapMethod, supplicant
from linekey.tls.versions import Version

pytestmark = [pytest.mark.peer("freeradius"), pytest.mark.peer("eapol_test")]

SECRET = "testing123"
TLS12 = (Version.TLS1_2,)


@asynccontextmanager
async def radius(place: Place) -> AsyncIterator[Peer]:
    with open_folder() as folder:
        port = free_port(socket.SOCK_DGRAM)
        made = write_export(place, "freeradius", folder, port=port)
        with (folder / "clients.conf").open("a") as clients:
            clients.write(
                f"client switch {{\n    ipaddr = 127.0.0.1\n    secret = {SECRET}\n"
                "    require_message_authenticator = yes\n}\n"
            )
        async with running(Peer("freeradius", port, folder, made), udp=True) as peer:
            yield peer


async def log_in(
    place: Place,
    peer: Peer,
    mac: Mac,
    identity: tuple[str, str],
    versions: tuple[Version, ...] = TLS12,
) -> Ran:
    """One 802.1X log-in of the phone ``mac`` with this certificate."""
    folder = place.folder / f"supplicant-{mac}"
    folder.mkdir(exist_ok=True)
    made = supplicant(
        EapMethod.TLS,
        mac,
        str(folder),
        chain=certificates_in(identity[0]),
        key_pem=bytes_of(identity[1]),
        authorities=(place.lab.server_root(),),
        versions=versions,
    )
    for name, data in made.files.items():
        (folder / name).write_bytes(data)
    program = peer_path("eapol_test")
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(folder / "eap.conf"), "-a", "127.0.0.1", "-p", str(peer.port),
        "-s", SECRET, "-t", "8", "-M", "00:04:13:AA:BB:CC",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode("latin-1"), "")


def is_in(got: Ran) -> bool:
    return got.code == 0 and got.out.rstrip().endswith("SUCCESS")


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
            (place.old_phone, (Version.TLS1_1,)),
            (place.old_phone, (Version.TLS1_0,)),
        ):
            identity = place.identity(mac, Generation.SHA1)
            got = await log_in(place, peer, mac, identity, versions)
            assert is_in(got), got.out[-3000:] + peer.log()
    record_interop("freeradius", "SHA-1, RSA-1024 certificate; TLS 1.0, 1.1 and 1.2")


async def test_a_phone_cannot_call_itself_another_phone(
    place: Place, record_interop: Any
) -> None:
    modernize(place)
    async with radius(place) as peer:
        got = await log_in(place, peer, place.old_phone, place.identity(place.phone))
    assert not is_in(got), got.out[-3000:]
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
    async with radius(place) as peer:
        for identity, versions in (
            (forged, TLS12),
            (place.identity(place.phone, Generation.SHA1), TLS12),
            (place.identity(place.phone), (Version.TLS1_1,)),
        ):
            got = await log_in(place, peer, place.phone, identity, versions)
            assert not is_in(got), got.out[-3000:]
    record_interop(
        "freeradius", "a stranger's certificate, or an unneeded SHA-1 one", "reject"
    )


async def test_no_other_attribute_passes_for_the_cn(
    place: Place, tmp_path: Path
) -> None:
    modernize(place)
    async with radius(place) as peer:
        for number, identity in enumerate(spoofing_identities(place, tmp_path)):
            got = await log_in(place, peer, place.phone, identity)
            if number != FIRST_OF_TWO:
                assert not is_in(got), (number, got.out[-3000:])


FIRST_OF_TWO = 8
"""CN=000413AABBCC, CN=000413AABB99: no vendor's authority issues two CNs."""
