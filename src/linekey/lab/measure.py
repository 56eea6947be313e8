"""What a request costs on this machine: a small measurement, for ``linekey plan``.

A server as it is shipped, in a folder that is thrown away, and phones that ask it, with
Python's own TLS, from this process. What is counted is the server's CPU and private
memory, as Linux has them in /proc, so the phones' own cost is not in it. Bytes of rows
are the database's pages, when many phones and a decision like those that were made for
each of them have been put in beside no server, and the log's texts into their index.
``bench`` measures the same with more care, and against nginx.

Rules: the first requests warm up and are not counted; what fails ends the measurement.
"""

import asyncio
import contextlib
import os
import platform
import re
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path

from linekey import __version__
from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_VENDOR
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.errors import LinekeyError
from linekey.lab import vendor_ca
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.plan.costs import Costs
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Setting
from linekey.store.database import Database, open_database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry, read_log
from linekey.store.devices import Devices
from linekey.store.log_filling import fill
from linekey.store.paths import StateDir
from linekey.store.vendor_cas import VendorCas, describe_ca

REQUESTS = 1_500
"""Of each kind."""
_CLIENTS = 8
_PHONES = 32
_FILLERS = 2_000
_TIMES = 3
"""Decisions of each of these, that are counted."""
_AT_ONCE = 250
_FIRMWARE = Firmware.parse("10.1.33.33")
_AGENT = "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 000413000000 SXM:0 UXM:0)"
"""As long as a phone's; Python's TLS client sends none."""
_NEW = 300
_OPEN = 300
_GUARD_S = 120
_PROGRAM = ("-c", "from linekey.cli.main import main; main()")


@dataclass(frozen=True, slots=True)
class _Server:
    pid: int
    port: int


def measure(requests: int = REQUESTS) -> Costs:
    """Measure; takes some 20 seconds. Raises LinekeyError where it cannot be done."""
    if not Path("/proc/self/smaps_rollup").exists():
        raise LinekeyError(
            "this system does not say what a process costs (/proc)",
            hint="measure on Linux, and give the file with --measured",
        )
    with tempfile.TemporaryDirectory(prefix="linekey-measure-") as name:
        folder = Path(name)
        state = StateDir.open(folder / "state")
        lab = LabAuthority.open(state.lab)
        _register(state, lab)
        phones = _make_phones(folder, lab, range(_PHONES))
        new = _make_phones(folder, lab, range(1000, 1000 + _NEW))
        _settings(state, lab)
        with _serving(state) as server:
            _ask(phones, server.port, 4 * _PHONES, resume=False)
            first = _cpu_first(new, server)
            base = max(_memory_kib(server.pid))
            whole = _cpu_each(phones, server, requests, resume=False)
            resumed = _cpu_each(phones, server, requests, resume=True)
            idle = _idle(phones, server)
        decision_bytes, phone_bytes = _row_bytes(state)
    return Costs(
        machine=f"{_processor()}, {os.cpu_count()} cores",
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        linekey=__version__,
        by=f"linekey plan ({requests:,} requests of each kind)",
        first_ms=first,
        whole_ms=whole,
        resumed_ms=resumed,
        idle_kib=idle,
        worker_mib=base / 1024,
        decision_bytes=decision_bytes,
        phone_bytes=phone_bytes,
    )


# What is measured


def _cpu_each(
    phones: "Sequence[_Phone]", server: _Server, requests: int, *, resume: bool
) -> float:
    if resume:  # so that each has a session
        _ask(phones, server.port, 2 * _PHONES, resume=True)
    before = _cpu_s(server.pid)
    reused = _ask(phones, server.port, requests, resume=resume)
    used = _cpu_s(server.pid) - before
    if resume and reused < 0.9 * requests:
        raise LinekeyError(
            f"only {reused} of {requests} sessions were resumed",
            hint="measure again while nothing else runs on this machine",
        )
    return 1000 * used / requests


def _cpu_first(phones: "Sequence[_Phone]", server: _Server) -> float:
    """Of phones that the server has not seen: each comes once."""

    def ask(phone: _Phone) -> None:
        with phone.connect(server.port, None) as tls:
            phone.fetch(tls, close=True)

    before = _cpu_s(server.pid)
    with ThreadPoolExecutor(_CLIENTS) as pool:
        list(pool.map(ask, phones))
    return 1000 * (_cpu_s(server.pid) - before) / len(phones)


