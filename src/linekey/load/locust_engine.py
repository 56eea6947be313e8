"""Locust distributes and reports; the phones run in ``load.loop``: the bridge to it.

The master (``run_master``) admits workers, hands them the order and their share of the
phones, has Locust's dispatcher start users, one a phone, and reads what Locust adds up.
A worker (``run_worker``) is one process of phones: a user's start is a phone's start,
and what phones did is fired as Locust's request event, in Locust's thread.

Rules: gevent patches nothing here (``LOCUST_SKIP_MONKEY_PATCH``), so threads stay real
and asyncio's are its own; no message of who was not admitted reaches Locust; a worker
that dies is named; keys of phones are in no message.
"""

import logging
import os
import signal
import socket
import subprocess
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any, ClassVar, Final

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"  # before the first import of Locust

import gevent
from locust import User, runners, task
from locust import __version__ as _LOCUST  # noqa: N812
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.html import get_html_report
from locust.rpc import Message
from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter, stats_history

from linekey import __version__
from linekey.certs.pem import parse_certificates
from linekey.errors import InputError, LinekeyError, PeerError
from linekey.load import curve
from linekey.load.joined import Joined, refusal, share
from linekey.load.loop import PhoneLoop
from linekey.load.order import LoadOrder
from linekey.load.result import TITLES, Lost, Measured, Requests, Spans, WorkerEnd
from linekey.load.table import Table
from linekey.load.token import Token
from linekey.wire.faults import log_fault
from linekey.wire.system_words import os_text
from linekey.words import counted

_log = logging.getLogger("linekey.load")
VERSIONS: Final = f"linekey {__version__}, Locust {_LOCUST}"
_LOOK_S: Final = 0.1
_TELL_S: Final = 5.0
_START_S: Final = 60.0
"""For a worker of this machine to come."""
_JOIN_S: Final = 600.0
"""For those of others, which people start."""
_ANSWER_S: Final = 5.0
_PREPARE_S: Final = 120.0
_FINISH_S: Final = 30.0
runners.WORKER_REPORT_INTERVAL = 1.0  # what a worker that dies has not told is lost
logging.getLogger("locust").setLevel(logging.CRITICAL)  # what matters is told here


def _until(met: Callable[[], bool], limit_s: float) -> bool:
    end = time.monotonic() + limit_s
    while not met():
        if time.monotonic() > end:
            return False
        gevent.sleep(_LOOK_S)
    return True


# --- the master


@dataclass(slots=True)
class Run:
    """What ``run_master`` is to do beside the order."""

    order: LoadOrder
    token: Token
    host: str = "127.0.0.1"
    port: int = 0
    remote: int = 0
    """Workers on other machines that are waited for."""
    local: Callable[[int], "list[subprocess.Popen[bytes]]"] = lambda _: []
    """Starts the workers of this machine, for the master's port."""
    tell: Callable[[str], None] = lambda _: None
    html: Path | None = None
    csv: Path | None = None
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)


class _NoPhone(User):
    """Stands for a phone in the master, which runs none."""

    @task
    def live(self) -> None:
        """Never run."""


