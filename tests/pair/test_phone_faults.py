"""A fault of linekey's own in one event or one task: told, and the phone goes on."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.certificates import MAC, NOW, authority, device, server
from tests.pair.test_phone_bad_input import directory_settings
from tests.phone_server import Route, accept, serve

from linekey.errors import StorageError
from linekey.phone import device as phone_itself
from linekey.phone import machine
from linekey.phone.display import Display
from linekey.phone.document import FunctionKey
from linekey.phone.edge import http
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import NotificationDismissed, SettingEntered
from linekey.phone.state import PhoneState, Status, new_phone
from linekey.phone.uses.actions.events import KeyPressed
from linekey.phone.uses.directory import edge as directory
from linekey.phone.uses.directory.events import LookupWanted
from linekey.phone.uses.network import edge as supplicant
from linekey.phone.uses.network.events import NetworkLoginWanted
from linekey.phone.uses.provisioning import handle as rounds
from linekey.phone.uses.provisioning.events import ProvisioningWanted
from linekey.phone.uses.sip.events import LineMoved
from linekey.phone.uses.sip.states import LineState
from linekey.trust.connection import Purpose
from linekey.wire.dialer import DialError, dial

SECRET = "hunter2-in-a-message"


def phone(**changes: Any) -> PhoneState:
    state = new_phone(
        MAC, "D785", "10.1.33.33", builtin=device(),
        authorities=(authority().certificate,),
    )  # fmt: skip
    return replace(state, **changes)


def fault(*_: object, **__: object) -> Any:
    raise ZeroDivisionError(SECRET)


async def async_fault(*_: object, **__: object) -> Any:
    raise ZeroDivisionError(SECRET)


def is_told(state: PhoneState, caplog: pytest.LogCaptureFixture) -> bool:
    """One error line with the type and no more; the traceback is Python's log's."""
    lines = [e for e in state.log if "a fault of linekey's own" in e.text]
    assert lines
    assert all(e.level == "error" and "ZeroDivisionError" in e.text for e in lines)
    assert SECRET not in repr(state.log)
    kept = [r for r in caplog.records if r.name == "linekey.phone"]
    assert kept
    assert all(r.levelno == logging.ERROR and 'File "' in r.getMessage() for r in kept)
    assert all("ZeroDivisionError" in r.getMessage() for r in kept)
    assert SECRET not in caplog.text
    return True


async def test_an_event_that_faults_is_undone_told_and_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with VirtualPhone(phone(), clock=NOW) as running:
        await running.round_ended()
        with monkeypatch.context() as broken:
            broken.setattr(phone_itself, "remarks_on", fault)
            answer = await running.do(SettingEntered("language", "Deutsch"))
        assert not answer.ok
        assert answer.text == (
            "setting entered was left undone: a fault of linekey's own"
            " (ZeroDivisionError)"
        )
        assert answer.hint
        assert running.state.settings.get("language") == "", "undone"
        assert (await running.do(SettingEntered("language", "English"))).ok
        assert is_told(running.state, caplog)


class Keeper:
    """Keeps nothing, and fails when it is told to."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        self.error = error
        self.failures = 0
        self.kept: list[PhoneState] = []

    def save(self, state: PhoneState) -> None:
        if self.failures:
            self.failures -= 1
            raise self.error()
        self.kept.append(state)


async def test_what_cannot_be_written_down_is_undone_and_the_next_save_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keeper = Keeper(lambda: ZeroDivisionError(SECRET))
    async with VirtualPhone(phone(), clock=NOW, keeper=keeper) as running:
        await running.round_ended()
        keeper.failures = 1
        assert not (await running.do(SettingEntered("language", "Deutsch"))).ok
        assert "language" not in repr(keeper.kept[-1].settings.entries)
        assert is_told(keeper.kept[-1], caplog)
        assert (await running.do(SettingEntered("language", "English"))).ok