def _idle(phones: "Sequence[_Phone]", server: _Server) -> float:
    before = sum(_memory_kib(server.pid))
    held = []
    try:
        for number in range(_OPEN):
            tls = phones[number % len(phones)].connect(server.port, None)
            held.append(tls)
            phones[number % len(phones)].fetch(tls, close=False)
        return max(1.0, (sum(_memory_kib(server.pid)) - before) / _OPEN)
    finally:
        for tls in held:
            tls.close()


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process with its children, all threads, user and system."""
    ticks = 0
    for member in _family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime, stime (proc(5))
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory_kib(pid: int) -> list[int]:
    """Private memory of a process and its children, each."""
    found = []
    for member in _family(pid):
        text = Path(f"/proc/{member}/smaps_rollup").read_text()
        lines = [line.split() for line in text.splitlines()]
        private = ("Private_Clean:", "Private_Dirty:")
        found.append(sum(int(words[1]) for words in lines if words[0] in private))
    return found


def _family(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *(n for child in text.split() for n in _family(int(child)))]


def _pages(state: StateDir) -> int:
    """Bytes that the database's rows take: pages in use, the log's included."""
    with contextlib.closing(sqlite3.connect(state.database_file)) as raw:
        raw.execute("PRAGMA busy_timeout=10000")
        (pages,) = raw.execute("PRAGMA page_count").fetchone()
        (free,) = raw.execute("PRAGMA freelist_count").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)


def _row_bytes(state: StateDir) -> tuple[float, float]:
    """Of a decision, its texts in the index, and of a phone with its sighting."""
    now = datetime.now(UTC)
    with open_database(state) as database:
        like = next(e for e in read_log(database) if e.outcome == "granted")
        phones = [_mac(number) for number in range(10_000, 10_000 + _FILLERS)]
        # Once while they have no record, so that the index and all else that is there
        # once does not count.
        asyncio.run(_decide(database, like, phones, now))
        empty = _settled_pages(state, database)
        Devices(database).add_all(_devices(range(10_000, 10_000 + _FILLERS)), now)
        asyncio.run(_decide(database, like, phones, now))
        visited = _settled_pages(state, database)
        for _ in range(_TIMES):
            asyncio.run(_decide(database, like, phones, now))
        full = _settled_pages(state, database)
    decision = (full - visited) / (_TIMES * _FILLERS)
    return decision, (visited - empty) / _FILLERS - decision


async def _decide(
    database: Database, like: LogEntry, phones: Sequence[Mac], now: datetime
) -> None:
    """Put a decision like ``like`` on record for each phone, and into the index."""
    async with DecisionLog(database) as log:
        for begin in range(0, len(phones), _AT_ONCE):
            await asyncio.gather(
                *(
                    log.record(
                        replace(
                            like, at=now, mac=mac, target_mac=mac, row_id=0,
                            resource=f"/snomD785-{mac}.htm", user_agent=_AGENT,
                            peer=str(IPv4Address(0x0A000000 + int(mac.digits[6:], 16))),
                            certificate_sha256=sha256(str(mac).encode()).hexdigest(),
                            issuer_key_sha256="ab" * 32, certificate_ends_at=now,
                        )
                    )
                    for mac in phones[begin : begin + _AT_ONCE]
                )
            )  # fmt: skip
    fill(database, alone=True)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


# The server


def _register(state: StateDir, lab: LabAuthority) -> None:
    now = datetime.now(UTC)
    with open_database(state) as database:
        cas = [*lab.vendor_roots(), *lab.vendor_intermediates()]
        VendorCas(database).add([describe_ca(ca, now) for ca in cas])
        Devices(database).add_all(_devices(range(_PHONES)), now)
        Devices(database).add_all(_devices(range(1000, 1000 + _NEW)), now)


def _settled_pages(state: StateDir, database: Database) -> int:
    database.forget_deleted()
    return _pages(state)


def _devices(numbers: range) -> Iterator[Device]:
    """Each with an account and four function keys, as ``bench.sizes`` has them."""
    for number in numbers:
        layer = (
            Layer()
            .with_settings(
                Setting("user_name", str(number), 1),
                Setting("user_pass", f"secret-{number:06}-of-a-phone", 1),
                Setting("user_host", "pbx.example.com", 1),
                Setting("user_realname", f"Room {number}", 1),
            )
            .with_function_keys(
                *(FunctionKey(n, "speed", str(100 + n)) for n in range(4))
            )
        )
        yield Device(
            _mac(number), LAB_VENDOR, "D785", _FIRMWARE, label=f"Room {number}",
            layer=layer,
        )  # fmt: skip


def _mac(number: int) -> Mac:
    return Mac(f"000413{number:06X}")


def _settings(state: StateDir, lab: LabAuthority) -> None:
    chain, key = lab.server_identity()
    (state.root / "server.pem").write_text("".join(map(to_pem, chain)))
    path = state.root / "server.key"
    path.touch(mode=0o600)
    path.write_bytes(private_key_to_pem(key))
    state.settings_file.write_text(
        'host = "127.0.0.1"\nport = 0\ncertificate = "server.pem"\nkey = "server.key"\n'
        "[status]\nport = 0\n[limits]\nkeep_alive_s = 600\n"
    )


@contextlib.contextmanager
def _serving(state: StateDir) -> Iterator[_Server]:
    given = {k: v for k, v in os.environ.items() if not k.startswith("LINEKEY_")}
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, *_PROGRAM, "serve", "--state", str(state.root)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, env=given | {"NO_COLOR": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    said: list[str] = []
    port = threading.Event()
    found: list[int] = []

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if url := re.search(r"phones: https://\S+?:(\d+)/", line):
                found.append(int(url[1]))
                port.set()
        port.set()

    reader = threading.Thread(target=listen, daemon=True)
    reader.start()
    try:
        if not port.wait(_GUARD_S) or not found:
            raise LinekeyError(
                f"the server to measure does not start: {''.join(said[-2:]).strip()}",
                hint="see whether linekey up --once works here",
            )
        _until_it_serves(found[0])
        yield _Server(process.pid, found[0])
    finally:
        process.terminate()
        try:
            process.wait(_GUARD_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(_GUARD_S)
        process.stderr.close()


def _until_it_serves(port: int) -> None:
    end = time.monotonic() + _GUARD_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


# The phones


class _Phone:
    """One phone's context, made before anything is measured."""

    def __init__(self, mac: Mac, pair: Path, authority: Path) -> None:
        self.mac = mac
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(authority)
        self._context.load_cert_chain(pair)
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.session: ssl.SSLSession | None = None

    def connect(self, port: int, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", port), timeout=30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return self._context.wrap_socket(
                raw, server_hostname="localhost", session=session
            )
        except OSError:
            raw.close()
            raise

    def fetch(self, tls: ssl.SSLSocket, *, close: bool) -> None:
        """Ask for its file. Raises OSError if it does not get it."""
        wish = "close" if close else "keep-alive"
        tls.sendall(
            f"GET /snomD785-{self.mac}.htm HTTP/1.1\r\nHost: localhost\r\n"
            f"Connection: {wish}\r\n\r\n".encode()
        )
        data = b""
        while b"\r\n\r\n" not in data:
            if not (part := tls.recv(65536)):
                raise ConnectionError("the server closed without an answer")
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise ConnectionError(head.partition(b"\r\n")[0].decode("latin-1"))
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        while length is not None and len(body) < int(length[1]):
            if not (part := tls.recv(65536)):
                raise ConnectionError("the server closed inside an answer")
            body += part


