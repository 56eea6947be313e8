"""A phone of a load: what it tells of itself, and whom it does not call."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from linekey.load.life import LoadPhone, Notes, live, make_state
from linekey.load.mix import Mix
from linekey.load.order import LoadOrder
from linekey.load.outcome import Outcome
from linekey.mac import Mac
from linekey.phone.state import PhoneState, new_phone

ORDER = LoadOrder(
    Mix.parse("register"), 1, 0.0, 30.0, registrar="localhost:5061", limit_s=5.0
)


def phone(outbound: str) -> PhoneState:
    state = new_phone(Mac("000413AABBCC"), "D785", "10.1.33.33")
    settings = state.settings
    for name, value in {
        "user_name": "4711",
        "user_host": "pbx.example.com",
        "user_outbound": outbound,
    }.items():
        settings = settings.provision(name, value, idx=1).settings
    return replace(state, settings=settings)


async def outcomes(
    state: PhoneState, order: LoadOrder, enough: Callable[[list[Outcome]], bool]
) -> list[Outcome]:
    found: list[Outcome] = []
    over = asyncio.Event()

    def told(outcome: Outcome) -> None:
        found.append(outcome)
        if enough(found):
            over.set()

    notes = Notes(told)
    task = asyncio.create_task(live(state, order, notes, asyncio.Semaphore(1)))
    async with asyncio.timeout(20):
        await over.wait()
    task.cancel()
    await asyncio.wait({task})
    assert notes.under_way == 0
    return found


async def test_a_configuration_that_names_a_foreign_host_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: object, **__: object) -> None:
        raise AssertionError("it connects")

    monkeypatch.setattr("linekey.wire.dialer.asyncio.open_connection", never)
    state = phone("pbx.example.com:5061;transport=tls")
    (told,) = await outcomes(state, ORDER, bool)
    assert (told.kind, told.code) == ("register", "load.not_yours")
    assert "not named as yours" in told.text


async def test_a_registrar_that_is_not_there_is_a_failure_with_its_code() -> None:
    state = phone("localhost:1;transport=tls")
    (told,) = await outcomes(state, ORDER, bool)
    assert (told.kind, told.code) == ("register", "load.no_connection")
    assert "cannot connect" in told.text


async def test_what_a_phone_has_not_is_told_each_time_it_is_to_do_it() -> None:
    order = replace(ORDER, mix=Mix.parse("keys,lookup,actions"), think_s=0.001)
    state = new_phone(Mac("000413AABBCC"), "D785", "10.1.33.33")
    kinds = {"keys", "lookup", "actions"}
    found = await outcomes(state, order, lambda told: {o.kind for o in told} == kinds)
    assert {told.code for told in found} == {"load.nothing_to_do"}


async def test_what_is_cut_off_is_no_failure() -> None:
    came, over = asyncio.Event(), asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await over.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found: list[Outcome] = []
        notes = Notes(found.append)
        state = phone(f"127.0.0.1:{port};transport=tls")
        async with LoadPhone(state, ORDER, notes):
            await came.wait()
            assert notes.under_way == 1
        over.set()
    assert found == []
    assert notes.under_way == 0


def test_a_phone_that_boots_has_no_account_yet_and_one_that_does_not_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from linekey.load import life
    from linekey.load.table import Row

    monkeypatch.setattr(life, "load_identity", lambda row: None)
    mac = Mac("000413AABBCC")
    row = Row(mac, "D785", "10.1.33.33", None, None, "4711", "geheim")  # type: ignore[arg-type]
    order = replace(ORDER, domain="pbx.example.com")
    state = make_state(row, order, ())
    assert state.settings.get("user_name", 1) == "4711"
    assert state.settings.get("user_host", 1) == "pbx.example.com"
    assert state.settings.get("user_outbound", 1) == "localhost:5061;transport=tls"
    assert state.setting_server == ""
    boots = replace(order, mix=Mix.parse("boot,register"), server="https://localhost")
    state = make_state(row, boots, ())
    assert state.settings.get("user_name", 1) == ""
    assert state.setting_server == "https://localhost"
