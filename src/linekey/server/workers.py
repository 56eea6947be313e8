"""Several processes behind one socket, started again when one dies.

The parent binds the sockets, starts the workers (also a single one, so that it never
waits for the API), serves status page, console and API, and waits. All workers accept
from the same listening socket, so the kernel's one backlog feeds them and a dying one
loses no waiting connection (with SO_REUSEPORT it would lose its own queue). Each has
its own TLS session tickets, since pyOpenSSL cannot share ticket keys: a phone that
resumes at another makes a whole handshake, and no session outlives its worker.

Rules: a worker that dies is started again, as ``restarts`` says; one whose parent dies
drains and ends, and leaves the port at once to the next parent. SIGTERM tells balancers
first; it and SIGINT drain, and leave nobody in the backlog, even before a worker has
begun (``leaving``), unless the socket is the service manager's, who hands it to the
next server (decision 0032). SIGHUP reads certificate and key anew and refuses what
``preflight`` refuses. Signals that come before their handlers wait for them. A service
manager is told how all of them are by the process that it started (``supervision``).
"""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing import resource_tracker
from typing import Self

from cryptography.hazmat.primitives.asymmetric.dsa import DSAPrivateKey

from linekey.alerts.sender import Sender
from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_private_key, private_key_to_pem
from linekey.console.forecasting import served_here, shut_out
from linekey.console.watch import Watch
from linekey.errors import LinekeyError, StorageError
from linekey.provisioning.ca_rules import rules_of
from linekey.provisioning.expired import Expired
from linekey.server.alerting import Alerting
from linekey.server.counters import Counters, count_lost_lines
from linekey.server.health import HealthServer
from linekey.server.leaving import announce, announced_s, one_begins
from linekey.server.logs import configure_logs
from linekey.server.management import ManagementServer
from linekey.server.preflight.anchors import OTHERS, check_anchors
from linekey.server.preflight.checks import (
    ServerFiles,
    check_modes,
    check_start,
    read_server_files,
)
from linekey.server.preflight.limits import check_descriptors
from linekey.server.preflight.phones import check_phones
from linekey.server.restarts import NO_DATABASE, Restarts
from linekey.server.scrape import ScrapeServer
from linekey.server.server import ProvisioningServer, public_url, utc_now
from linekey.server.supervision import START_S, Supervision, beating
from linekey.server.worker_state import ready
from linekey.settings import Settings
from linekey.store.database import Database, open_database
from linekey.store.of_makers import count_of_makers, fleets_cas
from linekey.store.paths import StateDir
from linekey.store.vendor_cas import VendorCas, expired_rules
from linekey.trust.anchors import Anchors
from linekey.trust.findings import Finding
from linekey.wire.descriptors import hard_limit
from linekey.wire.process import new_loop, settle_garbage
from linekey.wire.service_manager import ServiceManager
from linekey.wire.standard_streams import lost_lines, queued_streams

_log = logging.getLogger("linekey.workers")

_STOP = (signal.SIGINT, signal.SIGTERM)
_WAIT = (signal.SIGHUP, signal.SIGINT)
"""Signals that wait while a worker starts. SIGTERM ends it even then."""
RENEW_S = 10.0
"""Seconds in which every worker is to have read a new certificate."""
_ORPHANED = 0
"""What is put among the signals when the parent is gone; no signal has this number."""


def open_store(state: StateDir, settings: Settings) -> Database:
    """Open the database that the settings name. Raises InputError, StorageError."""
    url = settings.database_url
    return open_database(state, url.get_secret_value() if url else None)


def inspect_start(
    settings: Settings, state: StateDir, database: Database, now: datetime
) -> tuple[ServerFiles, list[Finding]]:
    """Read certificate and key and find what is unsafe to start with.

    Raises LinekeyError for files that cannot be read or do not fit together.
    """
    Sender(settings.alerts, state.root)  # which looks at all that it will need
    files = read_server_files(settings, state.root)
    private = []
    if files.key is not None:
        private += [state.root / path for path in settings.key]
    if settings.status.enabled and settings.status.key is not None:
        private.append(state.root / settings.status.key)
    if settings.metrics.listen:
        secret = (settings.metrics.key, settings.metrics.token_file)
        paths = [state.root / path for path in secret if path is not None]
        private += [path for path in paths if path.exists()]
    if database.is_sqlite:
        private.append(state.database_file)
    trusted = VendorCas(database).all()
    vendor_cas = [ca.certificate for ca in trusted]
    rules = rules_of((ca.certificate, ca.said) for ca in trusted)
    others = partial(count_of_makers, database, OTHERS)
    findings = [
        *check_modes(state.root, private),
        *check_start(
            settings,
            files,
            vendor_cas,
            now,
            rules,
            expired_rules(trusted, Expired(settings.rules.expired_certificates)),
        ),
        *check_descriptors(settings, hard_limit()),
        *check_phones(files, lambda: shut_out(database, files.chains, now)),
        *check_anchors(files.anchors, fleets_cas(database), others, now),
    ]
    return files, findings


