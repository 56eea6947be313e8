"""Exported FreeRADIUS and the registry: who is in it logs in, and as whom it runs."""

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.peers import (
    Peer,
    accounts_of,
    free_port,
    open_folder,
    prepare,
    running,
    write_export,
)
from tests.live.radius import SWITCHES, is_in, log_in, phone_identity, radius, refused
from tests.live.test_export_https import modernize

from linekey.catalog.vendors import LAB_VENDOR
from linekey.export.account import Account
from linekey.provisioning.device import Device
from linekey.server.server import utc_now
from linekey.store.devices import Devices

pytestmark = [pytest.mark.peer("freeradius"), pytest.mark.peer("eapol_test")]

NOT_LISTED = "(no active phone of the registry)"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")


async def test_who_is_not_in_the_registry_is_refused(
    place: Place, record_interop: Any
) -> None:
    modernize(place)
    async with radius(place) as peer:
        good = place.identity(place.phone)
        assert is_in(await log_in(place, peer, place.phone, good)), peer.log()
        stranger = place.identity(place.stranger)
        await refused(peer, log_in(place, peer, place.stranger, stranger), NOT_LISTED)
    record_interop("freeradius", "a phone that is not in the registry", "reject")


def two_phones(place: Place) -> tuple[tuple[str, str], tuple[str, str]]:
    """Two of one kind, so that without one of them only the list is another."""
    modernize(place)
    other = Device(place.stranger, LAB_VENDOR, "D785")
    Devices(place.database).add(other, utc_now())
    return place.identity(place.phone), place.identity(place.stranger)


async def test_a_revoked_phone_is_refused_after_export_and_restart(
    place: Place, record_interop: Any
) -> None:
    first, second = two_phones(place)
    with open_folder() as folder:
        port = free_port(socket.SOCK_DGRAM)
        made = write_export(place, "freeradius", folder, port=port)
        (folder / "clients.conf").write_text(SWITCHES)
        await prepare(place, made)
        async with running(Peer("freeradius", port, folder, made), udp=True) as peer:
            assert is_in(await log_in(place, peer, place.phone, first)), peer.log()
        Devices(place.database).revoke(place.phone, "stolen", utc_now())
        write_export(place, "freeradius", folder, port=port)
        async with running(Peer("freeradius", port, folder, made), udp=True) as peer:
            await refused(peer, log_in(place, peer, place.phone, first), NOT_LISTED)
            got = await log_in(place, peer, place.stranger, second)
            assert is_in(got), peer.log()
    record_interop("freeradius", "a revoked phone, after export and restart", "reject")


async def test_the_list_is_reread_on_hup(place: Place) -> None:
    first, second = two_phones(place)
    async with radius(place) as peer:
        assert is_in(await log_in(place, peer, place.phone, first)), peer.log()
        Devices(place.database).revoke(place.phone, "stolen", utc_now())
        write_export(place, "freeradius", peer.folder, port=peer.port)
        await reread(peer)
        await refused(peer, log_in(place, peer, place.phone, first), NOT_LISTED)
        assert is_in(await log_in(place, peer, place.stranger, second)), peer.log()


async def reread(peer: Peer) -> None:
    """HUP until it was heeded: shortly after a start or a HUP it is not (howto).

    Each time the list is made to look changed, since a change counts once.
    """
    phones = peer.folder / "phones"
    changed = phones.stat().st_mtime
    async with asyncio.timeout(30):
        while 'Reloaded module "registry"' not in peer.log():
            changed += 1
            os.utime(phones, (changed, changed))
            os.kill(peer.pid, signal.SIGHUP)
            with contextlib.suppress(TimeoutError):
                # Not a guess how long it takes: a pause between two looks.
                await asyncio.wait_for(asyncio.Event().wait(), 0.2)


async def test_the_certificates_phone_is_looked_up_too_not_only_the_name(
    place: Place,
) -> None:
    modernize(place)

    def without_the_check_of_names(text: str) -> str:
        return text.replace("check_cert_cn = %{User-Name}", "")

    async with radius(place, edit=without_the_check_of_names) as peer:
        good = place.identity(place.phone)
        assert is_in(await log_in(place, peer, place.phone, good)), peer.log()
        await refused(
            peer,
            log_in(place, peer, place.phone, place.identity(place.stranger)),
            "the certificate's phone is not in the registry",
        )


@pytest.mark.parametrize(
    ("called", "reason"),
    [
        ("000413aabbcc", "does not match specified value"),
        ("00:04:13:AA:BB:CC", NOT_LISTED),
        ("000413AABBCC ", NOT_LISTED),
        ("DEFAULT", NOT_LISTED),
        ("%{Calling-Station-Id}", NOT_LISTED),
    ],
)
async def test_a_phone_is_called_as_in_its_certificate_and_no_way_else(
    place: Place, called: str, reason: str
) -> None:
    modernize(place)
    good = place.identity(place.phone)
    async with radius(place) as peer:
        assert is_in(await log_in(place, peer, place.phone, good)), peer.log()
        login = log_in(place, peer, place.phone, good, called=called)
        await refused(peer, login, reason)


async def test_a_certificate_with_small_letters_is_found_in_the_list(
    place: Place, tmp_path: Path
) -> None:
    modernize(place)
    small = str(place.phone).lower()
    identity = phone_identity(place, tmp_path, small)
    async with radius(place) as peer:
        got = await log_in(place, peer, place.phone, identity, called=small)
    assert is_in(got), got.out[-3000:] + peer.log()


@AS_ROOT
async def test_started_by_root_it_runs_as_its_own_user(place: Place) -> None:
    modernize(place)
    async with radius(place) as peer:
        good = place.identity(place.phone)
        assert is_in(await log_in(place, peer, place.phone, good)), peer.log()
        assert accounts_of(peer.pid) == ({"freerad"}, {"freerad"})
        log = peer.folder / "run" / "radius.log"
        assert (log.owner(), log.group()) == ("freerad", "freerad")


@AS_ROOT
async def test_it_starts_without_root_as_the_user_it_is_exported_for(
    place: Place,
) -> None:
    modernize(place)
    nobody = Account("nobody", "nogroup")
    async with radius(place, started_by=nobody) as peer:
        good = place.identity(place.phone)
        assert is_in(await log_in(place, peer, place.phone, good)), peer.log()
        assert accounts_of(peer.pid) == ({"nobody"}, {"nogroup"})


async def test_it_serves_over_ipv6(place: Place, record_interop: Any) -> None:
    modernize(place)
    async with radius(place, host="::1") as peer:
        good = place.identity(place.phone)
        got = await log_in(place, peer, place.phone, good)
        assert is_in(got), got.out[-3000:] + peer.log()
    record_interop("freeradius", "EAP-TLS over IPv6")