def _make_phones(folder: Path, lab: LabAuthority, numbers: range) -> list[_Phone]:
    key = vendor_ca.new_vendor_key(Generation.SHA256)  # one: keys are not measured
    phones = []
    for number in numbers:
        mac = _mac(number)
        chain = lab.issue_device(mac, Generation.SHA256, key)
        pair = folder / f"{mac}.pem"
        pair.touch(mode=0o600)
        pem = "".join(map(to_pem, chain)).encode()
        pair.write_bytes(private_key_to_pem(key) + pem)
        phones.append(_Phone(mac, pair, lab.server_root_path))
    return phones


def _ask(phones: Sequence[_Phone], port: int, requests: int, *, resume: bool) -> int:
    """Let them ask so often; return how many resumed. Raises LinekeyError."""
    numbers = count()
    reused = [0] * _CLIENTS
    trouble: list[str] = []

    def client(which: int) -> None:
        mine = phones[which::_CLIENTS]
        for turn in count():
            if next(numbers) >= requests or trouble:
                return
            phone = mine[turn % len(mine)]
            try:
                with phone.connect(port, phone.session if resume else None) as tls:
                    reused[which] += bool(tls.session_reused)
                    phone.fetch(tls, close=True)
                    if resume and phone.session is None:
                        phone.session = tls.session
            except OSError as error:
                trouble.append(str(error))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble:
        raise LinekeyError(
            f"a phone got no answer while measuring: {trouble[0]}",
            hint="measure again while nothing else runs on this machine",
        )
    return sum(reused)
