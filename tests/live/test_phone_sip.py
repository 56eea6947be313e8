"""The virtual phone's lines at Kamailio: exported, and with its usual settings."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, Self

import pytest
from tests.certificates import authority, server
from tests.live.conftest import Place
from tests.live.peers import NAME, Peer
from tests.live.sip_line import (
    OTHER,
    SECRET,
    USER,
    line,
    register,
    registrar,
    tell_phone,
)

from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_VENDOR
from linekey.certs.pem import private_key_to_pem
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import ExceptionAdded, SettingEntered
from linekey.phone.identity import DeviceIdentity
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.sip import registration as sip_registration
from linekey.phone.uses.sip.edge import SipLines
from linekey.phone.uses.sip.lines import Lines
from linekey.phone.uses.sip.states import LineState
from linekey.provisioning.device import Device
from linekey.server.server import utc_now
from linekey.store.devices import Devices

pytestmark = [pytest.mark.peer("kamailio"), pytest.mark.peer("openssl")]


def phone(
    place: Place, port: int, *, trusts: bool = True, **settings: str
) -> PhoneState:
    chain, key = place.lab.device_identity(place.phone, Generation.SHA256)
    state = new_phone(
        place.phone, "D785", "10.1.33.33",
        builtin=DeviceIdentity(chain, private_key_to_pem(key)),
        authorities=(place.lab.server_root(), authority().certificate) if trusts else (),
    )  # fmt: skip
    given = {
        "user_name": USER, "user_host": NAME, "user_pass": SECRET, "user_realname": "Desk",
        "user_outbound": f"{NAME}:{port};transport=tls", **settings,
    }  # fmt: skip
    kept = state.settings
    for name, value in given.items():
        kept = kept.provision(name, value, idx=1).settings
    return replace(state, settings=kept)


def without_certificate(state: PhoneState) -> PhoneState:
    kept = state.settings.provision("empty_tls_client_cert", "on").settings
    return replace(state, settings=kept)


def stands(state: LineState, saying: str = "") -> Callable[[PhoneState], bool]:
    def met(phone: PhoneState) -> bool:
        line = phone.part(Lines).line(1)
        return line is not None and line.state is state and saying in line.reason

    return met


async def until(running: VirtualPhone, met: Callable[[PhoneState], bool]) -> PhoneState:
    try:
        async with asyncio.timeout(20):
            return await running.wait_for(met)
    except TimeoutError:
        raise AssertionError([e.text for e in running.state.log]) from None


@asynccontextmanager
async def plain_registrar(
    place: Place, algorithm: str = "MD5", *, realm: str = NAME, qop: str = "auth", flag: str = "1",
    expires: int = 60, identity: DeviceIdentity | None = None, pongs: str = "yes",
) -> AsyncIterator[Peer]:  # fmt: skip
    """Kamailio as exported without required certificates, its digest as many have it."""
    hash_of = hashlib.md5 if algorithm == "MD5" else hashlib.sha256
    changes = {
        f'www_authenticate("{NAME}"': f'www_authenticate("{realm}"',
        f'www_challenge("{NAME}", "1")': f'www_challenge("{realm}", "{flag}")',
        'modparam("auth", "qop", "auth")': f'modparam("auth", "qop", "{qop}")\nmodparam("auth", "algorithm", "{algorithm}")',
        "enable_tls=yes": f"enable_tls=yes\ntcp_crlf_ping={pongs}",
        '"min_expires", 60)': f'"min_expires", {expires})',
        '"max_expires", 3600)': f'"max_expires", {expires})',
    }  # fmt: skip
    async with registrar(
        place, (USER, str(place.phone)), client_certificates="optional", changes=changes, server=identity,
        ha1_of=lambda user: hash_of(f"{user}:{realm}:{SECRET}".encode()).hexdigest(),
    ) as peer:  # fmt: skip
        yield peer


async def test_the_phone_registers_with_its_certificate_is_reached_and_unregisters(
    place: Place, record_interop: Any
) -> None:
    to, own = f"sip:{USER}@{NAME}", f"<sip:{OTHER}@{NAME}>;tag=1"
    Devices(place.database).add(Device(place.stranger, LAB_VENDOR, "D785"), utc_now())
    accounts = [(USER, str(place.phone)), (OTHER, str(place.stranger))]
    async with (
        registrar(place, *accounts) as peer,
        line(place, peer, place.identity(place.stranger)) as other,
    ):
        assert (await other.register(OTHER)).startswith("SIP/2.0 200")
        state = phone(place, peer.port, setting_server="")
        async with VirtualPhone(state, services=(SipLines(),)) as running:
            await until(running, stands(LineState.REGISTERED))
            assert any(
                "asked for a certificate; the phone sent" in d
                for e in running.state.log if e.purpose == "sip" for d in e.details
            )  # fmt: skip
            answer = await other.ask_with_password("OPTIONS", to, OTHER, own=own)
            assert answer.startswith("SIP/2.0 200"), answer + peer.log()
            assert "snomD785/10.1.33.33" in answer
            headers = "Event: check-sync;reboot=false\r\nSubscription-State: active\r\n"
            await tell_phone(peer, USER, "NOTIFY", headers)
            state = await until(
                running, lambda s: any("setting_server" in e.text for e in s.log[-4:])
            )
        ended = running.state
        gone = await other.ask_with_password("OPTIONS", to, OTHER, own=own, cseq=5)
    assert gone.startswith("SIP/2.0 404"), gone
    assert ended.part(Lines).lines[0].reason == "unregistered"
    assert SECRET not in "".join(str(e) for e in ended.log)
    record_interop(
        "kamailio",
        "virtual phone: REGISTER with its certificate and digest, OPTIONS, unregister",
    )
    record_interop("kamailio", "virtual phone: NOTIFY check-sync re-provisions")


async def test_another_phones_account_is_refused_and_the_reason_is_told(
    place: Place, record_interop: Any
) -> None:
    async with registrar(place, (USER, str(place.old_phone))) as peer:
        state = phone(place, peer.port)
        async with VirtualPhone(state, services=(SipLines(),)) as running:
            state = await until(running, stands(LineState.WAITING))
    assert (
        "403 This account belongs to another phone" in state.part(Lines).lines[0].reason
    )
    record_interop(
        "kamailio", "virtual phone: another phone's account", "403, told on the screen"
    )


async def test_a_phone_without_a_certificate_is_refused_in_the_handshake(
    place: Place,
) -> None:
    async with registrar(place, (USER, str(place.phone))) as peer:
        state = phone(place, peer.port)
        async with VirtualPhone(state, services=(SipLines(),)) as running:
            await until(running, stands(LineState.REGISTERED))
        async with VirtualPhone(
            without_certificate(state), services=(SipLines(),)
        ) as running:
            state = await until(running, stands(LineState.WAITING))
    assert "handshake_failure" in state.part(Lines).lines[0].reason
    assert "peer did not return a certificate" in peer.log()
    assert state.notifications[0].purpose == "sip"


@pytest.mark.parametrize(
    ("algorithm", "qop", "flag"),
    [("MD5", "auth", "1"), ("SHA-256", "auth", "1"), ("MD5", "auth", "0")],
)
async def test_the_phone_registers_without_client_certificates(
    place: Place, record_interop: Any, algorithm: str, qop: str, flag: str
) -> None:
    async with plain_registrar(
        place, algorithm, qop=qop, flag=flag, realm="voice, and more"
    ) as peer:
        state = without_certificate(phone(place, peer.port))
        async with VirtualPhone(state, services=(SipLines(),)) as running:
            state = await until(running, stands(LineState.REGISTERED))
            assert "for 60 s" in state.part(Lines).lines[0].reason
    assert running.state.part(Lines).lines[0].reason == "unregistered"
    record_interop(
        "kamailio",
        f"virtual phone: REGISTER with digest {algorithm}"
        f"{' and qop' if flag == '1' else ', no qop'}, a comma in the realm",
    )


async def test_the_registration_is_kept_refreshed(
    place: Place, record_interop: Any
) -> None:
    async with (
        plain_registrar(place, expires=2) as peer,
        VirtualPhone(phone(place, peer.port), services=(SipLines(),)) as running,
    ):
        first = await until(running, stands(LineState.REGISTERED))
        assert first.part(Lines).lines[0].until is not None
        moment = first.part(Lines).lines[0].until
        await until(
            running,
            lambda s: stands(LineState.REGISTERED)(s) and (s.part(Lines).lines[0].until or moment) > moment,
        )  # fmt: skip
    record_interop(
        "kamailio", "virtual phone: registration refreshed before it expires"
    )


async def test_an_unknown_ca_fills_the_tab_and_an_exception_registers_the_phone(
    place: Place, record_interop: Any
) -> None:
    async with plain_registrar(place) as peer:
        state = phone(place, peer.port, trusts=False)
        async with VirtualPhone(state, services=(SipLines(),)) as running:
            state = await until(running, stands(LineState.WAITING))
            (unknown,) = state.trust.unknown
            assert (unknown.purpose, unknown.peer) == ("sip", f"{NAME}:{peer.port}")
            answer = await running.do(ExceptionAdded(unknown.certificate.sha256))
            assert answer.ok
            await until(running, stands(LineState.REGISTERED))
    record_interop(
        "kamailio",
        "virtual phone: unknown CA, then an exception",
        "refused, then works",
    )


async def test_a_certificate_for_another_name_is_refused(
    place: Place, record_interop: Any
) -> None:
    async with (
        plain_registrar(place, identity=server("pbx.elsewhere.test")) as peer,
        VirtualPhone(phone(place, peer.port), services=(SipLines(),)) as running,
    ):
        state = await until(running, stands(LineState.WAITING))
        (unknown,) = state.trust.unknown
        assert NAME in unknown.reason
        await running.do(SettingEntered("check_fqdn_against_server_cert", "off"))
        await running.do(SettingEntered("user_realname", "Anew", 1))
        await until(running, stands(LineState.REGISTERED))
    record_interop(
        "kamailio", "virtual phone: certificate for another name (RFC 5922)", "refused"
    )


async def test_a_server_that_goes_away_is_told_and_tried_again(place: Place) -> None:
    async with AsyncExitStack() as stack, AsyncExitStack() as server:
        peer = await server.enter_async_context(plain_registrar(place))
        state = phone(place, peer.port)
        running = await stack.enter_async_context(
            VirtualPhone(state, services=(SipLines(),))
        )
        await until(running, stands(LineState.REGISTERED))
        await server.aclose()
        state = await until(running, stands(LineState.WAITING))
        assert "next try in" in state.part(Lines).lines[0].reason
        assert state.part(Lines).lines[0].until is None


class Cable:
    """A TCP relay in front of a server, which can be pulled out, or cut."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.plugged = 0
        self.up = self.down = 0
        """Pieces that went to the server and to the phone."""
        self._moved = asyncio.Condition()
        self._cut = False
        self._target = port
        self._ends: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._plug, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.pull()
            await server.wait_closed()

    def pull(self) -> None:
        """Break the connection, at both ends."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    def cut(self) -> None:
        """Let nothing through any more; nobody is told."""
        self._cut = True

    async def carried(self, up: int, down: int) -> None:
        """Wait until so many more pieces went each way."""
        up, down = self.up + up, self.down + down
        async with asyncio.timeout(20), self._moved:
            await self._moved.wait_for(lambda: self.up >= up and self.down >= down)

    async def _plug(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.plugged += 1
        far_reader, far_writer = await asyncio.open_connection(
            "127.0.0.1", self._target
        )
        self._ends += [writer, far_writer]
        await asyncio.gather(
            self._copy(reader, far_writer, 1), self._copy(far_reader, writer, 0),
            return_exceptions=True,
        )  # fmt: skip

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: int
    ) -> None:
        while data := await reader.read(65536):
            if not self._cut:
                writer.write(data)
            async with self._moved:
                self.up, self.down = self.up + up, self.down + 1 - up
                self._moved.notify_all()
        writer.close()


@pytest.mark.parametrize(
    ("pongs", "reason"),
    [
        ("yes", "no longer answers keep-alives"),
        ("no", "the SIP server does not answer"),
    ],
)
async def test_silence_after_a_ping_means_a_dead_server_only_where_it_answered_one(
    place: Place,
    record_interop: Any,
    monkeypatch: pytest.MonkeyPatch,
    pongs: str,
    reason: str,
) -> None:
    monkeypatch.setattr(sip_registration, "PING_EVERY_S", 0.1)
    monkeypatch.setattr(sip_registration, "PONG_WITHIN_S", 0.5)
    monkeypatch.setattr(sip_registration, "ANSWER_WITHIN_S", 0.5)
    async with (
        plain_registrar(place, expires=4, pongs=pongs) as peer,
        Cable(peer.port).laid() as cable,
        VirtualPhone(phone(place, cable.port), services=(SipLines(),)) as running,
    ):
        await until(running, stands(LineState.REGISTERED))
        await cable.carried(8, 2 if pongs == "yes" else 0)  # 0.8 s: a pong is overdue
        assert stands(LineState.REGISTERED)(running.state)
        cable.cut()
        await until(running, stands(LineState.WAITING, reason))
        assert cable.plugged == 1
    record_interop(
        "kamailio",
        f"virtual phone: keep-alives, tcp_crlf_ping={pongs}",
        "pongs expected" if pongs == "yes" else "stays registered without pongs",
    )


BINDING = re.compile(r"<sip:[^>]*>[^,\r\n]*")


async def test_broken_connections_leave_one_binding_and_lock_no_phone_out(
    place: Place, record_interop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sip_registration, "RETRY_FIRST_S", 0.01)
    async with (
        registrar(place, (USER, str(place.phone))) as peer,
        Cable(peer.port).laid() as cable,
        VirtualPhone(phone(place, cable.port), services=(SipLines(),)) as running,
    ):
        await until(running, stands(LineState.REGISTERED))
        for broken in range(1, 7):
            cable.pull()
            await until(
                running,
                lambda s, n=broken: cable.plugged > n and stands(LineState.REGISTERED)(s),
            )  # fmt: skip
        async with line(place, peer, place.identity(place.phone)) as server:
            ask = re.sub(rb"(Contact|Expires): .*\r\n", b"", register())
            challenge = await server.ask(ask)
            answer = await server.ask(
                re.sub(
                    rb"(Contact|Expires): .*\r\n",
                    b"",
                    register(challenge=challenge, cseq=2),
                )
            )
    assert answer.startswith("SIP/2.0 200"), answer + peer.log()
    (contacts,) = re.findall(r"(?im)^Contact: (.*)$", answer)
    (binding,) = BINDING.findall(contacts)
    mac = str(place.phone).lower()
    assert f'+sip.instance="<urn:uuid:00000000-0000-1000-8000-{mac}>"' in binding
    assert "reg-id=1" in binding
    record_interop(
        "kamailio",
        "virtual phone: six broken connections in a row",
        "registered, one binding",
    )
