"""The phone's SIP accounts on the network: one registration each, kept alive.

``SipLines`` is a service of ``edge.runner.VirtualPhone``. It reads the accounts
(idx 1 … 12) from the phone's settings, again whenever they change, and drives one
``sip.registration.Registration`` for each: connects through engine and judge,
feeds it what comes, keeps its time, and tells the phone what happened.

Rules: every connection is told to the phone when its handshake is over, and again when
it ends for a reason; a line that waits tries at once when a certificate was accepted in
the meantime; a line that stops unregisters first, within ``GOODBYE_S``; one line's
trouble is no other's. That holds for linekey's own faults, too: an exception that
nobody foresaw makes its line wait, as a server's would, and says whose fault it was;
the traceback goes to the log ``linekey.sip``. A message that cannot be served costs its
sender that message; the connection ends only where nobody knows where the next begins.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

import httpcore2

from linekey.endpoint import host_port
from linekey.errors import InputError, PeerError
from linekey.phone.edge.running import RunningPhone
from linekey.phone.events import ConnectionReported
from linekey.phone.state import PhoneState
from linekey.phone.user_agent import sip_user_agent
from linekey.phone.uses.actions.events import ActionHappened
from linekey.phone.uses.provisioning.events import ProvisioningWanted
from linekey.phone.uses.sip.account import SipAccount, read_account
from linekey.phone.uses.sip.events import LineMoved, LineNoted, LinesRead
from linekey.phone.uses.sip.lines import Lines, LineStatus
from linekey.phone.uses.sip.messages import instance_urn
from linekey.phone.uses.sip.registration import (
    Action,
    CallArrived,
    Connect,
    HangUp,
    LineChanged,
    MessageRefused,
    Registration,
    ResyncRequested,
    Send,
)
from linekey.phone.uses.sip.states import LineState
from linekey.phone.uses.sip.stream import PING, SipReader
from linekey.phone.wording import own_fault
from linekey.trust.connection import Purpose
from linekey.wire.dialer import DialError, Stream
from linekey.wire.faults import log_fault

ACCOUNTS: Final = 12
"""Lines a desk phone has (vendor, M)."""
GOODBYE_S: Final = 3.0
"""Seconds for the last REGISTER when a line stops."""
_READ_SIZE: Final = 16 * 1024
_WRITE_LIMIT_S: Final = 10.0
_randomness = random.SystemRandom()
_log = logging.getLogger("linekey.sip")


def read_accounts(state: PhoneState) -> tuple[list[SipAccount], list[str]]:
    """The phone's accounts, and a sentence for each that cannot be read."""
    accounts, problems = [], []
    for index in range(1, ACCOUNTS + 1):
        try:
            account = read_account(index, state.setting)
        except InputError as error:
            problems.append(f"line {index}: {error.message}; {error.hint}")
        except Exception as error:  # noqa: BLE001 - logged, and this line's alone
            log_fault(_log, f"line {index} of {state.mac} cannot be read", error)
            problems.append(f"line {index}: {_own_fault(error)}")
        else:
            if account is not None:
                accounts.append(account)
    return accounts, problems


def _own_fault(error: Exception) -> str:
    # Not its text: that may hold whatever was worked on.
    return f"{own_fault(type(error).__name__)[0]}, please report it"


def _status(account: SipAccount) -> LineStatus:
    return LineStatus(
        account.index,
        account.address,
        account.display_name or account.user,
        host_port(account.host, account.port),
        account.tls,
    )


