"""Phones that come all at once: a share of them, in a process of its own.

    python -m bench.avalanche_load FOLDER PORT --phones N --part I/P --within 10

It says ``ready`` when all certificates are read, begins at the moment that the next
line names (seconds of ``time.monotonic``), and prints one JSON line when each phone has
its file or ``--give-up`` seconds are over.

A whole virtual phone costs several times what a server spends on it, so this is the
leanest client that a server cannot tell from one: real TLS 1.2 with the phone's own
certificate, the server's verified, the phone's request for its own file, from its own
source address. How long it waits, and when it tries again, is the virtual phone's, from
its code: 10 s for TCP, 15 s for TLS, 60 s for all, then again after 22 to 37 s, and
twice as long each time. A Retry-After is noted, and not obeyed: no phone is known to.

One phone's connections come after each other, all phones share one thread and one
context. Times are counted from the moment at which the phone is due, not from when this
process came round to it.
"""

import argparse
import contextlib
import heapq
import itertools
import json
import os
import resource
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from linekey.phone.edge.http import TIME_LIMIT_S
from linekey.phone.uses.provisioning.round import retry_after_s
from linekey.wire.dialer import CONNECT_LIMIT_S, HANDSHAKE_LIMIT_S

_BIND_ADDRESS_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT of linux/in.h
_END = "-----END CERTIFICATE-----\n"
_SEED = 20_080_501
OFFICE = 20
"""Of 100 phones so many are behind one address."""
FEW = 40
"""So many are four behind an address; the others have one each."""
TOGETHER = 4


def kind_and_source(number: int, count: int) -> tuple[str, str]:
    """Which kind of place phone ``number`` of ``count`` is at, and its address."""
    office, few = count * OFFICE // 100, count * FEW // 100
    if number < office:
        return "office", "127.1.0.1"
    if number < office + few:
        at = (number - office) // TOGETHER
        return "few", f"127.2.{at // 250}.{at % 250 + 1}"
    at = number - office - few
    return "single", f"127.3.{at // 250}.{at % 250 + 1}"


def arrivals(count: int, within_s: float) -> list[float]:
    """When each phone comes: by chance in the time, the same in each run."""
    chance = Random(_SEED)
    return [chance.uniform(0, within_s) for _ in range(count)]


@dataclass(eq=False)
class Phone:
    """One phone, and how far it is."""

    mac: str
    kind: str
    source: str
    due: float
    certificate: x509.Certificate
    key: Any
    raw: socket.socket | None = None
    tls: SSL.Connection | None = None
    stage: str = ""
    began: float = 0.0
    limit: float = 0.0
    answer: bytes = b""
    failures: list[str] = field(default_factory=list)
    retry_after: list[bool] = field(default_factory=list)
    """Of answers 503: whether they said when to come again."""
    late_s: float = 0.0
    """How much later than due it began for the first time."""
    done_s: float | None = None


