"""Kamailio exported with ``--client-certificates optional``: who shows none, who does."""

import asyncio
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.peers import free_port
from tests.live.sip_line import USER, Line, line, register, registrar

from linekey.server.server import utc_now
from linekey.store.devices import Devices

pytestmark = [pytest.mark.peer("kamailio"), pytest.mark.peer("openssl")]


async def asked(phone: Line, **words: Any) -> str:
    """The answer to a REGISTER with password, or to what came before it."""
    challenge = await phone.ask(register(**words))
    if not challenge.startswith("SIP/2.0 401"):
        return challenge
    return await phone.ask(register(challenge=challenge, **words, cseq=2))


async def test_where_certificates_are_optional_the_password_alone_logs_in(
    place: Place, record_interop: Any
) -> None:
    accounts = [(USER, str(place.phone)), ("soft", "")]
    async with registrar(place, *accounts, client_certificates="optional") as peer:
        for user in (USER, "soft"):
            async with line(place, peer, None) as phone:
                assert (await asked(phone, user=user)).startswith("SIP/2.0 200")
            async with line(place, peer, None) as phone:
                answer = await asked(phone, user=user, secret="x")
                assert answer.startswith("SIP/2.0 401"), answer
    record_interop("kamailio", "REGISTER without a certificate, where it is optional")


async def test_where_certificates_are_optional_one_that_is_shown_counts(
    place: Place,
) -> None:
    accounts = [(USER, str(place.phone)), ("1", str(place.old_phone)), ("soft", "")]
    async with registrar(place, *accounts, client_certificates="optional") as peer:
        identity = place.identity(place.phone)
        async with line(place, peer, identity) as phone:
            assert (await asked(phone)).startswith("SIP/2.0 200")
        for user in ("1", "soft"):
            async with line(place, peer, identity) as phone:
                answer = await asked(phone, user=user)
                assert answer.startswith("SIP/2.0 403 This account belongs"), answer
        async with line(place, peer, place.identity(place.stranger)) as phone:
            assert "403 This phone is not registered" in await asked(phone)


async def test_where_certificates_are_optional_a_revoked_phones_account_is_closed(
    place: Place,
) -> None:
    accounts = [(USER, str(place.phone)), ("1", str(place.old_phone))]
    Devices(place.database).revoke(place.phone, "stolen", utc_now())
    async with registrar(place, *accounts, client_certificates="optional") as peer:
        async with line(place, peer, None) as phone:
            assert "403 This account's phone is revoked" in await asked(phone)
        async with line(place, peer, None) as phone:
            assert (await asked(phone, user="1")).startswith("SIP/2.0 200")


async def test_where_certificates_are_optional_tls_is_not(place: Place) -> None:
    plain = free_port()
    changes = {"listen=tls:": f"listen=tcp:127.0.0.1:{plain}\nlisten=tls:"}
    async with registrar(
        place, (USER, ""), client_certificates="optional", changes=changes
    ) as peer:
        reader, writer = await asyncio.open_connection("127.0.0.1", plain)
        writer.write(register())
        assert (await reader.readline()).startswith(b"SIP/2.0 403 Only over TLS")
        writer.close()
        await writer.wait_closed()
        async with line(place, peer, None) as phone:
            assert (await asked(phone)).startswith("SIP/2.0 200")