class _Master(runners.MasterRunner):
    def __init__(self, environment: Environment, run: Run) -> None:
        self.joined: dict[str, Joined] = {}
        self.tell = run.tell
        self.begun = self.stopped = False
        super().__init__(environment, run.host, run.port)
        # By a handler of gevent's, which else breaks into whatever greenlet runs.
        self.signals = [
            gevent.signal_handler(number, self._stop)
            for number in (signal.SIGINT, signal.SIGTERM)
        ]

    def _stop(self) -> None:
        self.stopped = True

    def until(self, met: Callable[[], bool], limit_s: float) -> bool:
        """Wait, as ``_until``. Raises KeyboardInterrupt where somebody stops it."""
        found = _until(lambda: self.stopped or met(), limit_s)
        if self.stopped:
            raise KeyboardInterrupt
        return found

    def handle_message(self, client_id: str, msg: Message) -> None:
        """Let nothing through to Locust from whom was not admitted."""
        known = self.joined.get(client_id)
        if msg.type == "hello" and known is None:
            self._admit(client_id, msg.data)
        elif known is None or msg.node_id != client_id:
            return
        elif msg.type == "prepared":
            known.ready, known.trouble = True, str(msg.data["trouble"])
        elif msg.type == "finished":
            known.end = WorkerEnd.parse(known.name, known.share, msg.data)
        else:
            super().handle_message(client_id, msg)

    def _admit(self, client_id: str, said: dict[str, Any]) -> None:
        worker = Joined.parse(said)
        reason = refusal(said, VERSIONS, self.begun)
        if reason:
            self.tell(f"warning: the worker {worker.name} was refused: {reason}")
        else:
            self.joined[client_id] = worker
        self.send_message("welcome", {"refused": reason}, client_id)

    def lose_the_dead(self, run: Run, after_s: float) -> None:
        """Name each worker that is gone."""
        dead = {p.pid: p.returncode for p in run.processes if p.poll() is not None}
        for client_id, worker in self.joined.items():
            client = self.clients.get(client_id)
            gone = client is None or client.state == runners.STATE_MISSING
            why = "it is not heard any more" if gone else ""
            if worker.pid in dead:
                why = f"its process ended with {dead[worker.pid]}"
            if why and not worker.is_over:
                worker.lost = Lost(worker.name, worker.share, after_s, why)
                self.tell(f"warning: the worker {worker.name} was lost: {why}")


def _in_order(master: _Master) -> type[UsersDispatcher]:
    """A dispatcher that starts users at the workers in the order in which they joined.

    So the first ones get one more, as ``share`` has it: Locust's own order is another,
    and a user that is started where no phone is left would be none.
    """
    places = {client_id: place for place, client_id in enumerate(master.joined)}

    class InOrder(UsersDispatcher):
        def _sort_workers(self) -> None:
            self._worker_nodes.sort(key=lambda worker: places[worker.id])

    return InOrder


def run_master(run: Run) -> Measured:
    """Run the load and measure. Raises LinekeyError where it cannot begin."""
    curve.use(run.token)
    environment = Environment(
        user_classes=[_NoPhone],
        host=run.order.server or run.order.registrar,
        locustfile="linekey load",
    )
    environment.runner = master = _Master(environment, run)
    try:
        run.processes = run.local(master.server.port)
        _gather(master, run)
        _prepare(master, run.order)
        environment.dispatcher_class = _in_order(master)
        return _measure(environment, master, run)
    finally:
        for client_id in master.joined:
            master.send_message("quit", None, client_id)
        gevent.sleep(_LOOK_S)
        master.greenlet.kill(block=True)
        master.server.close(0)
        for handler in master.signals:
            handler.cancel()
        for process in run.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _gather(master: _Master, run: Run) -> None:
    wanted = len(run.processes) + run.remote

    def met() -> bool:
        if any(process.poll() is not None for process in run.processes):
            raise LinekeyError(
                "a worker of this machine ended before the load began",
                hint="what it printed above says why",
            )
        return len(master.joined) >= wanted

    limit_s = _JOIN_S if run.remote else _START_S
    if not master.until(met, limit_s):
        raise LinekeyError(
            f"{len(master.joined)} of {wanted} workers came within {limit_s:g} s",
            hint="start the others: linekey load --join HOST:PORT --token FILE",
        )
    master.begun = True


def _prepare(master: _Master, order: LoadOrder) -> None:
    workers = list(master.joined.values())
    shares = share(workers, order.phones)
    _refuse_trouble(workers)
    for client_id, part in zip(master.joined, shares, strict=True):
        said = {"order": order.as_dict(), "rate": order.rate / len(workers)}
        master.send_message("order", {**said, **asdict(part)}, client_id)
    if not master.until(lambda: all(w.ready for w in workers), _PREPARE_S):
        late = next(w.name for w in workers if not w.ready)
        raise LinekeyError(f"the worker {late} did not get ready in {_PREPARE_S:g} s")
    _refuse_trouble(workers)
    if not master.until(lambda: len(master.clients.ready) >= len(workers), _ANSWER_S):
        raise LinekeyError("a worker was lost before the load began")


def _refuse_trouble(workers: list[Joined]) -> None:
    for worker in workers:
        if worker.trouble:
            raise InputError(f"the worker {worker.name}: {worker.trouble}")


