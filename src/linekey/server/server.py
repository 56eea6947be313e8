"""The provisioning server in one process: door, application, log and status page.

``async with ProvisioningServer(…)`` listens and serves until it is left; ``linekey
up`` runs one in its own process, ``linekey serve`` one in each worker (``workers``).

Rules: what is unsafe to start with is ``preflight``'s to find, before this is made.
The vendor CAs are read anew for every request, and once a second for handshakes. The
key file is looked at every two seconds, and what it has is written to the database
(``store.servers``): so a rotation of the key knows that this server has the new one.
"""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Self

from linekey.certs.certificate import Certificate
from linekey.certs.host_names import whole_names
from linekey.console.forecasting import served_here
from linekey.console.watch import Watch
from linekey.endpoint import bracketed, host_port, is_loopback
from linekey.errors import StorageError
from linekey.provisioning.authorize import Rules
from linekey.provisioning.expired import Expired
from linekey.server import counters as numbers
from linekey.server.alerting import Alerting
from linekey.server.app import ProvisioningApp
from linekey.server.counters import Counters
from linekey.server.gate import Gate
from linekey.server.health import HealthServer
from linekey.server.listener import phone_listener
from linekey.server.logs import tell_repeats
from linekey.server.management import ManagementServer
from linekey.server.plain_door import PlainDoor
from linekey.server.preflight.checks import ServerFiles
from linekey.server.proxy import BehindProxy
from linekey.server.repeats import WINDOW_S
from linekey.server.scrape import ScrapeServer
from linekey.server.worker_state import WorkerState, ready
from linekey.settings import Settings
from linekey.store.adoption import Adopter
from linekey.store.attempts import AttemptStore
from linekey.store.database import Database
from linekey.store.deadline import within
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.registry import Registry
from linekey.store.reserve import MIB, Reserve
from linekey.store.retention import Retention, keep_within
from linekey.store.servers import Presence
from linekey.tls.context import Identity as TlsIdentity
from linekey.tls.engine import ServerContexts, ServerEngine
from linekey.tls.hello import ClientHello
from linekey.tls.policy import BEST_VERSION, PolicyChoice
from linekey.trust.findings import Finding
from linekey.wire.descriptors import fitting, needed, raise_soft_limit
from linekey.wire.door.listener import Door, bind
from linekey.wire.door.refusal import Refusal
from linekey.wire.faults import log_fault
from linekey.wire.standard_streams import lost_lines
from linekey.wire.unix_socket import address_of

_log = logging.getLogger("linekey.server")

_TRUST_EVERY_S, _ROOM_EVERY_S = 1.0, 5.0
SWEEP_EVERY_S = 600.0
"""How often lines of the log that are too old are looked for; at the start, too."""
_BRIEFLY_S = 5.0
KEYS_EVERY_S = 2.0
"""How soon a changed key file is read and told to the other servers."""

Subscriber = Callable[[LogEntry], None]


def utc_now() -> datetime:
    """Read this machine's clock."""
    return datetime.now(UTC)


