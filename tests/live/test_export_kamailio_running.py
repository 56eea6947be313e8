"""Kamailio from exported files, as its operator sees it: who it runs as, what it logs,
how it reads anew, and what becomes of connections that break.
"""

import asyncio
import os
import pwd
import re
import stat
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.peers import NAME, Peer, write_export
from tests.live.sip_line import (
    OTHER,
    USER,
    kamcmd,
    line,
    message,
    proof,
    register,
    registrar,
    reply,
    tell_phone,
)
from tests.live.test_export_kamailio_calls import FROM_B, PROBE, TO_A, phones

from linekey.server.server import utc_now
from linekey.store.devices import Devices

pytestmark = [pytest.mark.peer("kamailio"), pytest.mark.peer("openssl")]

FAULT = re.compile(r"\b(?:ERROR|CRITICAL|ALERT|BUG)\b")


async def reread(place: Place, peer: Peer) -> None:
    """Export again for the registry as it is now, and let Kamailio read it."""
    table = peer.folder / "dbtext" / "phones"
    later = table.stat().st_mtime + 2  # Kamailio compares whole seconds
    write_export(place, "kamailio", peer.folder, port=peer.port)
    os.utime(table, (later, later))
    assert "Ok" in await kamcmd(peer, "htable.reload", "phones")


async def test_it_runs_as_its_own_user_and_logs_no_fault(place: Place) -> None:
    async with registrar(place, (USER, str(place.phone))) as peer:
        async with line(place, peer, place.identity(place.phone)) as phone:
            assert (await phone.register()).startswith("SIP/2.0 200")
        told = await kamcmd(peer, "core.psx")
        pids = re.findall(r"\bPID: (\d+)", told)
        assert len(pids) > 3, told
        user = pwd.getpwnam("kamailio").pw_uid if os.geteuid() == 0 else os.geteuid()
        assert {os.stat(f"/proc/{pid}").st_uid for pid in pids} == {user}
        assert stat.S_IMODE(os.stat(f"{peer.folder}/run/ctl").st_mode) == 0o600
        assert not FAULT.search(peer.log()), peer.log()


async def test_a_phone_out_of_the_registry_or_revoked_is_refused_whatever_it_asks(
    place: Place, record_interop: Any
) -> None:
    accounts = [(USER, str(place.phone)), (OTHER, str(place.stranger))]
    async with registrar(place, *accounts) as peer:
        async with line(place, peer, place.identity(place.stranger)) as strange:
            for said in (register(OTHER), PROBE, message("INVITE", TO_A, own=FROM_B)):
                answer = await strange.ask(said)
                assert "403 This phone is not registered here, or revoked" in answer
        async with line(place, peer, place.identity(place.phone)) as phone:
            assert (await phone.register()).startswith("SIP/2.0 200")
            Devices(place.database).revoke(place.phone, "stolen", utc_now())
            await reread(place, peer)
            # Over the connection that it has, and over a new one.
            assert "403 This phone is not" in await phone.ask(PROBE)
            async with line(place, peer, place.identity(place.phone)) as again:
                assert "403 This phone is not" in await again.ask(register(cseq=9))
            # Its registration is ended by the operator.
            assert "Contact" in await kamcmd(peer, "ul.lookup", "location", f"s:{USER}")
            await kamcmd(peer, "ul.rm", "location", f"s:{USER}")
            gone = await kamcmd(peer, "ul.lookup", "location", f"s:{USER}")
            assert "AOR not found" in gone, gone
        # The list is read while it runs, so a phone comes in as it goes out.
        Devices(place.database).restore(place.phone, utc_now())
        await reread(place, peer)
        async with line(place, peer, place.identity(place.phone)) as phone:
            assert (await phone.register(cseq=20)).startswith("SIP/2.0 200")
    record_interop("kamailio", "a phone that is revoked, or not in the registry", "403")