def _measure(environment: Environment, master: _Master, run: Run) -> Measured:
    order, workers = run.order, list(master.joined.values())
    writer = None
    if run.csv is not None:
        writer = StatsCSVFileWriter(environment, PERCENTILES_TO_REPORT, str(run.csv))
        gevent.spawn(writer)
    gevent.spawn(stats_history, master)
    run.tell(f"starting {counted(order.phones, 'phone')}")
    begun = told = time.monotonic()
    gevent.spawn(master.start, order.phones, order.rate or order.phones)
    while (now := time.monotonic()) - begun < order.for_s and not master.stopped:
        gevent.sleep(_LOOK_S)
        master.lose_the_dead(run, now - begun)
        if all(worker.lost for worker in workers):
            break
        if now - told >= _TELL_S:
            told, total = now, master.stats.total
            run.tell(
                f"{now - begun:4.0f} s: {total.num_requests:,} requests, "
                f"{total.num_failures:,} failed"
            )
    lasted_s = time.monotonic() - begun
    master.send_message("finish", {})

    def all_over() -> bool:
        master.lose_the_dead(run, time.monotonic() - begun)
        return all(worker.is_over for worker in workers)

    _until(all_over, _FINISH_S)
    for worker in workers:
        if not worker.is_over:
            why = "it sent no report at its end"
            worker.lost = Lost(worker.name, worker.share, lasted_s, why)
    measured = Measured(
        f"Locust {_LOCUST}", lasted_s, master.stopped, _requests(master),
        {(e.name, str(e.error)): e.occurrences for e in master.stats.errors.values()},
        [w.end for w in workers if w.end is not None],
        [w.lost for w in workers if w.lost is not None],
    )  # fmt: skip
    if run.html is not None:
        text = escape("\n".join(measured.lines(order)))
        page = get_html_report(environment, show_download_link=False)
        own = f'<pre style="white-space: pre-wrap; margin: 1.5em">{text}</pre>'
        page = page.replace("<body>", f"<body>{own}", 1)
        try:
            run.html.write_text(page, encoding="utf-8")
        except OSError as error:  # what was measured is told all the same
            run.tell(f"warning: cannot write {run.html}: {os_text(error)}")
    if writer is not None:
        gevent.sleep(1.2)  # its last turn
        writer.close_files()
    return measured


def _requests(master: _Master) -> list[Requests]:
    entries = {entry.name: entry for entry in master.stats.entries.values()}
    return [
        Requests(
            kind, e.num_requests, e.num_failures,
            e.get_response_time_percentile(0.5),
            e.get_response_time_percentile(0.95),
            e.get_response_time_percentile(0.99),
            e.max_response_time,
        )
        for kind in TITLES
        if (e := entries.get(kind)) is not None
    ]  # fmt: skip


# --- a worker


class _Phone(User):
    """A phone of this worker: its start is the phone's; it then only waits."""

    loop: ClassVar[PhoneLoop]

    def on_start(self) -> None:
        self.loop.start(1)

    @task
    def live(self) -> None:
        """Wait until the load is over; the phone lives in its own thread."""
        gevent.sleep(1e6)


_Phone.__name__ = _NoPhone.__name__ = "Phone"  # by which Locust counts both


