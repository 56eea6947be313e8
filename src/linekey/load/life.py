"""One phone of a load: it starts, and then does what the mix says until it is stopped.

It is the virtual phone with nothing left out: ``LoadPhone`` only looks on. Rounds are
seen from the phone's state, registrations from its lines' events, so what a phone does
by itself is counted, too: a retry, a refresh of its registration (``reregister``), a
check-sync. TLS connections are counted apart, as ``tls``, from connecting to the end of
the handshake.

Rules: a phone calls no host that the order does not allow; what is cut off by the
load's end is no failure; the phone keeps nothing on disk.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from linekey.certs.certificate import Certificate
from linekey.load.order import LoadOrder, may_call
from linekey.load.outcome import Outcome, of_connection, of_round
from linekey.load.table import Row, load_identity
from linekey.phone.edge.runner import Service, VirtualPhone
from linekey.phone.events import Event, SettingEntered
from linekey.phone.state import PhoneState, Status, new_phone
from linekey.phone.uses.actions.events import ActionHappened, KeyPressed
from linekey.phone.uses.actions.urls import ACTIONS
from linekey.phone.uses.directory.events import LookupWanted
from linekey.phone.uses.provisioning.events import ProvisioningWanted
from linekey.phone.uses.provisioning.round import Rounds
from linekey.phone.uses.sip.edge import SipLines
from linekey.phone.uses.sip.events import LineMoved
from linekey.phone.uses.sip.lines import Lines
from linekey.phone.uses.sip.states import LineState
from linekey.trust.connection import ConnectionReport, Purpose
from linekey.wire.dialer import DialError, Stream

_AT_REST: Final = (LineState.REGISTERED, LineState.WAITING)
_LETTERS: Final = "abcdefghijklmnoprstuvw"


@dataclass(slots=True)
class Notes:
    """What all phones of a process tell."""

    done: Callable[[Outcome], None]
    under_way: int = 0
    """Requests whose answer has not come."""
    started: int = 0
    """Phones that were switched on."""


def make_state(
    row: Row, order: LoadOrder, authorities: tuple[Certificate, ...]
) -> PhoneState:
    """A phone of the table, as it is before it is switched on. Raises InputError."""
    state = new_phone(
        row.mac,
        row.model,
        row.firmware,
        setting_server=order.server if "boot" in order.mix else "",
        builtin=load_identity(row),
        authorities=authorities,
    )
    if "boot" in order.mix or "register" not in order.mix:
        return state
    settings = state.settings
    host = order.registrar.rpartition(":")[0]
    for name, value in {
        "user_name": row.user or str(row.mac),
        "user_pass": row.password,
        "user_host": order.domain or host,
        "user_outbound": f"{order.registrar};transport=tls",
    }.items():
        settings = settings.provision(name, value, idx=1).settings
    return replace(state, settings=settings)


class LoadPhone(VirtualPhone):
    """A virtual phone that tells how long what it does takes."""

    def __init__(self, state: PhoneState, order: LoadOrder, notes: Notes) -> None:
        services: tuple[Service, ...] = ()
        if order.server:
            services = (self._watch_rounds,)
        if "register" in order.mix:
            services = (*services, SipLines())
        super().__init__(state, services=services, time_limit_s=order.limit_s)
        self._order = order
        self._notes = notes
        self._failed: dict[Purpose, ConnectionReport] = {}
        self._foreign = False
        self._lines: dict[int, tuple[str, float, float]] = {}

    # --- looking on

    async def connect(
        self, purpose: Purpose, host: str, port: int, encrypted: bool = True
    ) -> Stream:
        """As the phone does, unless the host is not the operator's own."""
        if not may_call(host, self._order.owned):
            self._foreign = True
            report = ConnectionReport(
                purpose, f"{host}:{port}", False, error=f"{host} is not named as yours"
            )
            self._failed[purpose] = report
            raise DialError(report, hint=f"if it is, add --i-own {host}")
        begun_at, begun = time.time(), time.perf_counter()
        try:
            stream = await super().connect(purpose, host, port, encrypted)
        except DialError as failed:
            self._failed[purpose] = failed.report
            raise
        self._failed.pop(purpose, None)
        if encrypted:
            self._notes.done(Outcome("tls", begun_at, time.perf_counter() - begun))
        return stream

    def happened(self, event: Event) -> None:
        """Take the time of what lines do, on the way to the phone."""
        if isinstance(event, LineMoved):
            self._line_moved(event)
        super().happened(event)

    def _line_moved(self, event: LineMoved) -> None:
        known = self._lines.get(event.index)
        match event.state:
            case LineState.CONNECTING if known is None:
                self._begin_line(event.index, "register")
            case LineState.REGISTERING if known is None:
                self._begin_line(event.index, "reregister")
            case LineState.REGISTERED if known is not None:
                self._end_line(event.index, "", "")
            case LineState.WAITING if known is not None:
                failed = self._failed.get(Purpose.SIP)
                code = "load.sip_refused" if failed is None else of_connection(failed)
                self._end_line(event.index, self._coded(code), event.reason)
            case LineState.IDLE | LineState.UNREGISTERING if known is not None:
                del self._lines[event.index]  # cut off
                self._notes.under_way -= 1

    def _begin_line(self, index: int, kind: str) -> None:
        self._lines[index] = (kind, time.time(), time.perf_counter())
        self._notes.under_way += 1

    def _end_line(self, index: int, code: str, text: str) -> None:
        kind, begun_at, begun = self._lines.pop(index)
        self._notes.under_way -= 1
        took = time.perf_counter() - begun
        self._notes.done(Outcome(kind, begun_at, took, code, text))

    async def _watch_rounds(self, phone: VirtualPhone) -> None:
        while True:
            state = await self.wait_for(lambda s: s.part(Rounds).going_on is not None)
            kind = "boot" if state.provisioned_at is None else "refresh"
            begun_at, begun = time.time(), time.perf_counter()
            self._failed.pop(Purpose.PROVISIONING, None)
            self._notes.under_way += 1
            try:
                state = await self.wait_for(lambda s: s.part(Rounds).going_on is None)
            finally:
                self._notes.under_way -= 1
            took = time.perf_counter() - begun
            code, text = of_round(state, self._failed.get(Purpose.PROVISIONING))
            self._notes.done(Outcome(kind, begun_at, took, self._coded(code), text))

    def _coded(self, code: str) -> str:
        foreign, self._foreign = self._foreign, False
        return "load.not_yours" if code and foreign else code

    # --- what it does

    async def begin(self) -> None:
        """Wait for what a phone does when it starts, within the limit."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._order.limit_s):
                boots = "boot" in self._order.mix
                if boots and not await self._provisioned():
                    return
                if "register" in self._order.mix:
                    await self._registered()

    async def _provisioned(self) -> bool:
        return (await self.round_ended()).status is Status.PROVISIONED

    async def _registered(self) -> None:
        await self.wait_for(
            lambda s: any(line.state in _AT_REST for line in s.part(Lines).lines)
        )

    async def act(self, kind: str, chance: random.Random) -> None:
        """Do one thing of the mix, other than booting."""
        match kind:
            case "refresh":
                await self.do(ProvisioningWanted("the load"))
                await self.round_ended()
            case "register":
                await self._register_again()
            case "keys":
                keys = [
                    key.idx
                    for key in self.state.function_keys
                    if key.type.lower() in ("url", "action_url")
                ]
                await self._ask(kind, KeyPressed(chance.choice(keys)) if keys else None)
            case "lookup":
                there = self.state.setting("ldap_server")
                text = LookupWanted(chance.choice(_LETTERS))
                await self._ask(kind, text if there else None)
            case "actions":
                events = [e for e, name in ACTIONS.items() if self.state.setting(name)]
                asked = [ActionHappened(event, asked=True) for event in events]
                await self._ask(kind, chance.choice(asked) if asked else None)

    async def _register_again(self) -> None:
        """Switch the first line off and on: it unregisters, and connects anew."""
        begun_at = time.time()
        there = bool(self.state.part(Lines).lines)
        answer = await self.do(SettingEntered("user_active", "off", 1))
        if not answer.ok or not there:
            code = "load.nothing_to_do"
            self._notes.done(Outcome("register", begun_at, 0.0, code, answer.text))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._order.limit_s):
                await self.wait_for(lambda s: s.part(Lines).line(1) is None)
                await self.do(SettingEntered("user_active", "on", 1))
                await self._registered()

    async def _ask(self, kind: str, event: Event | None) -> None:
        begun_at, begun = time.time(), time.perf_counter()
        if event is None:
            code = "load.nothing_to_do"
            self._notes.done(Outcome(kind, begun_at, 0.0, code, "nothing is set"))
            return
        for purpose in _OF_PAGES:
            self._failed.pop(purpose, None)
        self._notes.under_way += 1
        try:
            answer = await self.do(event)
        finally:
            self._notes.under_way -= 1
        code = ""
        if not answer.ok:
            failed = next(
                (self._failed[p] for p in _OF_PAGES if p in self._failed), None
            )
            code = "load.page_refused" if failed is None else of_connection(failed)
        took = time.perf_counter() - begun
        text = "" if answer.ok else answer.text
        self._notes.done(Outcome(kind, begun_at, took, self._coded(code), text))


_OF_PAGES: Final = (
    Purpose.FUNCTION_KEY,
    Purpose.MINIBROWSER,
    Purpose.ACTION_URL,
    Purpose.LDAP,
)


async def live(
    state: PhoneState, order: LoadOrder, notes: Notes, turns: asyncio.Semaphore
) -> None:
    """Be this phone until cancelled."""
    chance = random.Random(state.mac.digits)  # noqa: S311 - the same at every run
    on = False
    while True:
        async with turns:
            notes.started, on = notes.started + (not on), True
            phone = LoadPhone(state, order, notes)
            await phone.__aenter__()
            try:
                await phone.begin()
            except BaseException:
                await phone.__aexit__(None, None, None)
                raise
        try:
            await _repeat(phone, order, chance)
        finally:
            await phone.__aexit__(None, None, None)


async def _repeat(phone: LoadPhone, order: LoadOrder, chance: random.Random) -> None:
    """Think and act, until the phone is to be switched off and on again."""
    while True:
        await asyncio.sleep(order.think_s * (0.5 + chance.random()))
        kind = order.mix.choose(chance.random())
        if kind is None:
            await phone.wait_closed()
        elif kind == "boot":
            return
        else:
            await phone.act(kind, chance)