async def test_a_revoked_phone_is_called_no_more_and_the_others_go_on(
    place: Place,
) -> None:
    async with phones(place) as at:
        Devices(place.database).revoke(place.phone, "stolen", utc_now())
        await reread(place, at.peer)
        answer = await at.b.ask_with_password("MESSAGE", TO_A, OTHER, own=FROM_B)
        assert answer.startswith("SIP/2.0 480"), answer
        assert (await at.b.register(OTHER, cseq=9)).startswith("SIP/2.0 200")
        to_b = f"sip:{OTHER}@{NAME}"
        challenge = await at.b.ask(message("MESSAGE", to_b, own=FROM_B, call_id="b@x"))
        given = proof(challenge, "MESSAGE", to_b, OTHER)
        await at.b.say(message("MESSAGE", to_b, own=FROM_B, call_id="b@x", cseq=2, headers=given))  # fmt: skip
        assert (await at.b.request()).startswith("MESSAGE ")


@pytest.mark.parametrize("told", [True, False], ids=["closed", "half open"])
@pytest.mark.parametrize("instance", ["", ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000413AABBCC>";reg-id=1'], ids=["plain", "instance"])  # fmt: skip
async def test_broken_connections_leave_nothing_that_locks_the_phone_out(
    place: Place, instance: str, told: bool, record_interop: Any
) -> None:
    async with (
        registrar(place, (USER, str(place.phone))) as peer,
        AsyncExitStack() as broken,
    ):
        for number in range(6):
            async with AsyncExitStack() as stack:
                phone = await stack.enter_async_context(
                    line(place, peer, place.identity(place.phone))
                )
                contact = f"<sip:{USER}@127.0.0.1:{5070 + number};transport=tls>{instance}"  # fmt: skip
                answer = await phone.register(contact=contact, cseq=10 * number + 1)
                assert answer.startswith("SIP/2.0 200"), (number, answer)
                assert answer.count(f"<sip:{USER}@") == 2 + 1, answer  # From, To, one
                if not told:  # the server does not learn of it
                    broken.push_async_exit(stack.pop_all())
    record_interop(
        "kamailio", "six connections, five of them broken: one registration remains"
    )


async def test_a_registration_goes_with_its_connection(place: Place) -> None:
    often = {'"timer_interval", 10': '"timer_interval", 1'}
    async with registrar(place, (USER, str(place.phone)), changes=often) as peer:
        async with line(place, peer, place.identity(place.phone)) as phone:
            assert (await phone.register()).startswith("SIP/2.0 200")
            told = await kamcmd(peer, "ul.lookup", "location", f"s:{USER}")
            assert "Contact" in told
        async with asyncio.timeout(15):
            while "Contact" in told:
                told = await kamcmd(peer, "ul.lookup", "location", f"s:{USER}")


async def test_two_places_at_once_are_refused_in_the_registrars_own_words(
    place: Place,
) -> None:
    async with (
        registrar(place, (USER, str(place.phone))) as peer,
        line(place, peer, place.identity(place.phone)) as phone,
    ):
        one, two = (f"<sip:{USER}@127.0.0.1:{p};transport=tls>" for p in (5070, 5071))
        answer = await phone.register(contact=f"{one}, {two}")
        assert answer.startswith("SIP/2.0 503"), answer
        assert "Retry-After: 30" in answer
        assert "200 Keepalive" in await phone.ask(PROBE), "one answer and no more"
        assert (await phone.register(contact=one, cseq=5)).startswith("SIP/2.0 200")


async def test_the_operator_restarts_a_phone(place: Place, record_interop: Any) -> None:
    async with phones(place) as at:
        headers = "Event: check-sync;reboot=true\r\nSubscription-State: terminated\r\n"
        await tell_phone(at.peer, USER, "NOTIFY", headers)
        notify = await at.a.request()
        assert notify.startswith(f"NOTIFY {TO_A} "), notify
        assert "Event: check-sync;reboot=true" in notify
        assert await at.b.got_nothing(PROBE)
        await at.a.say(reply(notify, "200 OK", tag="n"))
    record_interop("kamailio", "NOTIFY check-sync from the operator, by kamcmd")