class SipLines:
    """All lines of one phone; a service."""

    async def __call__(self, phone: RunningPhone) -> None:
        """Run until cancelled; then every line has unregistered."""
        lines: dict[int, _Line] = {}
        tasks: dict[int, asyncio.Task[None]] = {}
        told: tuple[str, ...] = ()
        accepted: object = None
        async with asyncio.TaskGroup() as group:
            while True:
                marks = _marks(phone)
                accounts, problems = read_accounts(phone.state)
                # One address, one firmware: a User-Agent that changes is a new line.
                wanted = {a.index: (a, _agent(phone.state, a.index)) for a in accounts}
                for index, line in list(lines.items()):
                    if wanted.get(index) != (line.account, line.agent):
                        await _stop([tasks.pop(index)])
                        del lines[index]
                if _listing(phone) != [_status(a) for a in accounts] or (
                    told != tuple(problems)
                ):
                    fresh = problems if told != tuple(problems) else ()
                    told = tuple(problems)
                    phone.happened(
                        LinesRead(tuple(map(_status, accounts)), tuple(fresh))
                    )
                for index, (account, agent) in wanted.items():
                    if index not in lines:
                        lines[index] = line = _Line(phone, account, agent)
                        tasks[index] = group.create_task(
                            line.run(), name=f"line {index} of {phone.state.mac}"
                        )
                now_accepted = phone.state.trust.server_certificates
                if accepted is not None and now_accepted != accepted:
                    for line in lines.values():
                        line.try_now()
                accepted = now_accepted
                await _changed(phone, marks)


async def _changed(phone: RunningPhone, marks: tuple[object, ...]) -> None:
    """Wait until the phone's settings or accepted certificates are others."""
    async with phone.settings_changed:
        while _marks(phone) == marks:
            await phone.settings_changed.wait()


def _marks(phone: RunningPhone) -> tuple[object, ...]:
    state = phone.state
    return (state.settings, state.profile, state.trust.server_certificates)


def _listing(phone: RunningPhone) -> list[LineStatus]:
    """The lines as the phone shows them, without where they stand."""
    return [
        LineStatus(x.index, x.account, x.label, x.peer, x.encrypted)
        for x in phone.state.part(Lines).lines
    ]


def _agent(state: PhoneState, index: int) -> str:
    row = state.profile
    with_mac = state.settings.is_on("mac_info_in_sip_register", index)
    return sip_user_agent(row.model, row.firmware, state.mac, with_mac=with_mac)


async def _stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    stopping = set(tasks)
    for task in stopping:
        task.cancel()
    await asyncio.wait(stopping)


