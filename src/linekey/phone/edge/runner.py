"""A virtual phone that runs: the state machine, carried out.

``VirtualPhone`` owns one ``phone.machine.Machine``, feeds it events one at a time, and
carries its commands out: connections through ``wire.dialer`` (where ``trust.judge``
decides inside the handshake), saves through a ``Keeper``, timers through the event
loop. Many phones run in one process.

    async with VirtualPhone(state, keeper=…) as phone:   # boots
        await phone.round_ended()                        # the first round is over
        answer = await phone.do(ExceptionAdded(sha256))  # somebody pressed something

``now`` is the *phone's* clock: real time, or ``clock`` at power-on and then on from
there (a phone without NTP begins in 1970).

Rule: a fault of linekey's own, in one event or one command, does not end the phone. Its
log says so, whoever asked is told, and the traceback goes to the logger
``linekey.phone``. StorageError ends it: a phone that cannot keep its state stops.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Protocol, Self

from linekey.certs.certificate import Certificate
from linekey.errors import InputError, LinekeyError, StorageError
from linekey.phone.edge import http
from linekey.phone.edge.carry import carry_out
from linekey.phone.events import (
    Answer,
    ApplySettings,
    Command,
    ConnectionReported,
    Errand,
    Event,
    PoweredOn,
    Reply,
    Save,
    SendLater,
)
from linekey.phone.hello import phone_context
from linekey.phone.identity import DeviceIdentity
from linekey.phone.machine import Machine
from linekey.phone.report import describe_run
from linekey.phone.state import LogEntry, PhoneState
from linekey.phone.user_agent import user_agent
from linekey.phone.uses.provisioning.round import Rounds
from linekey.tls.context import ClientContext, Identity
from linekey.trust.connection import Purpose
from linekey.trust.findings import Verdict
from linekey.trust.strength import look_at_group
from linekey.wire.dialer import Offer, Stream, dial, refused_offer
from linekey.wire.faults import log_fault

_log = logging.getLogger("linekey.phone")

Later = Callable[[float, Callable[[], None]], asyncio.TimerHandle]
"""``later(after_s, call)``, as ``call_later`` of an event loop."""

Service = Callable[["VirtualPhone"], Awaitable[None]]
"""Something that runs beside the phone until it is switched off: SIP, its pages."""


class Keeper(Protocol):
    """Whoever keeps the phone's state (``edge.disk.PhoneFolder``)."""

    def save(self, state: PhoneState) -> None:
        """Write the state; return when it is on disk. Raises StorageError."""


class PhoneClock:
    """The phone's clock; ``start`` is what it shows at power-on, None the real time."""

    def __init__(self, start: datetime | None = None) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError("the phone's clock needs a time zone")
        self._start = start
        self._begin = time.monotonic()

    def now(self) -> datetime:
        """What the phone's clock shows."""
        if self._start is None:
            return datetime.now(UTC)
        return self._start + timedelta(seconds=time.monotonic() - self._begin)


