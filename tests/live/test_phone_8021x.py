"""The virtual phone logs into the network: EAP-TLS at FreeRADIUS, exported."""

import asyncio
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.certificates import authority, device
from tests.live.conftest import Place
from tests.live.peers import free_port
from tests.live.radius import SECRET, is_in, radius
from tests.live.radius import log_in as radius_log_in

from linekey.catalog.models import Generation
from linekey.certs.pem import private_key_to_pem
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import Answer, ExceptionAdded
from linekey.phone.identity import DeviceIdentity
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.network.events import (
    NetworkCertificateUploaded,
    NetworkLoginWanted,
)
from linekey.phone.uses.network.handle import Network

pytestmark = [pytest.mark.peer("freeradius"), pytest.mark.peer("eapol_test")]


def with_suites(suites: str) -> Callable[[str], str]:
    """Other suites than the exported ones."""
    return lambda text: re.sub(
        r'cipher_list = "[^"]*"', f'cipher_list = "{suites}"', text
    )


def phone(
    place: Place, model: str = "D785", firmware: str = "10.1.33.33", **settings: str
) -> PhoneState:
    old = model == "710"
    mac = place.old_phone if old else place.phone
    generation = Generation.SHA1 if old else Generation.SHA256
    chain, key = place.lab.device_identity(mac, generation)
    state = new_phone(
        mac, model, firmware, builtin=DeviceIdentity(chain, private_key_to_pem(key))
    )  # fmt: skip
    kept = state.settings
    for name, value in {"ieee8021x_eap_auth_method": "EAP-TLS", **settings}.items():
        kept = kept.provision(name, value).settings
    return replace(state, settings=kept)


async def log_in(
    running: VirtualPhone, port: int, secret: str = SECRET, host: str = "127.0.0.1"
) -> Answer:
    async with asyncio.timeout(60):
        return await running.do(NetworkLoginWanted(host, port, secret))


async def shelve(place: Place, running: VirtualPhone) -> None:
    answer = await running.do(
        NetworkCertificateUploaded(place.lab.server_root().der, admin=True)
    )
    assert answer.ok, answer


@pytest.mark.parametrize(
    ("model", "firmware", "version"),
    [("D785", "10.1.33.33", "TLSv1.2"), ("710", "8.7.5.35", "TLSv1")],
)
async def test_the_phone_logs_in_with_its_certificate(
    place: Place, record_interop: Any, model: str, firmware: str, version: str
) -> None:
    async with (
        radius(place) as peer,
        VirtualPhone(phone(place, model, firmware)) as running,
    ):
        await shelve(place, running)
        answer = await log_in(running, peer.port)
        ended = running.state
    assert answer.ok, (answer, peer.log())
    assert ended.part(Network).last is not None
    assert ended.part(Network).last.ok
    entry = next(e for e in ended.log if e.purpose == "802.1x")
    assert version in entry.text
    record_interop(
        "freeradius", f"virtual phone {model}: EAP-TLS over {version} with eapol_test"
    )


@pytest.mark.parametrize(
    ("generation", "firmware", "version"),
    [
        (Generation.SHA1, "10.1.33.33", "TLSv1.2"),
        (Generation.SHA1, "8.9.3.80", "TLSv1.2"),
        (Generation.SHA1, "8.7.5.35", "TLSv1.2"),
        (Generation.SHA256, "10.1.33.33", "TLSv1.2"),
    ],
)
async def test_a_phone_with_a_long_list_of_suites_logs_in_with_either_generation(
    place: Place,
    record_interop: Any,
    generation: Generation,
    firmware: str,
    version: str,
) -> None:
    # 24 to 40 suites: longer than the 510 bytes that the supplicant reads of a line.
    mac = place.old_phone if generation is Generation.SHA1 else place.phone
    chain, key = place.lab.device_identity(mac, generation)
    state = phone(place, "D715", firmware)
    builtin = DeviceIdentity(chain, private_key_to_pem(key))
    state = replace(state, mac=mac, builtin=builtin)
    async with radius(place) as peer, VirtualPhone(state) as running:
        await shelve(place, running)
        answer = await log_in(running, peer.port)
        ended = running.state
    assert answer.ok, (answer, peer.log())
    assert ended.part(Network).last is not None
    assert version in next(e for e in ended.log if e.purpose == "802.1x").text
    record_interop(
        "freeradius",
        f"virtual phone D715 {firmware}: EAP-TLS with a {generation.label} identity",
    )