class _Line:
    """One account on the network."""

    def __init__(self, phone: RunningPhone, account: SipAccount, agent: str) -> None:
        self.account = account
        self.agent = agent
        self._phone = phone
        self._registration = Registration(
            account,
            agent,
            instance=instance_urn(phone.state.mac),
            token=lambda: secrets.token_hex(8),
            jitter=_randomness.random,
        )
        self._stream: Stream | None = None
        self._reader = SipReader()
        self._wake = asyncio.Event()
        self._local = ""

    def try_now(self) -> None:
        """Do not wait any longer, if it waits."""
        if self._registration.state is LineState.WAITING:
            self._wake.set()

    async def run(self) -> None:
        """Stay registered until cancelled; no other exception ends it."""
        try:
            actions = self._registration.started(self._now())
            while True:
                actions = await self._live(actions)
        except asyncio.CancelledError:
            with self._faults_logged(), contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._say_goodbye()
            raise
        finally:
            with self._faults_logged():
                await self._hang_up("")

    async def _live(self, actions: list[Action]) -> list[Action]:
        """Carry out, and wait for what comes next."""
        try:
            await self._carry_out(actions)
            return await self._next()
        except Exception as error:  # noqa: BLE001 - logged, told, and this line's alone
            self._log_fault(error)
            with self._faults_logged():
                await self._hang_up("")
            return self._registration.disconnected(_own_fault(error), self._now())

    @contextlib.contextmanager
    def _faults_logged(self) -> Iterator[None]:
        """For the way out, where nothing is left that could be told of a fault."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - logged
            self._log_fault(error)

    def _log_fault(self, error: Exception) -> None:
        what = f"line {self.account.index} of {self._phone.state.mac}"
        log_fault(_log, what, error)

    def _now(self) -> datetime:
        return self._phone.clock.now()

    async def _say_goodbye(self) -> None:
        await self._carry_out(self._registration.stopping(self._now()))
        while self._registration.state is LineState.UNREGISTERING:
            await self._carry_out(await self._next())

    # --- what happens

    async def _next(self) -> list[Action]:
        """Wait for the next thing that happens, and let the registration take it."""
        registration = self._registration
        wait_s: float | None = None
        if registration.due is not None:
            wait_s = max(0.0, (registration.due - self._now()).total_seconds())
        if self._stream is None:
            return await self._pause(wait_s)
        try:
            data = await self._stream.read(_READ_SIZE, timeout=wait_s)
        except httpcore2.ReadTimeout:
            return registration.tick(self._now())
        except httpcore2.ReadError as error:
            return await self._lost(f"the connection broke: {error}")
        if not data:
            return await self._lost("the SIP server closed the connection")
        try:
            messages = self._reader.feed(data)
        except PeerError as error:
            return await self._lost(error.message)
        actions: list[Action] = []
        for message in messages:
            actions += registration.received(message, self._now())
        trouble = self._reader.trouble
        if trouble is None:
            return actions
        await self._carry_out(actions)  # what came before it is served
        return await self._lost(trouble.message)

    async def _pause(self, wait_s: float | None) -> list[Action]:
        self._wake.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return self._registration.tick(self._now())
        return self._registration.started(self._now())

    async def _lost(self, reason: str) -> list[Action]:
        await self._hang_up(reason)
        return self._registration.disconnected(reason, self._now())

    # --- what is done

    async def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Connect():
                    await self._carry_out(await self._connect(action))
                case Send(data=data):
                    lost = await self._send(data)
                    if lost is not None:
                        await self._carry_out(lost)
                        return
                case HangUp():
                    await self._hang_up("")
                case LineChanged():
                    self._tell(action)
                case MessageRefused(text=text):
                    self._phone.happened(LineNoted(self.account.index, text))
                case ResyncRequested(reboot=reboot):
                    why = "check-sync" + (", with a reboot" if reboot else "")
                    self._phone.happened(
                        ProvisioningWanted(f"line {self.account.index}: {why}")
                    )
                case CallArrived():
                    self._announce(action)

    async def _connect(self, action: Connect) -> list[Action]:
        try:
            stream = await self._phone.connect(
                Purpose.SIP, action.host, action.port, action.tls
            )
        except DialError as failed:
            self._phone.happened(ConnectionReported(failed.report))
            return self._registration.disconnected(failed.message, self._now())
        self._stream, self._reader = stream, SipReader()
        self._phone.happened(ConnectionReported(stream.report()))
        self._local, port = stream.local_address
        return self._registration.connected(self._local, port, self._now())

    async def _send(self, data: bytes) -> list[Action] | None:
        if self._stream is None:
            return None  # the connection went while the reply was made
        if data == PING:
            self._reader.ping_sent()
        try:
            await self._stream.write(data, timeout=_WRITE_LIMIT_S)
        except (httpcore2.WriteError, httpcore2.WriteTimeout) as error:
            return await self._lost(f"the connection broke: {error}")
        return None

    async def _hang_up(self, reason: str) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        await stream.aclose()
        report = stream.report()
        if report.alert_received is not None or (reason and report.error):
            self._phone.happened(ConnectionReported(report))

    def _tell(self, action: LineChanged) -> None:
        self._phone.happened(
            LineMoved(
                self.account.index,
                action.state,
                action.reason,
                self._registration.registered_until,
                self._local,
                failed=action.state is LineState.WAITING,
            )
        )

    def _announce(self, call: CallArrived) -> None:
        account = self.account
        self._phone.happened(
            ActionHappened(
                "incoming",
                {
                    "remote": call.remote,
                    "display_remote": call.display_remote,
                    "call-id": call.call_id,
                    "local": account.address.removeprefix("sip:"),
                    "active_url": call.remote,
                    "active_user": account.user,
                    "active_host": account.registrar,
                    "display_local": account.display_name or account.user,
                    "phone_ip": self._local,
                    "local_ip": self._local,
                    "nr_ongoing_calls": "1",
                },
                dict(call.headers),
            )
        )
