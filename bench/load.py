"""The load: many phones, in a process of its own.

``python -m bench.load FOLDER HOST PORT --clients 16 --requests 2000 --mode full``
says ``ready`` when its contexts are built, starts when it reads a line, and prints one
JSON line when it is done. In mode ``idle`` it keeps its connections open until it reads
another line. Uses the standard library's TLS, so neither server's own code.
"""

import argparse
import json
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from itertools import count
from pathlib import Path

MODES = ("full", "full-ecdsa", "resumed", "idle")


class Phone:
    """One device identity with its context, built before anything is measured."""

    def __init__(self, folder: Path, mac: str, *, ecdsa: bool = False) -> None:
        self.mac = mac
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(folder / "server-ca.pem")
        self.context.load_cert_chain(folder / f"{mac}.pem", folder / f"{mac}.key")
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        # With ECDSA it says that it can do both, as a phone does.
        both = "ECDHE-ECDSA-AES128-GCM-SHA256:" if ecdsa else ""
        self.context.set_ciphers(f"{both}ECDHE-RSA-AES128-GCM-SHA256")
        self.context.set_ecdh_curve("prime256v1")
        self.session: ssl.SSLSession | None = None
        self.lock = threading.Lock()

    def connect(
        self, address: tuple[str, int], session: ssl.SSLSession | None = None
    ) -> ssl.SSLSocket:
        raw = socket.create_connection(address, timeout=30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(
            raw, server_hostname="localhost", session=session
        )

    def fetch(self, tls: ssl.SSLSocket, *, close: bool) -> bytes:
        wish = "close" if close else "keep-alive"
        tls.sendall(
            f"GET /snomD785-{self.mac}.htm HTTP/1.1\r\nHost: localhost\r\n"
            "User-Agent: Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33)\r\n"
            f"Connection: {wish}\r\n\r\n".encode()
        )
        data = b""
        while b"\r\n\r\n" not in data:
            part = tls.recv(65536)
            if not part:
                raise ConnectionError(f"closed after {len(data)} bytes")
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(head.split(b"\r\n")[0].decode("latin-1"))
        lines = (line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:])
        length = next(int(v) for n, v in lines if n == b"content-length")
        while len(body) < length:
            part = tls.recv(65536)
            if not part:
                raise ConnectionError("closed inside the body")
            body += part
        if f"{self.mac}".encode() not in body:
            raise ConnectionError("somebody else's file")
        return body


def run(
    phones: list[Phone],
    address: tuple[str, int],
    clients: int,
    requests: int,
    resumed: bool,
) -> dict[str, object]:
    numbers = count()
    errors: list[str] = []
    reused = [0] * clients
    latencies: list[float] = []
    suites: Counter[str] = Counter()

    def client(which: int) -> None:
        mine = phones[which::clients]
        for turn in count():
            if next(numbers) >= requests or len(errors) > 20:
                return
            phone = mine[turn % len(mine)]
            start = time.perf_counter()
            try:
                tls = phone.connect(address, phone.session if resumed else None)
                with tls:
                    reused[which] += bool(tls.session_reused)
                    suites[(tls.cipher() or ("",))[0]] += 1
                    phone.fetch(tls, close=True)
                    if resumed and phone.session is None:
                        phone.session = tls.session
            except (OSError, ConnectionError) as error:
                errors.append(f"{phone.mac}: {error}")
            latencies.append(time.perf_counter() - start)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    latencies.sort()
    return {
        "requests": requests,
        "seconds": seconds,
        "reused": sum(reused),
        "errors": errors,
        "suites": suites,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[len(latencies) * 99 // 100],
    }


def hold(
    phones: list[Phone], address: tuple[str, int], connections: int
) -> list[ssl.SSLSocket]:
    held = []
    for number in range(connections):
        phone = phones[number % len(phones)]
        tls = phone.connect(address)
        phone.fetch(tls, close=False)
        held.append(tls)
    return held


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--mode", choices=MODES, default="full")
    given = parser.parse_args()
    macs = json.loads((given.folder / "fleet.json").read_text())
    ecdsa = given.mode == "full-ecdsa"
    phones = [Phone(given.folder, mac, ecdsa=ecdsa) for mac in macs]
    address = (given.host, given.port)
    if given.mode == "resumed":
        # One whole handshake each, before the measured part begins.
        run(phones, address, given.clients, len(phones) * 2, True)
    say("ready")
    sys.stdin.readline()
    if given.mode == "idle":
        held = hold(phones, address, given.requests)
        say({"connections": len(held)})
        sys.stdin.readline()
        return
    say(run(phones, address, given.clients, given.requests, given.mode == "resumed"))


if __name__ == "__main__":
    main()