class VirtualPhone:
    """One running phone; an async context manager.

    ``state`` is what it is at power-on. ``tell`` is called with every new log line, the
    story in the past tense. ``keeper`` None keeps nothing. ``services`` run beside it.
    ``later`` sets the phone's timers; None is the event loop's clock.
    """

    def __init__(
        self,
        state: PhoneState,
        *,
        keeper: Keeper | None = None,
        clock: datetime | None = None,
        tell: Callable[[LogEntry], None] | None = None,
        services: tuple[Service, ...] = (),
        time_limit_s: float = http.TIME_LIMIT_S,
        later: Later | None = None,
    ) -> None:
        self.machine = Machine(state)
        self.clock: PhoneClock = PhoneClock(clock)
        self.settings_changed: asyncio.Condition = asyncio.Condition()
        """Notified when settings or accepted certificates changed; for services."""
        self._keeper = keeper
        self._tell = tell
        self._services = services
        self._time_limit_s = time_limit_s
        self._set_timer = later
        self._told = state.log_count
        self._events: asyncio.Queue[tuple[Event, asyncio.Future[Answer] | None]]
        self._events = asyncio.Queue()
        self._asker: asyncio.Future[Answer] | None = None
        self._booted = False
        self._timers: dict[type[Event], asyncio.TimerHandle] = {}
        self._waiters: list[
            tuple[Callable[[PhoneState], bool], asyncio.Future[PhoneState]]
        ] = []
        self._main: asyncio.Task[None] | None = None
        self._context: tuple[object, ClientContext, tuple[str, ...]] | None = None
        self._whole = state

    # --- for whoever runs it

    @property
    def state(self) -> PhoneState:
        """What the phone is now."""
        return self.machine.state

    async def __aenter__(self) -> Self:
        self._main = asyncio.create_task(
            self.run(), name=f"phone {self.machine.state.mac}"
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        main = self._main
        if main is None:
            return
        main.cancel()
        await asyncio.wait({main})
        if not main.cancelled() and (failure := main.exception()) is not None:
            raise failure

    async def run(self) -> None:
        """Boot, and stay until cancelled. StorageError if nothing can be kept."""
        self._events.put_nowait((PoweredOn(), None))
        try:
            async with asyncio.TaskGroup() as group:
                for service in self._services:
                    group.create_task(_serve(service, self))
                while True:
                    event, asker = await self._events.get()
                    self._asker = asker
                    await self._handle(event, group)
        except BaseExceptionGroup as errors:
            known = [e for e in errors.exceptions if isinstance(e, LinekeyError)]
            if len(known) == len(errors.exceptions):
                raise known[0] from errors
            raise
        finally:
            for timer in self._timers.values():
                timer.cancel()
            await self._settle()

    async def _settle(self) -> None:
        """Write down what services said as they stopped; leave nobody waiting."""
        askers = [self._asker]
        written = False
        while not self._events.empty():
            event, asker = self._events.get_nowait()
            askers.append(asker)
            if event.is_noted_at_the_end:
                self._whole = self.state
                try:
                    self.machine.handle(event, self.clock.now())
                except Exception as error:  # noqa: BLE001 - told, with its traceback
                    self._faulted(event, error)
                written = True
        if written:
            self._tell_news()
            if self._keeper is not None:
                self._keeper.save(self.state)
        for asker in askers:
            if asker is not None and not asker.done():
                asker.set_result(Answer(False, "the phone was switched off"))
        self._asker = None

    async def do(self, event: Event) -> Answer:
        """Tell the phone that somebody did something; what came of it."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._events.put_nowait((event, future))
        return await future

    def happened(self, event: Event) -> None:
        """Tell the phone that something happened; nobody waits for an answer."""
        self._events.put_nowait((event, None))

    async def round_ended(self) -> PhoneState:
        """Wait until no provisioning round is going on and one has ended."""
        return await self.wait_for(
            lambda state: self._booted and state.part(Rounds).going_on is None
        )

    async def wait_for(self, met: Callable[[PhoneState], bool]) -> PhoneState:
        """Wait until the phone's state is as asked; it is looked at after each event.

        Raises what ended the phone, if that happens before.
        """
        if met(self.state):
            return self.state
        future: asyncio.Future[PhoneState] = asyncio.get_running_loop().create_future()
        waiter = (met, future)
        self._waiters.append(waiter)
        try:
            until: set[asyncio.Future[Any]] = {future}
            if self._main is not None:
                until.add(self._main)
            await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
            if not future.done() and self._main is not None:
                self._main.result()
            return await future
        finally:
            self._waiters.remove(waiter)

    async def wait_closed(self) -> None:
        """Wait until the phone stops by itself, which only an error makes it do."""
        assert self._main is not None, "only within `async with`"
        await asyncio.wait({self._main})
        self._main.result()

    def report(self) -> dict[str, Any]:
        """What ``linekey up --json`` tells of the phone."""
        return describe_run(self.state)

    # --- connections, also for services

    async def connect(
        self, purpose: Purpose, host: str, port: int, encrypted: bool = True
    ) -> Stream:
        """Open a connection as this phone: its versions, suites, certificate, judge.

        Raises DialError. The caller hands the report over when the connection is over:
        ``happened(ConnectionReported(stream.report()))``, or ``failed.report``.
        """
        if not encrypted:
            return await dial(purpose, host, port, offer=None)
        try:
            offer = self.offer()
        except InputError as error:
            raise refused_offer(purpose, host, port, error) from error
        return await dial(purpose, host, port, offer=offer)

    async def get(
        self, url: str, purpose: Purpose, *, max_bytes: int = http.MAX_BYTES
    ) -> http.HttpAnswer:
        """GET a URL as this phone; every connection goes to log and tabs.

        Raises InputError and ``http.HttpError``.
        """
        settings = self.state.settings
        user = settings.get("http_client_user")
        row = self.state.profile
        return await http.get(
            url,
            purpose=purpose,
            dial=self.connect,
            user_agent=user_agent(
                row.model,
                row.firmware,
                self.state.mac,
                settings.get("http_user_agent_string"),
            ),
            ended=lambda report: self.happened(ConnectionReported(report)),
            credentials=http.Credentials(user, settings.get("http_client_pass"))
            if user
            else None,
            max_bytes=max_bytes,
            time_limit_s=self._time_limit_s,
        )

    async def put(self, url: str, data: bytes, purpose: Purpose) -> int:
        """PUT a text to a URL as this phone; the status. Raises as ``get``."""
        row = self.state.profile
        agent = self.state.settings.get("http_user_agent_string")
        return await http.put(
            url,
            data,
            purpose=purpose,
            dial=self.connect,
            user_agent=user_agent(row.model, row.firmware, self.state.mac, agent),
            ended=lambda report: self.happened(ConnectionReported(report)),
            time_limit_s=self._time_limit_s,
        )

    def offer(self) -> Offer:
        """How this phone speaks TLS now. Raises InputError if the engine cannot."""
        state = self.state
        identity = state.client_identity
        context, notes = self._client_context(identity)

        def verdict(chain: tuple[Certificate, ...], name: str) -> Verdict:
            # Of this moment: an exception may have been added since.
            return self.state.verdict_on(chain, name, self.clock.now())

        return Offer(
            context,
            verdict,
            judge_group=lambda bits: look_at_group(bits, state.profile),
            anonymous_is_fine=not state.authenticates_servers,
            sends_server_name=state.profile.sends_server_name,
            own_leaf=None if identity is None else identity.leaf,
            notes=notes,
        )

    def _client_context(
        self, identity: DeviceIdentity | None
    ) -> tuple[ClientContext, tuple[str, ...]]:
        row = self.state.speaks
        wanted = (row, identity)
        if self._context is not None and self._context[0] == wanted:
            return self._context[1:]
        chain = () if identity is None else identity.chain
        context, notes = phone_context(row, chain[1:])
        if identity is not None:
            context = context.showing(Identity(chain, identity.key))
        self._context = (wanted, context, notes)
        return context, notes

    # --- the loop

    async def _handle(self, event: Event, group: asyncio.TaskGroup) -> None:
        self._whole = self.state
        try:
            answer = await self._take(event, group)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - told, with its traceback
            answer = await self._carry_all_out(self._faulted(event, error), group)
        self._booted = True
        self._tell_news()
        for met, future in self._waiters:
            if not future.done() and met(self.state):
                future.set_result(self.state)
        asker, self._asker = self._asker, None
        if asker is not None and not asker.done():
            asker.set_result(answer)

    async def _take(self, event: Event, group: asyncio.TaskGroup) -> Answer:
        accepted = self.state.trust.server_certificates
        commands = self.machine.handle(event, self.clock.now())
        if self.state.trust.server_certificates != accepted:
            # A line that was refused tries again: an exception may have cured it.
            await self._announce()
        return await self._carry_all_out(commands, group)

    async def _carry_all_out(
        self, commands: list[Command], group: asyncio.TaskGroup
    ) -> Answer:
        answer = Answer(True, "done")
        for command in commands:
            if isinstance(command, Reply):
                answer = command.answer
            else:
                await self._carry_out(command, group)
        return answer

    def _faulted(self, event: Event, error: Exception) -> list[Command]:
        """Have the machine go on; the traceback is for whoever repairs linekey."""
        log_fault(_log, f"phone {self.state.mac}: {type(event).__name__}", error)
        kind = type(error).__name__
        return self.machine.faulted(event, self._whole, kind, self.clock.now())

    async def _carry_out(self, command: Command, group: asyncio.TaskGroup) -> None:
        match command:
            case Save():
                if self._keeper is not None:
                    await asyncio.to_thread(self._keeper.save, self.state)
                self._whole = self.state
            case SendLater(after_s=after_s, event=event):
                if (timer := self._timers.get(type(event))) is not None:
                    timer.cancel()
                self._timers[type(event)] = self._later(after_s, event)
            case ApplySettings():
                await self._announce()
            case Errand():
                asker = None
                if command.asker_waits:
                    # Whoever asked learns what came of it, not that it began.
                    asker, self._asker = self._asker, None
                group.create_task(self._run(command, asker))
            case _:
                raise AssertionError(f"nobody carries out: {command!r}")

    def _later(self, after_s: float, event: Event) -> asyncio.TimerHandle:
        later = self._set_timer or asyncio.get_running_loop().call_later
        return later(after_s, lambda: self.happened(event))

    async def _announce(self) -> None:
        async with self.settings_changed:
            self.settings_changed.notify_all()

    async def _run(self, errand: Errand, asker: asyncio.Future[Answer] | None) -> None:
        try:
            event = await carry_out(self, errand)
        except asyncio.CancelledError:
            if asker is not None and not asker.done():
                asker.set_result(Answer(False, "the phone was switched off"))
            raise
        self._events.put_nowait((event, asker))

    def _tell_news(self) -> None:
        fresh = self.state.log_count - self._told
        self._told = self.state.log_count
        if self._tell is not None and fresh > 0:
            for entry in self.state.log[-fresh:]:
                self._tell(entry)


async def _serve(service: Service, phone: VirtualPhone) -> None:
    await service(phone)
