"""Whether a TLS session that one worker began is resumed by another one.

    python -m bench.resumption [--phones 40]

For each case two worker processes, and phones (Python's TLS 1.2) that make a whole
handshake at the first and come again at the second:

    apart      each worker makes its own context, as started processes do
    forked     both have the context of the process that they were forked from
    changed    forked; then each worker makes a new context, as it does when the
               certificate or the trusted CAs change
    kept       the same; but connections begin in the context from before the fork, and
               are switched to the new one (Connection.set_context, SSL_set_SSL_CTX)

What is printed is how many of the phones' second connections were resumed, and how many
certificates of the phone's a server has on them: what the phone sent above its own is
not in a session.

Then two ``linekey serve`` behind HAProxy as it is exported (``balance source``) and
with ``roundrobin``, one and two workers each: how many of the phones' next connections
are resumed.
"""

import argparse
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from OpenSSL import SSL

from bench.fleet import Fleet, make_fleet
from bench.load import Phone
from bench.nginx import free_port, wait_for
from bench.process import running
from bench.server_vs_nginx import prepare, say
from linekey.certs.pem import parse_certificates, parse_private_key
from linekey.export.pass_through import Member, pass_through
from linekey.export.request import Endpoint

ROOT = Path(__file__).parents[1]
CASES = ("apart", "forked", "changed", "kept")

Make = Callable[[], SSL.Context]


def new_context(fleet: Fleet, *, renewed: bool = False) -> SSL.Context:
    """A server's context; ``renewed``: with its other certificate."""
    pair = fleet.pairs[1 if renewed else 0]
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_session_id(b"linekey")
    certificate, *_ = parse_certificates(pair[0].read_bytes())
    context.use_certificate(certificate.x509)
    key = parse_private_key(pair[1].read_bytes(), own=True)
    context.use_privatekey(key)
    context.set_verify(
        SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True
    )
    return context


def worker(case: str, fleet: Fleet, listener: socket.socket, made: SSL.Context) -> None:
    """Serve handshakes until it is ended: the life of one process."""
    own = made if case in ("forked", "kept") else new_context(fleet)
    new = None
    if case == "changed":
        own = new_context(fleet, renewed=True)
    elif case == "kept":
        new = new_context(fleet, renewed=True)
    while True:
        raw, _ = listener.accept()
        connection = SSL.Connection(own, raw)
        if new is not None:
            connection.set_context(new)
        connection.set_accept_state()
        try:
            connection.do_handshake()
            connection.send(b"%02d" % len(connection.get_peer_cert_chain() or ()))
            connection.shutdown()
        except SSL.Error:
            pass
        finally:
            raw.close()


@contextmanager
def workers(case: str, fleet: Fleet) -> Iterator[list[int]]:
    """Two of them; the ports they listen on."""
    made = new_context(fleet)
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    pids = []
    for listener in listeners:
        pid = os.fork()
        if not pid:
            try:
                worker(case, fleet, listener, made)
            finally:
                os._exit(0)
        pids.append(pid)
    try:
        yield [listener.getsockname()[1] for listener in listeners]
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for listener in listeners:
            listener.close()