class ProvisioningServer:
    """One process's server; an async context manager.

    ``listener`` and ``status_listener`` are bound sockets (``listener.bind``); without
    them the settings' addresses are bound here. ``status=False`` leaves the status page
    to somebody else, ``alone=False`` the alerts and the numbers' own listener;
    balancers are answered only on a ``health_listener``. ``last``: nobody listens on
    the phones' socket after this server, which closes it. ``worker`` is its row in
    ``counters``. Raises LinekeyError if an address cannot be had or a store not read.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        files: ServerFiles,
        *,
        listener: socket.socket | None = None,
        status_listener: socket.socket | None = None,
        health_listener: socket.socket | None = None,
        status: bool = True,
        alone: bool = True,
        last: bool = False,
        counters: Counters | None = None,
        worker: int = 0,
        clock: Callable[[], datetime] = utc_now,
        findings: Callable[[], Sequence[Finding]] | None = None,
    ) -> None:
        self.settings = settings
        self._findings = findings
        self.database = database
        self._files = files
        self._served = partial(served_here, settings.names, lambda: self._files.chains)
        self._given = listener
        self._given_status = status_listener
        self._health_listener = health_listener
        self.health: HealthServer | None = None
        """Who answers balancers here, or None."""
        self._with_status = status and settings.status.enabled
        self._alone = alone
        self._last = last
        self.counters = counters or Counters()
        self._row = self.counters.row(worker)
        self._worker = worker
        self._clock = clock
        self._subscribers: list[Subscriber] = []
        self._stack = contextlib.AsyncExitStack()
        self._reserve = reserve_of(settings, database)
        self._short_told = False
        self._refusals_dropped = 0
        self._trouble = ""
        self._sums_due = 0.0
        self._ending = threading.Event()
        self.gate = Gate(clock, Expired(settings.rules.expired_certificates))
        self._contexts: ServerContexts | None = None
        self._contexts_version: int | None = None
        self.door: Door | PlainDoor
        self.url = ""
        """Where phones reach this server, without a slash at its end."""
        self.status_url: str | None = None
        """Where the status page is, or None."""
        self.api_url: str | None = None
        """Where the API is, without a slash at its end, or None."""
        self.console_url: str | None = None
        """Where the console is, or None."""

    # Life

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        settings = self.settings
        presence = Presence(
            self.database,
            self._clock(),
            name=settings.instance,
            writes=self._worker == 0,
            on_trouble=lambda said, cure: _log.error("%s (%s)", said, cure),
        )
        await asyncio.to_thread(presence.tell, self._clock())
        stack.push_async_callback(self._leave, presence)
        listener = self._given
        if listener is None:
            listener = stack.enter_context(phone_listener(settings))
        self.url = public_url(settings, self._files.chain[0], listener)
        registry = stack.enter_context(Registry(self.database))
        await self._read_trust(registry)
        await asyncio.to_thread(self._reserve.fill)
        self._decisions = log = DecisionLog(
            self.database,
            rules=settings.log,
            pending=settings.pending,
            on_short=self._short_of_room,
        )
        await stack.enter_async_context(log)
        app = ProvisioningApp(
            registry=registry,
            log=log,
            gate=self.gate,
            brake=stack.enter_context(AttemptStore(self.database)),
            adopter=stack.enter_context(Adopter(self.database)),
            pending=settings.pending,
            rules=Rules(
                blanked_for_shared=settings.rules.blanked_for_shared,
                second_factor_without_certificate=(
                    settings.rules.second_factor_without_certificate
                ),
                base_paths=settings.rules.base_paths,
            ),
            nonce_keys=self.database.keys.nonce_keys,
            public_url=self.url,
            anchors=lambda: self._files.anchors,
            clock=self._clock,
            on_decision=self._decided,
        )
        watch = Watch(
            self.database,
            self._served,
            self._clock,
            Expired(settings.rules.expired_certificates),
        )
        stack.callback(watch.close)
        if self._with_status:
            await self._start_status(stack, watch)
        if self._alone:
            alerting = Alerting(
                settings,
                self.database,
                chain=lambda: self._files.certificates,
                outlook=watch.latest,
                clock=self._clock,
            )
            await stack.enter_async_context(alerting)
            scraped = ScrapeServer(
                settings,
                self.database,
                chain=lambda: self._files.ends_first,
                counters=self.counters,
                watch=watch,
                clock=self._clock,
            )
            await stack.enter_async_context(scraped)
        self.door = await stack.enter_async_context(self._make_door(app, listener))
        log.more_come = self.door.more_come
        state = WorkerState(self.counters, self._worker, registry, log)
        speaker = asyncio.get_running_loop().create_task(state.run())
        stack.push_async_callback(_cancel, speaker)
        if self._health_listener is not None:
            self.health = await stack.enter_async_context(
                HealthServer(self._health_listener, partial(ready, self.counters))
            )
        keeper = asyncio.get_running_loop().create_task(self._keep(registry))
        stack.push_async_callback(_cancel, keeper)
        teller = asyncio.get_running_loop().create_task(self._tell_keys(presence))
        stack.push_async_callback(_cancel, teller)
        if self._worker == 0:
            sweeper = asyncio.get_running_loop().create_task(self._sweep())
            stack.push_async_callback(_cancel, sweeper)
            # First, so that a thread at work ends after the piece it is at.
            stack.callback(self._ending.set)

    def _make_door(
        self, app: ProvisioningApp, listener: socket.socket
    ) -> Door | PlainDoor:
        settings = self.settings
        may_have = raise_soft_limit(needed(settings.limits))
        limits = fitting(settings.limits, may_have)
        if settings.proxy.behind_proxy:
            behind = BehindProxy(
                app,
                settings.proxy.trusted_proxies,
                on_refused=self._refused_here,
                clock=self._clock,
                unix_socket=settings.proxy.unix_socket is not None,
            )
            return PlainDoor(
                behind,
                listener,
                limits=limits,
                drain_s=settings.stop.finish_s,
                last=self._last,
                on_refused=self._refused_here,
                on_trouble=self._unavailable,
            )
        return Door(
            app,
            self,
            listener,
            limits=limits,
            on_refused=self._refused,
            balancers=settings.proxy.protocol_from,
            drain_s=settings.stop.finish_s,
            last=self._last,
            on_trouble=self._unavailable,
        )

    async def _start_status(
        self, stack: contextlib.AsyncExitStack, watch: Watch
    ) -> None:
        status = self.settings.status
        listener = self._given_status
        if listener is None:
            listener = bind(status.host, status.port)
            stack.callback(listener.close)
        page = ManagementServer(
            self.settings,
            self.database,
            listener,
            url=self.url,
            chain=lambda: self._files.ends_first,
            served=self._served,
            anchors=lambda: self._files.anchors,
            counters=self.counters,
            clock=self._clock,
            watch=watch,
            findings=self._findings,
        )
        await stack.enter_async_context(page)
        self.status_url, self.api_url = page.url, page.api_url
        self.console_url = page.console_url

    @property
    def files(self) -> ServerFiles:
        """What is in use."""
        return self._files

    def reload(self, files: ServerFiles) -> None:
        """Use another certificate and key for connections from now on."""
        self._files = files
        self._contexts = self._build_contexts()

    # What the door asks and tells

    def _build_contexts(self) -> ServerContexts | None:
        identities = [
            TlsIdentity(files.chain, files.key)
            for files in self._files.every
            if files.key is not None
        ]
        if not identities:
            return None  # behind a proxy, which has the keys
        contexts = ServerContexts(
            *identities,
            verify=self.gate.verify,
            roots=self.gate.roots,
            intermediates=self.gate.intermediates,
            require_certificate=(
                not self.settings.rules.second_factor_without_certificate
            ),
            alpn=("http/1.1",),
            best_version=BEST_VERSION,
            openssl_proves=False,
        )
        contexts.make_all()  # now, and not while a phone waits
        return contexts

    @property
    def _tls(self) -> ServerContexts:
        assert self._contexts is not None, "the door is not behind a proxy"
        return self._contexts

    def choose(self, hello: ClientHello) -> PolicyChoice:
        """Choose policy and certificate for a phone (``tls.pump.Server``)."""
        return self._tls.choose(hello)

    def engine_for(self, choice: PolicyChoice, hello: ClientHello) -> ServerEngine:
        """Make the engine for one connection (``tls.pump.Server``)."""
        return self._tls.engine_for(choice, hello)

    def shown(self, choice: PolicyChoice) -> Certificate:
        """Give the certificate that a phone is shown (``tls.pump.Server``)."""
        return self._tls.shown(choice)

    async def _refused(self, refusals: list[Refusal], dropped: int) -> None:
        if dropped:
            self._row.add(numbers.DROPPED, dropped)
            self._refusals_dropped += dropped
        entries = [LogEntry.of_refusal(refusal) for refusal in refusals]
        results = await asyncio.gather(
            *(self._decisions.record(entry) for entry in entries),
            return_exceptions=True,
        )
        for entry, result in zip(entries, results, strict=True):
            self._count(numbers.TURNED_AWAY, entry)
            if isinstance(result, StorageError):
                self._row.add(numbers.DROPPED)
                self._refusals_dropped += 1
                self._trouble = result.message
            elif isinstance(result, BaseException):
                raise result
            self._tell(entry)

    async def _refused_here(self, refusal: Refusal) -> None:
        """Put one refused request on record before it is answered."""
        entry = LogEntry.of_refusal(refusal)
        await self._decisions.record(entry)
        self._count(numbers.DECIDED, entry)
        self._tell(entry)

    def _decided(self, entry: LogEntry, seconds: float) -> None:
        self._count(numbers.DECIDED, entry)
        served = (entry.tls_version or "", entry.policy or "")
        self._row.add(numbers.SERVED.get(served, numbers.SERVED[numbers.NO_TLS]))
        self._row.took(seconds)
        self._tell(entry)

    def _count(self, cells: dict[str, int], entry: LogEntry) -> None:
        self._row.add(cells.get(entry.reason, cells[numbers.OTHER]))

    def _unavailable(self, cause: str) -> None:
        self._row.add(numbers.UNAVAILABLE[cause])

    def _tell(self, entry: LogEntry) -> None:
        told = entry.outcome not in ("granted", "absent")
        if told and _log.isEnabledFor(logging.INFO):
            _log.info(
                "%s: %s",
                entry.outcome,
                entry.sentence,
                extra={
                    "kind": entry.kind,
                    "reason": entry.reason,
                    "peer": entry.peer,
                    "mac": str(entry.mac) if entry.mac else None,
                    "resource": entry.resource or None,
                    "cure": entry.remedy or None,
                    "fingerprint": entry.fingerprint,
                },
            )
        for subscriber in list(self._subscribers):
            subscriber(entry)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Tell ``subscriber`` of each decision and refusal once it is on record.

        It is called on the event loop and must return at once. Call what is returned to
        end the subscription.
        """
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    # The keeper

    async def _keep(self, registry: Registry) -> None:
        trouble = ""
        while True:
            await asyncio.sleep(_TRUST_EVERY_S)
            try:
                await self._read_trust(registry)
            except StorageError as error:
                if error.message != trouble:  # else once a second
                    _log.error("cannot read the vendor CAs: %s", error.message)
                trouble = error.message
            except Exception as error:  # noqa: BLE001 - one bad row must not end this
                if type(error).__name__ != trouble:
                    log_fault(_log, "cannot read the vendor CAs", error)
                trouble = type(error).__name__
            else:
                trouble = ""
            if self.counters.is_leaving:
                self.door.leave()
            self._row.set(numbers.CONNECTIONS, self.door.connections)
            self._row.set(numbers.HALF_OPEN, self.door.half_open)
            self._row.set(numbers.ACCEPTED, self.door.accepted)
            self._row.set(numbers.HANDSHAKES, self.door.completed)
            self._row.set(numbers.SHED, self.door.shed_count)
            numbers.count_lost_lines(self._row, lost_lines())
            self._tell_sums(time.monotonic())
            self._tell_room()

    def _tell_sums(self, now: float) -> None:
        """Say how many lines on stderr were left out, and what is not on record."""
        tell_repeats()
        if self._refusals_dropped and now >= self._sums_due:
            self._sums_due = now + WINDOW_S
            count, self._refusals_dropped = self._refusals_dropped, 0
            trouble, self._trouble = self._trouble, ""
            _log.warning(
                "%d refusals are not on record: %s",
                count,
                trouble or "they came faster than the disk takes them",
            )

    def _short_of_room(self) -> None:
        """Say once that the disk is full; called in the log's own thread."""
        if not self._short_told:
            self._short_told = True
            _log.error(
                "the disk is full: decisions about phones go on from what was kept in "
                "reserve, refusals of strangers are not recorded (free some space, or "
                "prune the log: linekey log prune --older-than 90d)"
            )

    def _tell_room(self) -> None:
        short = self._decisions.is_short_of_room
        self._row.set(numbers.SHORT_OF_ROOM, int(short))
        if short:
            self._short_of_room()
        elif self._short_told:
            self._short_told = False
            _log.warning("there is room on the disk again; all is recorded")

    async def _sweep(self) -> None:
        """Delete what is kept no longer, and fill the reserve again, now and then."""
        rules = self.settings.log
        retention = Retention(
            rules.keep_days,
            rules.stranger_days,
            rules.stranger_lines,
            rules.change_days,
            self.settings.pending.keep,
            self.settings.pending.keep_days,
        )
        next_time = 0.0
        while True:
            await asyncio.sleep(_ROOM_EVERY_S)
            await asyncio.to_thread(self._reserve.fill)
            if time.monotonic() < next_time:
                continue
            next_time = time.monotonic() + SWEEP_EVERY_S
            try:
                deleted = await asyncio.to_thread(
                    keep_within,
                    self.database,
                    retention,
                    self._clock(),
                    self._ending.is_set,
                )
            except StorageError as error:
                _log.error("cannot prune the log: %s (%s)", error.message, error.hint)
            else:
                if deleted:
                    _log.info("deleted %d lines of the log that are too old", deleted)

    async def _tell_keys(self, presence: Presence) -> None:
        trouble = ""
        while True:
            await asyncio.sleep(KEYS_EVERY_S)
            try:
                await asyncio.to_thread(_briefly, presence.tell_if_due, self._clock())
            except StorageError as error:
                if error.message != trouble:
                    _log.error("the keys: %s (%s)", error.message, error.hint)
                trouble = error.message
            else:
                trouble = ""

    async def _leave(self, presence: Presence) -> None:
        try:
            await asyncio.to_thread(_briefly, presence.end)
        except StorageError as error:
            _log.error("still on the list of servers: %s", error.message)

    async def _read_trust(self, registry: Registry) -> None:
        found = await registry.authorities(await registry.revision())
        self.gate.trust(
            found.roots,
            found.intermediates,
            found.version,
            found.rules,
            found.expired,
        )
        if self._contexts_version != found.version:
            # Which authorities are asked for, and what OpenSSL builds paths with.
            self._contexts = self._build_contexts()
            self._contexts_version = found.version


def reserve_of(settings: Settings, database: Database) -> Reserve:
    """The room that is kept for a full disk; none with PostgreSQL."""
    size = settings.log.reserve_mb * MIB if database.is_sqlite else 0
    return Reserve(database.state.root, size)


def public_url(settings: Settings, leaf: Certificate, listener: socket.socket) -> str:
    """Return the URL for phones: a name of the settings, else of the certificate.

    Behind a proxy it is the proxy's, which linekey's own address and port are not.
    """
    host, port = address_of(listener)
    behind = settings.proxy.behind_proxy
    if behind:
        port = settings.proxy.public_port
    names = settings.names or whole_names(leaf)
    name = names[0] if names else "localhost" if host.startswith("/") else host
    if not settings.names and not behind and is_loopback(host):
        name = "localhost" if "localhost" in names else host
    return f"https://{bracketed(name) if port == 443 else host_port(name, port)}"


def _briefly(call: Callable[..., None], *given: object) -> None:
    """Do it in a thread that a database which hangs keeps for some seconds only: the
    server waits for its threads when it ends."""
    with within(_BRIEFLY_S):
        call(*given)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
