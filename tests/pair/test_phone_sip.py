"""The phone's lines and the lab's registrar, both ours, over real TLS on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.certificates import MAC, authority, device, server, vendor
from tests.phone_server import accept

from linekey.lab.registrar import SERVER, Registrar, Said
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import ExceptionAdded, SettingEntered
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.sip import registration as sip_registration
from linekey.phone.uses.sip.account import read_account
from linekey.phone.uses.sip.edge import SipLines
from linekey.phone.uses.sip.lines import Lines
from linekey.phone.uses.sip.registration import Registration
from linekey.phone.uses.sip.states import LineState
from linekey.tls.engine import Identity, ServerContexts
from linekey.wire.door.listener import bind

PASSWORD = "hunter2"


def accounts(user: str) -> str | None:
    return {"401": PASSWORD, "402": PASSWORD}.get(user)


def contexts(identity=None, *, mutual: bool = False) -> ServerContexts:
    own = identity or server("localhost")
    more = (
        {
            "verify": accept,
            "roots": (vendor("sha256")[0].certificate,),
            "require_certificate": True,
        }
        if mutual
        else {"verify": None}
    )
    return ServerContexts(Identity(own.chain, own.key), **more)


@asynccontextmanager
async def registrar(*, port: int = 0, **options) -> AsyncIterator[Registrar]:
    listener = bind("127.0.0.1", port)
    made = options.pop("contexts", None) or contexts()
    try:
        async with Registrar(made, accounts, listener, **options) as running:
            yield running
    finally:
        listener.close()


def phone(
    port: int, *, firmware: str = "10.1.33.33", lines: int = 1, password: str = PASSWORD
) -> PhoneState:
    state = new_phone(
        MAC, "D785", firmware, builtin=device(MAC), authorities=(authority().certificate,)
    )  # fmt: skip
    settings = state.settings
    for n in range(1, lines + 1):
        for name, value in {
            "user_name": f"{400 + n}", "user_host": "lab", "user_pass": password,
            "user_outbound": f"localhost:{port};transport=tls", "user_realname": f"Line {n}",
        }.items():  # fmt: skip
            settings = settings.provision(name, value, idx=n).settings
    return replace(state, settings=settings)


async def until(running: VirtualPhone, met: Callable[[PhoneState], bool]) -> PhoneState:
    async with asyncio.timeout(20):
        return await running.wait_for(met)


def is_registered(n: int = 1) -> Callable[[PhoneState], bool]:
    def met(state: PhoneState) -> bool:
        line = state.part(Lines).line(n)
        return line is not None and line.state is LineState.REGISTERED

    return met


def is_waiting(state: PhoneState) -> bool:
    line = state.part(Lines).line(1)
    return line is not None and line.state is LineState.WAITING


@pytest.mark.parametrize("algorithms", [("SHA-256", "MD5"), ("MD5",)])
async def test_a_line_registers_and_unregisters_as_the_phone_stops(
    algorithms: tuple[str, ...],
) -> None:
    told: list[Said] = []
    async with registrar(
        told=told.append, algorithms=algorithms, contexts=contexts(mutual=True)
    ) as there:
        async with VirtualPhone(phone(there.port), services=(SipLines(),)) as running:
            state = await until(running, is_registered())
            binding = there.registered("401")
            assert binding is not None
            assert binding.tls.peer_chain[0] == device(MAC).leaf
            assert binding.user_agent == "snomD785/10.1.33.33"
            report = running.report()
        line = running.state.part(Lines).line(1)
    assert report["lines"][0]["state"] == "registered"
    assert line is not None
    assert (line.state, line.reason) == (
        LineState.IDLE,
        "unregistered",
    )
    assert told == [
        Said("401 registered for 3600 s over TLSv1.2"),
        Said("401 unregistered"),
    ]
    assert there.registered("401") is None
    texts = [e.text for e in running.state.log if e.purpose == "sip"]
    assert any("registered as sip:401@lab for 3600 s" in text for text in texts)
    assert texts[-1] == "line 1, sip:401@lab: unregistered"
    assert not any(PASSWORD in str(e) for e in state.log)
    assert SERVER.endswith("(for the lab only)")


async def test_a_line_names_its_mac_where_its_setting_says_so() -> None:
    async with registrar() as there:
        state = phone(there.port, lines=2)
        settings = state.settings.provision("mac_info_in_sip_register", "on", idx=2)
        state = replace(state, settings=settings.settings)
        async with VirtualPhone(state, services=(SipLines(),)) as running:
            await until(running, is_registered(1))
            await until(running, is_registered(2))
            said = [there.registered(user) for user in ("401", "402")]
    agents = [binding.user_agent for binding in said if binding is not None]
    assert agents == ["snomD785/10.1.33.33", f"snomD785/10.1.33.33 {MAC}"]


async def test_a_certificate_nobody_knows_goes_to_the_tab_and_an_exception_cures_it() -> (
    None
):
    strange = server("localhost", root=authority("TEST stranger root"))
    async with (
        registrar(contexts=contexts(strange)) as there,
        VirtualPhone(phone(there.port), services=(SipLines(),)) as running,
    ):
        state = await until(running, is_waiting)
        (unknown,) = state.trust.unknown
        assert (unknown.purpose, unknown.peer) == ("sip", f"localhost:{there.port}")
        assert "next try in" in state.part(Lines).lines[0].reason
        assert state.notifications[0].purpose == "sip"
        answer = await running.do(ExceptionAdded(unknown.certificate.sha256))
        assert answer.ok
        state = await until(running, is_registered())
        assert not [n for n in state.notifications if n.purpose == "sip"]


async def test_a_certificate_with_another_name_is_refused() -> None:
    other = server("pbx.elsewhere.test")
    async with (
        registrar(contexts=contexts(other)) as there,
        VirtualPhone(phone(there.port), services=(SipLines(),)) as running,
    ):
        state = await until(running, is_waiting)
    (unknown,) = state.trust.unknown
    assert "localhost" in unknown.reason


async def test_a_certificate_that_changes_between_two_connections_is_refused() -> None:
    first = server("localhost", root=authority("TEST stranger root"))
    second = server("localhost", root=authority("TEST second stranger"))
    made = contexts(first)
    async with (
        registrar(contexts=made) as there,
        VirtualPhone(phone(there.port), services=(SipLines(),)) as running,
    ):
        state = await until(running, is_waiting)
        await running.do(ExceptionAdded(state.trust.unknown[0].certificate.sha256))
        await until(running, is_registered())
        there._contexts = contexts(second)
        for client in list(there._clients.values()):
            client._writer.close()
        await until(running, is_waiting)
        await running.do(SettingEntered("user_realname", "Anew", 1))
        state = await until(running, lambda s: bool(s.trust.unknown))
    (unknown,) = state.trust.unknown
    assert unknown.certificate == second.leaf


async def test_lines_follow_the_settings_and_one_lines_trouble_is_no_others() -> None:
    told: list[Said] = []
    async with (
        registrar(told=told.append) as there,
        VirtualPhone(phone(there.port, lines=2), services=(SipLines(),)) as running,
    ):
        await until(running, lambda s: is_registered(1)(s) and is_registered(2)(s))
        await running.do(
            SettingEntered("user_outbound", "localhost:1;transport=tls", 1)
        )
        state = await until(running, is_waiting)
        assert is_registered(2)(state)
        assert Said("401 unregistered") in told
        await running.do(SettingEntered("user_active", "off", 1))
        await until(running, lambda s: [x.index for x in s.part(Lines).lines] == [2])
        await running.do(SettingEntered("user_outbound", "no:such:proxy", 2))
        state = await until(running, lambda s: not s.part(Lines).lines)
    assert any("user_outbound2 cannot be read" in e.text for e in state.log)


async def test_a_wrong_password_is_told_and_tells_nothing() -> None:
    async with (
        registrar() as there,
        VirtualPhone(
            phone(there.port, password="wrong-one"), services=(SipLines(),)
        ) as running,
    ):
        state = await until(running, is_waiting)
    assert "does not take the password of '401'" in state.part(Lines).lines[0].reason
    assert not any("wrong-one" in str(e) for e in state.log)


AT_HAND = "hunter2 and whatever else"


@pytest.mark.parametrize("where", ["connected", "received", "tick"])
async def test_a_fault_of_linekeys_own_is_one_lines_trouble_is_told_and_tried_again(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = getattr(Registration, where)
    faults = 0

    def faulty(line: Registration, *words: Any) -> list:
        nonlocal faults
        if line.account.index == 1 and faults < 2:
            faults += 1
            raise KeyError(AT_HAND)
        return real(line, *words)

    monkeypatch.setattr(Registration, where, faulty)
    monkeypatch.setattr(sip_registration, "RETRY_FIRST_S", 0.01)
    monkeypatch.setattr(sip_registration, "PING_EVERY_S", 0.01)
    async with registrar() as there:
        state = phone(there.port, lines=2)
        async with VirtualPhone(state, services=(SipLines(),)) as running:
            state = await until(
                running,
                lambda s: faults == 2 and is_registered(1)(s) and is_registered(2)(s),
            )
    said = [e for e in state.log if "a fault of linekey's own (KeyError)" in e.text]
    assert len(said) == 2
    assert all(e.text.startswith("line 1,") and e.level == "warning" for e in said)
    assert all("next try in" in e.text for e in said)
    assert not any("hunter2" in str(e) for e in state.log)
    records = [r for r in caplog.records if r.name == "linekey.sip"]
    assert ["KeyError" in r.getMessage() for r in records] == [True, True]
    assert all('File "' in r.getMessage() for r in records)
    assert "hunter2" not in caplog.text
    assert running.state.part(Lines).lines[0].reason == "unregistered"


async def test_a_fault_in_a_goodbye_does_not_keep_the_phone_from_stopping(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> list:
        raise KeyError("x")

    async with (
        registrar() as there,
        VirtualPhone(phone(there.port, lines=2), services=(SipLines(),)) as running,
    ):
        await until(running, lambda s: is_registered(1)(s) and is_registered(2)(s))
        monkeypatch.setattr(Registration, "stopping", fail)
        await running.do(SettingEntered("user_active", "off", 1))
        state = await until(
            running, lambda s: [x.index for x in s.part(Lines).lines] == [2]
        )
        assert is_registered(2)(state)
    faults = [r.name for r in caplog.records if 'File "' in r.getMessage()]
    assert faults == ["linekey.sip"] * 2


async def test_an_account_that_cannot_be_read_is_no_other_accounts_trouble(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def read(index: int, setting: Any) -> Any:
        if index == 1:
            raise KeyError("x")
        return read_account(index, setting)

    monkeypatch.setattr("linekey.phone.uses.sip.edge.read_account", read)
    async with registrar() as there:
        state = phone(there.port, lines=2)
        async with VirtualPhone(state, services=(SipLines(),)) as running:
            state = await until(running, is_registered(2))
    assert any(
        "line 1: a fault of linekey's own (KeyError)" in e.text for e in state.log
    )
    assert any(
        r.name == "linekey.sip" and 'File "' in r.getMessage() for r in caplog.records
    )


async def test_an_expiry_without_end_is_a_long_one() -> None:
    async with registrar() as there:
        state = phone(there.port)
        kept = state.settings.provision("user_expiry", "9" * 5000, idx=1).settings
        async with VirtualPhone(
            replace(state, settings=kept), services=(SipLines(),)
        ) as running:
            await until(running, is_registered())


async def test_check_sync_provisions_again_and_options_is_answered() -> None:
    async with (
        registrar() as there,
        VirtualPhone(phone(there.port), services=(SipLines(),)) as running,
    ):
        await until(running, is_registered())
        assert await there.notify("401", "check-sync;reboot=false")
        await until(
            running,
            lambda s: any(
                "check-sync" in e.text or "setting_server" in e.text for e in s.log[-3:]
            ),
        )
        assert is_registered()(running.state)


async def test_an_odd_message_from_the_server_costs_the_line_nothing() -> None:
    async with (
        registrar() as there,
        VirtualPhone(phone(there.port), services=(SipLines(),)) as running,
    ):
        await until(running, is_registered())
        odd = (
            b"SIP/2.0 4294967301 no\r\nContent-Length: 0\r\n\r\n"
            b"OPTIONS isbn:1 SIP/2.0\r\nVia: SIP/2.0/TLS x\r\nFrom: <sip:a@b>\r\n"
            b"To: <sip:a@b>\r\nCall-ID: x\r\nCSeq: x\r\nContent-Length: 0\r\n\r\n"
        )
        await there._clients["401"].send(odd)
        state = await until(
            running, lambda s: any("was answered 400" in e.text for e in s.log)
        )
        assert is_registered()(state)
        assert any(
            "passed over" in e.text and "status line" in e.text for e in state.log
        )
        assert await there.notify("401", "check-sync;reboot=false")
        await until(
            running, lambda s: any("setting_server" in e.text for e in s.log[-3:])
        )
        assert is_registered()(running.state)