async def test_a_phone_that_cannot_keep_its_state_still_stops() -> None:
    keeper = Keeper(lambda: StorageError("the disk is full"))
    running = VirtualPhone(phone(), clock=NOW, keeper=keeper)
    await running.__aenter__()
    await running.round_ended()
    keeper.failures = 1
    waiting = asyncio.ensure_future(running.do(SettingEntered("language", "Deutsch")))
    with pytest.raises(StorageError, match="the disk is full"):
        await running.wait_closed()
    assert (await waiting).text == "the phone was switched off"
    assert running.state.log_count, "it ran"


@pytest.mark.parametrize(
    ("event", "module", "name"),
    [
        (KeyPressed(0), http, "get"),
        (LookupWanted("ada"), directory, "look_up"),
        (NetworkLoginWanted("127.0.0.1", 1812, "s"), supplicant, "log_in"),
    ],
    ids=["page", "directory", "802.1X"],
)
async def test_a_task_that_faults_is_told_to_whoever_asked_and_the_phone_goes_on(
    event: Any,
    module: Any,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = directory_settings(phone(), 1)
    kept = state.settings.provision("ieee8021x_eap_auth_method", "tls").settings
    key = FunctionKey(0, "url", "https://localhost:1/")
    async with VirtualPhone(
        replace(state, settings=kept, function_keys=(key,)), clock=NOW
    ) as running:
        await running.round_ended()
        monkeypatch.setattr(module, name, async_fault)
        answer = await running.do(event)
        assert not answer.ok
        assert "a fault of linekey's own (ZeroDivisionError)" in answer.text
        assert running.state.part(Display).opening == ""
        assert (await running.do(SettingEntered("language", "Deutsch"))).ok
        assert is_told(running.state, caplog)


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [(http, "get", async_fault), (rounds, "apply_document", fault), (rounds, "settings_urls", fault)],
    ids=["fetching", "applying", "beginning"],
)  # fmt: skip
async def test_a_round_that_faults_ends_as_failed_and_is_tried_again(
    module: Any,
    name: str,
    broken: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    document = Route(b"<settings><phone-settings/></settings>")
    async with serve(server(), verify=accept) as site:
        site.answer = lambda _: document
        with monkeypatch.context() as patch:
            patch.setattr(module, name, broken)
            async with VirtualPhone(
                phone(bootstrap_server=site.url), clock=NOW
            ) as running:
                async with asyncio.timeout(10):
                    state = await running.round_ended()
                assert state.status is Status.FAILED
                assert "a fault of linekey's own" in state.status_reason
                assert running._timers, "it tries again"
                patch.undo()
                await running.do(ProvisioningWanted("again"))
                async with asyncio.timeout(10):
                    state = await running.wait_for(
                        lambda s: s.status is Status.PROVISIONED
                    )
    assert is_told(state, caplog)


async def test_a_fault_while_the_phone_is_switched_off_does_not_keep_it_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with VirtualPhone(phone(), clock=NOW) as running:
        await running.round_ended()
        monkeypatch.setitem(machine.TAKERS, LineMoved, (fault,))
        running.happened(LineMoved(1, LineState.IDLE, "unregistered"))
    assert is_told(running.state, caplog)


@pytest.mark.parametrize(
    ("host", "port"),
    [("a\x00b", 80), ("\udcff", 80), ("a" * 300, 80), ("a..b", 80), ("127.0.0.1", 70000)],
)  # fmt: skip
async def test_what_no_resolver_takes_is_the_one_documented_error(
    host: str, port: int
) -> None:
    with pytest.raises(DialError) as caught:
        await dial(Purpose.LDAP, host, port, offer=None)
    assert caught.value.message.startswith("cannot connect: ")
    assert caught.value.hint


async def test_a_directory_with_a_nul_in_its_name_is_told_from_a_kept_state() -> None:
    """A state file of an older linekey may hold it; no setting takes it any more."""
    state = directory_settings(phone(), 1)
    key = ("ldap_server", None)
    bad = replace(state.settings.entries[key], value="a\x00b")
    settings = replace(state.settings, entries={**state.settings.entries, key: bad})
    async with VirtualPhone(replace(state, settings=settings), clock=NOW) as running:
        answer = await running.do(LookupWanted("ada"))
        assert not answer.ok
        assert "ldap_server cannot be" in answer.text
        assert (await running.do(NotificationDismissed(0))).text