async def test_a_server_that_answers_and_then_falls_silent_has_answered(
    place: Place,
) -> None:
    loop = asyncio.get_running_loop()

    class Rubbish(asyncio.DatagramProtocol):
        transport: asyncio.DatagramTransport

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            # An Access-Challenge with the request's number and a false authenticator.
            self.transport.sendto(
                bytes([11, data[1], 0, 38]) + bytes(16) + b"\x50\x12" + bytes(16), addr
            )

    transport, _ = await loop.create_datagram_endpoint(
        Rubbish, local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    try:
        async with VirtualPhone(phone(place)) as running:
            answer = await log_in(running, port)
    finally:
        transport.close()
    assert not answer.ok
    assert "answers, but not with the same secret" in answer.text


async def test_the_phone_logs_in_over_ipv6(place: Place, record_interop: Any) -> None:
    async with (
        radius(place, host="::1") as peer,
        VirtualPhone(phone(place)) as running,
    ):
        await shelve(place, running)
        answer = await log_in(running, peer.port, host="::1")
    assert answer.ok, (answer, peer.log())
    record_interop("freeradius", "virtual phone: EAP-TLS, the server reached by IPv6")


@pytest.mark.parametrize(
    ("suite", "spoken"),
    [("ECDHE-RSA-AES256-GCM-SHA384", True), ("ECDHE-RSA-CHACHA20-POLY1305", False)],
)
async def test_the_phone_speaks_its_own_suites_and_no_others(
    place: Place, record_interop: Any, suite: str, spoken: bool
) -> None:
    async with (
        radius(place, edit=with_suites(suite)) as peer,
        VirtualPhone(phone(place)) as running,
    ):
        await shelve(place, running)
        answer = await log_in(running, peer.port)
        other = await radius_log_in(
            place, peer, place.phone, place.identity(place.phone), suites=(suite,)
        )
    assert is_in(other), peer.log()  # the server does speak it
    assert answer.ok is spoken, (answer, peer.log())
    if not spoken:
        assert "Alert write:fatal:handshake failure" in peer.log()
        assert "after the ClientHello" in answer.text
        assert "linekey models" in answer.hint
        record_interop(
            "freeradius",
            "virtual phone: 802.1X with a suite the phone does not speak",
            "refused, told",
        )


async def test_a_server_not_on_the_tab_is_refused_and_an_exception_cures_it(
    place: Place, record_interop: Any
) -> None:
    async with radius(place) as peer, VirtualPhone(phone(place)) as running:
        other = NetworkCertificateUploaded(authority().certificate.der, admin=True)
        assert (await running.do(other)).ok
        refused = await log_in(running, peer.port)
        (unknown,) = running.state.trust.unknown
        assert not refused.ok
        assert "802.1X tab" in refused.hint
        assert (unknown.purpose, unknown.peer) == ("802.1x", f"127.0.0.1:{peer.port}")
        assert running.state.notifications[0].purpose == "802.1x"
        assert (await running.do(ExceptionAdded(unknown.certificate.sha256))).ok
        answer = await log_in(running, peer.port)
        ended = running.state
    assert answer.ok, answer
    assert ended.part(Network).last is not None
    assert "exception" in str(ended.part(Network).last.notes)
    record_interop(
        "freeradius",
        "virtual phone: server not on the 802.1X tab, then an exception",
        "refused, then works",
    )


async def test_an_empty_tab_checks_nobody_and_says_so(place: Place) -> None:
    async with radius(place) as peer, VirtualPhone(phone(place)) as running:
        answer = await log_in(running, peer.port)
        ended = running.state
    assert answer.ok
    assert "tab is empty, so the network's server is not checked" in answer.hint
    assert ended.part(Network).last is not None
    assert "tab is empty" in str(ended.part(Network).last.notes)


async def test_a_stranger_is_refused_by_the_network(
    place: Place, record_interop: Any
) -> None:
    state = replace(phone(place), builtin=device(place.phone))
    async with radius(place) as peer:
        async with VirtualPhone(phone(place)) as running:
            await shelve(place, running)
            assert (await log_in(running, peer.port)).ok, peer.log()
        async with VirtualPhone(state) as running:
            await shelve(place, running)
            answer = await log_in(running, peer.port)
    assert not answer.ok
    assert "Alert write:fatal:unknown CA" in peer.log()
    assert "once it had shown its certificate" in answer.text
    record_interop(
        "freeradius",
        "virtual phone: certificate of another vendor's CA",
        "refused: unknown CA",
    )


async def test_a_wrong_secret_and_a_method_that_is_off_are_told(place: Place) -> None:
    async with radius(place) as peer, VirtualPhone(phone(place)) as running:
        silent = await log_in(running, peer.port, "falsch")
        assert (await log_in(running, peer.port)).ok, peer.log()
        assert SECRET not in str(running.state.log)
    assert (silent.ok, "does not answer" in silent.text) == (False, True), silent
    async with VirtualPhone(phone(place, ieee8021x_eap_auth_method="off")) as running:
        off = await log_in(running, 1)
        assert not off.ok
        upload = await running.do(NetworkCertificateUploaded(b"garbage", admin=True))
        assert not upload.ok
        user = await running.do(NetworkCertificateUploaded(place.lab.server_root().der))
        assert "admin" in user.text


async def test_the_radius_server_may_be_a_name(
    place: Place, record_interop: Any
) -> None:
    async with radius(place) as peer, VirtualPhone(phone(place)) as running:
        await shelve(place, running)
        answer = await log_in(running, peer.port, host="localhost")
    assert answer.ok, (answer, peer.log())
    record_interop("freeradius", "virtual phone: EAP-TLS, the server given by name")


@pytest.mark.parametrize("host", ["radius.invalid", "a\0b", "x" * 70])
async def test_a_radius_server_that_cannot_be_resolved_is_told(
    place: Place, host: str
) -> None:
    async with VirtualPhone(phone(place)) as running:
        answer = await log_in(running, 1812, host=host)
        (notice,) = running.state.notifications
    assert "cannot be resolved" in answer.text
    assert "check the name" in answer.hint
    assert notice.cure == "Check the name, or give the server's address."


async def test_where_no_radius_server_listens_it_is_told(place: Place) -> None:
    port = free_port(socket.SOCK_DGRAM)
    async with VirtualPhone(phone(place)) as running:
        answer = await log_in(running, port, host="localhost")
        (notice,) = running.state.notifications
    assert answer.text == f"no RADIUS server listens at localhost:{port} (127.0.0.1)"
    assert "that the server runs" in notice.cure


async def test_a_login_for_which_something_lacks_is_no_connection(place: Place) -> None:
    lacking = phone(place, ieee8021x_eap_auth_method="EAP-MD5")
    async with VirtualPhone(lacking) as running:
        answer = await log_in(running, 1812)
        ended = running.state
    assert "needs a user name and a password" in answer.text
    assert "ieee8021x_eap_md5_username" in answer.hint
    assert ended.notifications == ()
    assert any("needs a user name" in entry.text for entry in ended.log)
    assert ended.part(Network).last is not None
    assert not ended.part(Network).last.ok