@contextlib.asynccontextmanager
async def _signals(*wanted: signal.Signals) -> AsyncIterator["asyncio.Queue[int]"]:
    """Put these signals into a queue while inside, also those that waited for it."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[int] = asyncio.Queue()
    for number in wanted:
        loop.add_signal_handler(number, queue.put_nowait, number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_WAIT, *wanted})
    try:
        yield queue
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def signals_wait(*numbers: signal.Signals) -> Iterator[None]:
    """Let signals wait for their handlers, here and in processes started inside.

    Their own action, before there are handlers, would be to end the process.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _parent_watched(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` when the process that started this one is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(parent.sentinel)
        tell()

    loop.add_reader(parent.sentinel, gone)
    try:
        yield
    finally:
        loop.remove_reader(parent.sentinel)


async def serve_here(
    settings: Settings,
    state: StateDir,
    database: Database,
    files: ServerFiles,
    *,
    listener: socket.socket,
    status_listener: socket.socket | None = None,
    health_listener: socket.socket | None = None,
    counters: Counters | None = None,
    worker: int = 0,
    manager: ServiceManager | None = None,
    last: bool = True,
    on_started: Callable[[ProvisioningServer], None] = lambda _: None,
) -> None:
    """Serve in this process until SIGINT or SIGTERM, then drain.

    A worker drains too when its parent is gone, and has no ``manager``: its parent has,
    and announces the end. ``last``: nobody listens on the phones' socket afterwards.
    """
    alone = counters is None
    counters = counters or Counters()
    async with contextlib.AsyncExitStack() as stack:
        signals = await stack.enter_async_context(_signals(*_STOP, signal.SIGHUP))
        stack.enter_context(_parent_watched(lambda: signals.put_nowait(_ORPHANED)))
        await stack.enter_async_context(beating(counters, worker))
        server = ProvisioningServer(
            settings,
            database,
            files,
            listener=listener,
            status_listener=status_listener,
            health_listener=health_listener,
            status=status_listener is not None,
            alone=alone,
            last=last,
            counters=counters,
            worker=worker,
            findings=lambda: inspect_start(settings, state, database, utc_now())[1],
        )
        await stack.enter_async_context(server)
        settle_garbage()
        on_started(server)
        told = Supervision(
            manager or ServiceManager(),
            counters,
            database,
            workers=1,
            expires=lambda: server.files.ends_first[0].not_after,
        )
        await stack.enter_async_context(told)
        while (got := await signals.get()) == signal.SIGHUP:
            told.reloading()
            told.reloaded(await _reload(server, settings, state, database))
            counters.renewed(worker)
        seconds = announced_s(got, server.health, settings.stop)
        told.stopping(seconds, settings.stop.finish_s)
        if alone:
            await announce(counters, signals, seconds)
        if got == _ORPHANED:
            # Whoever starts next binds the same port; this one is of no use.
            listener.close()
            _log.error("the process that started this worker is gone")
        _log.info("draining: answers under way are finished, then this ends")


async def _reload(
    server: ProvisioningServer, settings: Settings, state: StateDir, database: Database
) -> str:
    """Take up what is fit; why the old certificate stays, or nothing."""
    # In a thread: files and database are read, and phones do not wait for that.
    files = await asyncio.to_thread(_renewed, settings, state, database)
    if isinstance(files, str):
        return files
    server.reload(files)
    for chain in files.chains:
        end, key = chain[0].not_after, chain[0].key.text
        _log.info("using the certificate that expires %s (%s)", end, key)
    return ""


def _renewed(
    settings: Settings, state: StateDir, database: Database
) -> ServerFiles | str:
    """Read certificate and key anew; if they are unfit, say and log why."""
    try:
        files, findings = inspect_start(settings, state, database, utc_now())
    except LinekeyError as error:
        _log.error("kept the old certificate: %s (%s)", error.message, error.hint)
        return error.message
    refused = [f for f in findings if f.severity == "refused"]
    if refused:
        _log.error("kept the old certificate: %s", refused[0].message)
        return refused[0].message
    return files


@dataclass(frozen=True, slots=True, repr=False)
class _Carried:
    """What goes to a worker through its pipe: what the parent found fit to start with.

    A worker that is started again must not take up files that were refused meanwhile.
    """

    chain_der: tuple[bytes, ...]
    key_pem: bytes | None
    also: "_Carried | None"
    private_der: tuple[bytes, ...]
    public_der: tuple[bytes, ...]

    @classmethod
    def of(cls, files: ServerFiles) -> Self:
        key = None if files.key is None else private_key_to_pem(files.key)
        also = None if files.also is None else cls.of(files.also)
        anchors = files.anchors
        lists = files.chain, anchors.private, anchors.public
        chain, private, public = (tuple(c.der for c in each) for each in lists)
        return cls(chain, key, also, private, public)

    def files(self) -> ServerFiles:
        ders = self.chain_der, self.private_der, self.public_der
        chain, private, public = (tuple(map(Certificate.from_der, d)) for d in ders)
        also = None if self.also is None else self.also.files()
        anchors = Anchors(private, public)
        if self.key_pem is None:
            return ServerFiles(chain, None, also, anchors)
        key = parse_private_key(self.key_pem, own=True)
        assert not isinstance(key, DSAPrivateKey)  # read_server_files refuses it
        return ServerFiles(chain, key, also, anchors)


def _work(
    settings: Settings,
    root: str,
    listener: socket.socket,
    counters: Counters,
    number: int,
    carried: _Carried,
    last: bool,
) -> None:
    """Run one worker: the whole life of its process."""
    with queued_streams() as stderr:
        configure_logs(
            stderr,
            settings.log_level,
            settings.log_format,
            settings.log.stderr_each_minute,
        )
        try:
            state = StateDir.open(root, create=False)
            with (
                open_store(state, settings) as database,
                asyncio.Runner(loop_factory=new_loop) as runner,
            ):
                runner.run(
                    serve_here(
                        settings,
                        state,
                        database,
                        carried.files(),
                        listener=listener,
                        counters=counters,
                        worker=number,
                        last=last,
                    )
                )
        except LinekeyError as error:
            _log.error("worker %d ends: %s (%s)", number, error.message, error.hint)
            lost = isinstance(error, StorageError)
            sys.exit(NO_DATABASE if lost else error.exit_code)


async def serve_workers(
    settings: Settings,
    state: StateDir,
    database: Database,
    files: ServerFiles,
    *,
    listener: socket.socket,
    status_listener: socket.socket | None,
    health_listener: socket.socket | None = None,
    manager: ServiceManager | None = None,
    last: bool = True,
    on_started: Callable[[str, str | None], None] = lambda url, status_url: None,
) -> None:
    """Run and watch the workers until SIGINT or SIGTERM. Raises LinekeyError if they
    cannot stay alive. ``last``: nobody listens on ``listener`` afterwards."""
    counters = Counters(settings.workers)
    mine = counters.row(settings.workers)
    url = public_url(settings, files.chain[0], listener)
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        signals = await stack.enter_async_context(_signals(*_STOP, signal.SIGHUP))
        status_url = None
        served = partial(served_here, settings.names, lambda: files.chains)
        watch = Watch(
            database,
            served,
            utc_now,
            Expired(settings.rules.expired_certificates),
        )
        stack.callback(watch.close)
        alerting = Alerting(
            settings,
            database,
            chain=lambda: files.certificates,
            outlook=watch.latest,
            clock=utc_now,
        )
        await stack.enter_async_context(alerting)
        scraped = ScrapeServer(
            settings,
            database,
            chain=lambda: files.ends_first,
            counters=counters,
            watch=watch,
            clock=utc_now,
            refresh=lambda: count_lost_lines(mine, lost_lines()),
        )
        await stack.enter_async_context(scraped)
        if status_listener is not None:
            page = ManagementServer(
                settings,
                database,
                status_listener,
                url=url,
                chain=lambda: files.ends_first,
                served=served,
                anchors=lambda: files.anchors,
                counters=counters,
                clock=utc_now,
                refresh=lambda: count_lost_lines(mine, lost_lines()),
                findings=lambda: inspect_start(
                    settings, database.state, database, utc_now()
                )[1],
                watch=watch,
            )
            await stack.enter_async_context(page)
            status_url = page.url
        health: HealthServer | None = None
        if health_listener is not None:
            health = await stack.enter_async_context(
                HealthServer(health_listener, partial(ready, counters))
            )
        told = Supervision(
            manager or ServiceManager(),
            counters,
            database,
            workers=settings.workers,
            expires=lambda: files.ends_first[0].not_after,
        )
        living: dict[int, multiprocessing.process.BaseProcess] = {}
        # A worker that cannot stay alive takes the others with it.
        stack.callback(_terminate, living)

        def carried() -> _Carried:
            return _Carried.of(files)

        async with asyncio.TaskGroup() as group:
            for number in range(settings.workers):
                counters.beat(number, within_s=START_S)
                group.create_task(
                    _watch(
                        settings,
                        state,
                        listener,
                        counters,
                        number,
                        living,
                        stop,
                        carried,
                        last,
                    )
                )
            on_started(url, status_url)
            await stack.enter_async_context(told)
            while True:
                got = asyncio.create_task(signals.get())
                ended = asyncio.create_task(stop.wait())
                await asyncio.wait({got, ended}, return_when=asyncio.FIRST_COMPLETED)
                ended.cancel()
                if got.done() and got.result() == signal.SIGHUP:
                    told.reloading()
                    renewed = await asyncio.to_thread(
                        _renewed, settings, state, database
                    )
                    if isinstance(renewed, str):
                        told.reloaded(renewed)
                    else:
                        files = renewed
                        told.reloaded(await _renew_all(living, counters))
                    continue
                got.cancel()
                break
            if got.done() and not got.cancelled():
                seconds = announced_s(got.result(), health, settings.stop)
                told.stopping(seconds, settings.stop.finish_s)
                await announce(counters, signals, seconds)
                if last:
                    await one_begins(counters, listener, signals)
            else:
                told.stopping(0.0, settings.stop.finish_s)
            stop.set()
            if last:  # the workers have it, and each lets go of it when it ends
                listener.close()
            _terminate(living)


async def _renew_all(
    living: dict[int, multiprocessing.process.BaseProcess], counters: Counters
) -> str:
    """Let the workers read the certificate; say which of them did not in time.

    One that dies meanwhile is started with the new certificate.
    """
    asked = dict(living)
    before = {number: counters.renewals(number) for number in asked}
    for process in asked.values():
        _send(process, signal.SIGHUP)

    def late() -> list[int]:
        return [
            number
            for number, process in asked.items()
            if living.get(number) is process
            and counters.renewals(number) == before[number]
        ]

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RENEW_S):
            while late():  # noqa: ASYNC110 - other processes write it
                await asyncio.sleep(0.02)
    if not (hanging := late()):
        return ""
    numbers = ", ".join(map(str, hanging))
    _log.error("worker %s has not read the new certificate", numbers)
    return f"worker {numbers} has not read the new one within {RENEW_S:g} s"


def _terminate(living: dict[int, multiprocessing.process.BaseProcess]) -> None:
    for process in living.values():
        process.terminate()


async def _watch(
    settings: Settings,
    state: StateDir,
    listener: socket.socket,
    counters: Counters,
    number: int,
    living: dict[int, multiprocessing.process.BaseProcess],
    stop: asyncio.Event,
    carried: Callable[[], _Carried],
    last: bool,
) -> None:
    """Keep one worker alive."""
    context = multiprocessing.get_context("spawn")
    loop = asyncio.get_running_loop()
    restarts = Restarts()
    # Started before the signals wait: it would let SIGINT through again.
    resource_tracker.ensure_running()
    while not stop.is_set():
        process = context.Process(
            target=_work,
            args=(
                settings,
                str(state.root),
                listener,
                counters,
                number,
                carried(),
                last,
            ),
            name=f"linekey-worker-{number}",
        )
        with signals_wait(*_WAIT):
            process.start()
        living[number] = process
        started = loop.time()
        await _ended(process)
        del living[number]
        if stop.is_set():
            return
        pause = restarts.died(
            started=started, now=loop.time(), exit_code=process.exitcode
        )
        if pause is None:
            stop.set()
            raise LinekeyError(
                f"worker {number} cannot stay alive (exit {process.exitcode})",
                hint="see its messages above",
            )
        counters.beat(number, within_s=pause + START_S)
        _log.error(
            "worker %d died (exit %s); started again %s",
            number,
            process.exitcode,
            f"in {pause:g} s" if pause else "at once",
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stop.wait()


async def _ended(process: multiprocessing.process.BaseProcess) -> None:
    """Wait for the end of a process, without a thread."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_reader(process.sentinel, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()


def _send(process: multiprocessing.process.BaseProcess, number: int) -> None:
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, number)