class Load:
    """All phones of this process."""

    def __init__(self, folder: Path, port: int, phones: list[Phone]) -> None:
        self.address = ("127.0.0.1", port)
        self.phones = phones
        self.selector = selectors.EpollSelector()
        self.context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self.context.set_min_proto_version(SSL.TLS1_2_VERSION)
        self.context.set_max_proto_version(SSL.TLS1_2_VERSION)
        self.context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
        self.context.load_verify_locations(str(folder / "server-ca.pem"))
        self.context.set_verify(SSL.VERIFY_PEER)
        issuer = x509.load_pem_x509_certificate((folder / "phone-ca.pem").read_bytes())
        self.context.add_extra_chain_cert(issuer)
        self.left = len(phones)
        self._order = itertools.count()
        self._todo: list[tuple[float, int, Phone, int]] = []
        self.begin = 0.0

    def run(self, begin: float, give_up_s: float) -> None:
        """Let each come at its time, until all are served or it takes too long."""
        self.begin = begin
        for phone in self.phones:
            self._plan(begin + phone.due, phone)
        while self.left and (now := time.monotonic()) < begin + give_up_s:
            while self._todo and self._todo[0][0] <= now:
                _, _, phone, tries = heapq.heappop(self._todo)
                if phone.done_s is not None or tries != len(phone.failures):
                    continue  # what this was to end has ended
                if phone.raw is None:
                    self._dial(phone)
                elif now >= phone.limit:
                    self._failed(phone, f"no end of {phone.stage} in time")
                else:
                    self._plan(phone.limit, phone)
            wait = self._todo[0][0] - time.monotonic() if self._todo else 0.05
            for ready, _ in self.selector.select(max(0.0, min(wait, 0.05))):
                self._go_on(ready.data)

    def _plan(self, at: float, phone: Phone) -> None:
        entry = (at, next(self._order), phone, len(phone.failures))
        heapq.heappush(self._todo, entry)

    def _dial(self, phone: Phone) -> None:
        now = time.monotonic()
        if not phone.failures:
            phone.late_s = now - self.begin - phone.due
        phone.raw = raw = socket.socket()
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        raw.bind((phone.source, 0))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        phone.began, phone.answer = now, b""
        phone.stage, phone.limit = "TCP", now + CONNECT_LIMIT_S
        raw.connect_ex(self.address)
        self.selector.register(raw, selectors.EVENT_WRITE, phone)
        self._plan(phone.limit, phone)

    def _go_on(self, phone: Phone) -> None:
        try:
            if phone.stage == "TCP":
                self._connected(phone)
            if phone.stage == "TLS":
                self._handshake(phone)
            if phone.stage == "answer":
                self._read(phone)
        except SSL.WantReadError:
            pass
        except (SSL.Error, OSError) as error:
            told = error.args[-1] if error.args else type(error).__name__
            self._failed(phone, f"{phone.stage}: {told or type(error).__name__}")

    def _connected(self, phone: Phone) -> None:
        assert phone.raw is not None
        error = phone.raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        phone.tls = tls = SSL.Connection(self.context, phone.raw)
        tls.use_certificate(phone.certificate)
        tls.use_privatekey(phone.key)
        tls.set_tlsext_host_name(b"localhost")
        tls.set_connect_state()
        phone.stage, phone.limit = "TLS", time.monotonic() + HANDSHAKE_LIMIT_S
        self.selector.modify(phone.raw, selectors.EVENT_READ, phone)

    def _handshake(self, phone: Phone) -> None:
        assert phone.tls is not None
        phone.tls.do_handshake()
        phone.stage, phone.limit = "answer", phone.began + TIME_LIMIT_S
        phone.tls.sendall(
            f"GET /snomD785-{phone.mac}.htm HTTP/1.1\r\nHost: localhost\r\n"
            "User-Agent: Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 "
            f"{phone.mac} SXM:0 UXM:0)\r\nAccept: */*\r\n"
            "Accept-Encoding: identity\r\nConnection: close\r\n\r\n".encode()
        )

    def _read(self, phone: Phone) -> None:
        assert phone.tls is not None
        while True:
            try:
                phone.answer += phone.tls.recv(65536)
            except SSL.ZeroReturnError:
                break
            except SSL.SysCallError:
                if not phone.answer:
                    raise
                break
        head, _, body = phone.answer.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status == [b"200"] and phone.mac.encode() in body:
            phone.done_s = time.monotonic() - self.begin
            self.left -= 1
            self._hang_up(phone)
            return
        if status == [b"503"]:
            phone.retry_after.append(b"\r\nretry-after:" in head.lower())
        what = status[0].decode("latin-1") if status else "nothing"
        self._failed(phone, f"answer: {what}")

    def _hang_up(self, phone: Phone) -> None:
        assert phone.raw is not None
        self.selector.unregister(phone.raw)
        if phone.tls is not None:
            with contextlib.suppress(SSL.Error):
                phone.tls.shutdown()
        phone.raw.close()
        phone.raw = phone.tls = None

    def _failed(self, phone: Phone, why: str) -> None:
        self._hang_up(phone)
        phone.failures.append(why)
        spread = int(phone.mac[6:], 16) % 1000 / 1000
        after = retry_after_s(len(phone.failures), spread)
        self._plan(time.monotonic() + after, phone)


def read_phones(
    folder: Path, count: int, within_s: float, numbers: Iterator[int]
) -> list[Phone]:
    """Those of this process, by their numbers among all ``count``."""
    macs = json.loads((folder / "crowd.json").read_text())["macs"]
    leaves = (folder / "leaves.pem").read_text().split(_END)
    blocks = (folder / "keys.pem").read_text().split("-----BEGIN")[1:]
    keys = [load_pem_private_key(f"-----BEGIN{b}".encode(), None) for b in blocks]
    due = arrivals(count, within_s)
    phones = []
    for number in numbers:
        kind, source = kind_and_source(number, count)
        phones.append(
            Phone(
                macs[number], kind, source, due[number],
                x509.load_pem_x509_certificate((leaves[number] + _END).encode()),
                keys[number % len(keys)],
            )
        )  # fmt: skip
    return phones


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.avalanche_load")
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--phones", type=int, required=True, help="of all processes")
    parser.add_argument("--part", default="0/1", help="of how many processes, which")
    parser.add_argument("--within", type=float, default=10.0)
    parser.add_argument("--give-up", type=float, default=300.0)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    part, parts = map(int, given.part.split("/"))
    numbers = iter(range(part, given.phones, parts))
    phones = read_phones(given.folder, given.phones, given.within, numbers)
    load = Load(given.folder, given.port, phones)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    begin = float(sys.stdin.readline())
    before = time.process_time()
    load.run(begin, given.give_up)
    told = {
        "cpu_s": time.process_time() - before,
        "phones": [
            [p.kind, p.due, p.done_s, p.late_s, p.failures, p.retry_after]
            for p in phones
        ],
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