def phone(fleet: Fleet, mac: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(fleet.server_authority)
    context.load_cert_chain(fleet.folder / f"{mac}.pem", fleet.folder / f"{mac}.key")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def come(
    context: ssl.SSLContext, port: int, session: ssl.SSLSession | None
) -> tuple[ssl.SSLSession | None, bool, int]:
    """Connect; the session, whether it was resumed, and how many certificates of this
    phone's the worker has."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as tls,
    ):
        known = int(tls.recv(2))
        return tls.session, bool(tls.session_reused), known


def measure(case: str, fleet: Fleet, count: int) -> tuple[int, int, set[int], set[int]]:
    """How many resumed at the same worker, and at the other one; and how many
    certificates a worker had, on whole handshakes and on resumed ones."""
    same = other = 0
    whole: set[int] = set()
    resumed: set[int] = set()
    with workers(case, fleet) as (first, second):
        for mac in fleet.macs[:count]:
            context = phone(fleet, mac)
            session, _, known = come(context, first, None)
            whole.add(known)
            for port in (first, second):
                _, again, known = come(context, port, session)
                same += again and port == first
                other += again and port == second
                (resumed if again else whole).add(known)
    return same, other, whole, resumed


def behind_haproxy(fleet: Fleet, balance: str, workers: int, count: int) -> int:
    """How many phones' next connections were resumed, of ``4 * count``."""
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH')}:/usr/sbin")
    if program is None:
        raise SystemExit("error: haproxy is not installed\nhint: make peers")
    with tempfile.TemporaryDirectory(prefix="linekey-bench-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        prepare(folder / "state", fleet, len(fleet.macs))
        members = [
            Member(name, Endpoint("127.0.0.1", free_port()), free_port())
            for name in ("one", "two")
        ]
        port = free_port()
        made = pass_through(
            members, listen=Endpoint("127.0.0.1", port), folder=str(folder)
        )
        text = made.files[0].text.replace("balance source", f"balance {balance}")
        if balance != "source":
            text = text.replace("    hash-type consistent\n", "")
        (folder / "haproxy.cfg").write_text(text)
        with contextlib.ExitStack() as stack:
            for member in members:
                stack.enter_context(server(folder, fleet, member, workers))
            command = [program, "-db", "-f", str(folder / "haproxy.cfg")]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            environment = os.environ | {"LINEKEY_AS_MYSELF": "1"}
            stack.enter_context(running(command, env=environment, **quiet))
            wait_for(port)
            resumed = 0
            for number, mac in enumerate(fleet.macs[:count]):
                one = Phone(fleet.folder, mac)
                source = f"127.0.1.{number + 1}"
                session, _ = ask(one, source, port, None)
                for _ in range(4):
                    resumed += ask(one, source, port, session)[1]
            return resumed


def ask(
    one: Phone, source: str, port: int, session: ssl.SSLSession | None
) -> tuple[ssl.SSLSession | None, bool]:
    """Fetch the phone's file; the session, and whether it was resumed."""
    raw = socket.create_connection(("127.0.0.1", port), 30, (source, 0))
    with one.context.wrap_socket(
        raw, server_hostname="localhost", session=session
    ) as tls:
        one.fetch(tls, close=True)
        return tls.session, bool(tls.session_reused)


@contextmanager
def server(folder: Path, fleet: Fleet, member: Member, workers: int) -> Iterator[None]:
    certificate, key = fleet.pairs[0]
    command = [
        sys.executable, "-c", "from linekey.cli.main import main; main()",
        "serve", "--state", str(folder / "state"), "--host", "127.0.0.1",
        "--port", str(member.address.port), "--workers", str(workers),
        "--health-listen", f"127.0.0.1:{member.health_port}", "--status-port", "0",
        "--certificate", str(certificate), "--key", str(key),
    ]  # fmt: skip
    environment = os.environ | {
        "LINEKEY_PROXY__PROTOCOL_FROM": "127.0.0.1",
        "LINEKEY_INSTANCE": member.name,
        "LINEKEY_STOP__ANNOUNCE_S": "0",
    }
    with (
        (folder / f"{member.name}.log").open("w") as log,
        running(command, env=environment, stdout=log, stderr=log),
    ):
        wait_for(member.health_port)
        yield


def cost_of_switching(fleet: Fleet, count: int = 20_000) -> float:
    """Microseconds that one set_context takes, beside making the connection."""
    first, second = new_context(fleet), new_context(fleet, renewed=True)

    def seconds(*, switch: bool) -> float:
        began = time.process_time()
        for _ in range(count):
            connection = SSL.Connection(first, None)
            if switch:
                connection.set_context(second)
        return time.process_time() - began

    seconds(switch=True)
    return 1e6 * (seconds(switch=True) - seconds(switch=False)) / count


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.resumption")
    parser.add_argument("--phones", type=int, default=40)
    given = parser.parse_args()
    fleet = make_fleet(ROOT / ".cache" / "bench" / "fleet")
    count = given.phones
    say("| case | at the same worker | at the other | certificates | resumed |")
    say("|---|---|---|---|---|")
    for case in CASES:
        same, other, whole, again = measure(case, fleet, count)
        say(f"| {case} | {same} of {count} | {other} of {count} | {whole} | {again} |")
    say(f"switching costs {cost_of_switching(fleet):.1f} µs")
    for balance in ("source", "roundrobin"):
        for each in (1, 2):
            resumed = behind_haproxy(fleet, balance, each, count)
            say(f"{balance}, {each} worker(s): {resumed} of {4 * count} resumed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