class _Worker(runners.WorkerRunner):
    def __init__(
        self, environment: Environment, host: str, port: int, table: Table,
        hello: dict[str, Any], owned: tuple[str, ...],
    ) -> None:  # fmt: skip
        self.table, self.hello, self.owned = table, hello, owned
        self.answer: str | None = None
        self.loop: PhoneLoop | None = None
        self.over = False
        self.spans = Spans()
        super().__init__(environment, host, port)

    def connect_to_master(self) -> None:
        """Say who this is, and only then be a worker of Locust's."""
        self.register_message("welcome", self._welcomed)
        self.register_message("order", self._ordered, concurrent=True)
        self.register_message("finish", self._finish, concurrent=True)
        self.client.send(Message("hello", self.hello, self.client_id))
        where = f"{self.master_host}:{self.master_port}"
        if not _until(lambda: self.answer is not None, _ANSWER_S):
            raise PeerError(
                f"the master at {where} does not let this worker in",
                hint="see that a load waits there, and that --token is the file of "
                "this very run: each run makes a new one",
            )
        if self.answer:
            raise PeerError(f"the master at {where} refused this worker: {self.answer}")
        super().connect_to_master()

    def _welcomed(self, environment: Environment, msg: Message) -> None:
        self.answer = str(msg.data["refused"])

    def _ordered(self, environment: Environment, msg: Message) -> None:
        # In a real thread: heartbeats go on meanwhile.
        made = gevent.get_hub().threadpool.apply(self._make_loop, (msg.data,))
        if isinstance(made, PhoneLoop):
            _Phone.loop = self.loop = made
            gevent.spawn(self._pass_on)
        trouble = made if isinstance(made, str) else ""
        self.client.send(Message("prepared", {"trouble": trouble}, self.client_id))

    def _make_loop(self, said: dict[str, Any]) -> PhoneLoop | str:
        """Make the phones ready; a text where that cannot be done."""
        try:
            order = LoadOrder.parse(said["order"], self.owned)
            rows = self.table.rows[said["first"] :: said["step"]][: said["count"]]
            pem = order.trust_pem.encode()
            trusted = parse_certificates(pem) if pem else []
            loop = PhoneLoop(order, rows, tuple(trusted), said["rate"])
            loop.begin()
        except LinekeyError as error:
            return f"{error.message}; {error.hint}" if error.hint else error.message
        except Exception as error:  # noqa: BLE001 - told, with its traceback
            log_fault(_log, "making the phones ready", error)
            return f"a fault of linekey's own: {type(error).__name__}"
        return loop

    def _pass_on(self) -> None:
        while not self.over:
            self._drain()
            gevent.sleep(_LOOK_S)

    def _drain(self) -> None:
        assert self.loop is not None
        while self.loop.outcomes:
            done = self.loop.outcomes.popleft()
            self.spans.add(done)
            self.environment.events.request.fire(
                request_type="TLS" if done.kind == "tls" else "phone",
                name=done.kind,
                response_time=None if done.code else done.took_s * 1000,
                response_length=0,
                exception=done.code or None,
            )

    def _finish(self, environment: Environment, msg: Message) -> None:
        assert self.loop is not None
        self.loop.finish()
        _until(self.loop.ended.is_set, _FINISH_S)
        self._drain()
        self._send_stats()
        said = {"own": self.loop.own.as_dict(), "started": self.loop.started}
        said |= self.spans.as_dict()
        self.client.send(Message("finished", said, self.client_id))

    def handle_message(self, msg: Message) -> None:
        """As Locust does, but for the end: the phones have stopped by then."""
        if msg.type == "quit":
            self.quit()
        else:
            super().handle_message(msg)

    def quit(self) -> None:
        """End this worker, as the master says or because it is not heard any more."""
        self.over = True


def run_worker(
    token: Token, host: str, port: int, table: Table, *, owned: tuple[str, ...] = (),
    parent: int = 0, tell: Callable[[str], None] = lambda _: None,
) -> None:  # fmt: skip
    """Be a worker until the master says that it is over. Raises LinekeyError.

    ``parent`` is the process that this one ends with; 0: none.
    """
    try:
        socket.create_connection((host, port), _ANSWER_S).close()
    except OSError as error:
        raise PeerError(
            f"cannot connect to a master at {host}:{port}: {os_text(error)}",
            hint="start it there first, and the tunnel if there is one",
        ) from None
    curve.use(token)
    # Else Locust would read options from files and from the environment's variables.
    options = Namespace(
        web_base_path="", stop_timeout=0.0, tags=None, exclude_tags=None
    )
    environment = Environment(user_classes=[_Phone], parsed_options=options)
    hello = {
        "versions": VERSIONS, "name": f"{socket.gethostname()}-{os.getpid()}",
        "phones": len(table.rows), "digest": table.digest,
        "pid": os.getpid() if parent else 0,
    }  # fmt: skip
    worker = _Worker(environment, host, port, table, hello, owned)
    environment.runner = worker
    if not parent:
        tell(f"joined the load of {host}:{port}")
    while not worker.over and (not parent or os.getppid() == parent):
        gevent.sleep(_LOOK_S)
    worker.greenlet.kill(block=True)
    worker.client.close()
