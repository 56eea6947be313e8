"""What the engine costs over OpenSSL itself, both ends in memory.

The same full mutual handshakes run three ways, in turns: by the engine, with the
hello read and its policy chosen; by pyOpenSSL as its documentation has it (accepting
all); and by bare calls into the library (the floor). Only the server's side is timed,
as CPU time of the thread.
Also: resumed handshakes, and the memory of an idle connection, server's end.

Run: python bench/engine_pair.py [ROUNDS]
"""

import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from OpenSSL import SSL, crypto

from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.dn import Name
from linekey.tls.engine import (
    Accept,
    ClientContext,
    ClientEngine,
    Identity,
    ServerContext,
    ServerEngine,
    client_context,
    server_context,
)
from linekey.tls.hello import parse_client_hello
from linekey.tls.policy import MODERN, choose
from linekey.tls.server_key import server_key
from linekey.tls.versions import Version

NOW = datetime.now(UTC)
START, END = NOW - timedelta(days=1), NOW + timedelta(days=3650)
_lib, _ffi = SSL._lib, SSL._ffi  # type: ignore[attr-defined]


BLOCK = 25
"""Handshakes of one kind in a row: a server has warm caches, and a busy machine must
not favour one kind."""


def make(cn: str, issuer: Issuer | None, ca: bool | None, serial: int) -> Issuer:
    key = new_key("rsa", 2048)
    name = Name.build([("O", "linekey BENCH"), ("CN", cn)])
    return Issuer(
        issue(name, key, issuer, serial=serial, not_before=START, not_after=END, ca=ca),
        key,
    )


ROOT = make("BENCH root", None, True, 1)
MIDDLE = make("BENCH intermediate", ROOT, True, 2)
LEAF = make("000413AABBCC", MIDDLE, None, 3)
SERVER = make("prov.example.com", None, None, 4)
DEVICE = Identity((LEAF.certificate, MIDDLE.certificate), LEAF.key)
SERVER_IDENTITY = Identity((SERVER.certificate,), SERVER.key)
_KEY = server_key(SERVER.certificate)


def contexts() -> tuple[ServerContext, ClientContext]:
    server = server_context(
        SERVER_IDENTITY, MODERN, verify=lambda _: Accept(), roots=[ROOT.certificate]
    )
    client = client_context(
        verify=lambda _: Accept(),
        min_version=Version.TLS1_2,
        max_version=Version.TLS1_2,
        suites=[0xC02F],
        identity=DEVICE,
    )
    return server, client


def by_engine(server: ServerContext, client: ClientEngine) -> float:
    """One handshake, hello parsing and policy included."""
    spent = 0.0
    first = client.take_output()
    before = time.thread_time()
    hello = parse_client_hello(first)
    assert hello is not None
    choose(hello, _KEY)
    engine = ServerEngine(server, hello=hello)
    spent += time.thread_time() - before
    data = first
    while engine.handshaking:
        before = time.thread_time()
        engine.receive(data)
        out = engine.take_output()
        spent += time.thread_time() - before
        client.receive(out)
        data = client.take_output()
    assert engine.info is not None
    assert engine.info.peer_chain
    return spent


def by_pyopenssl(context: SSL.Context, client: ClientEngine) -> float:
    before = time.thread_time()
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    spent = time.thread_time() - before
    done = False
    while not done:
        data = client.take_output()
        before = time.thread_time()
        connection.bio_write(data)
        try:
            connection.do_handshake()
            done = True
        except SSL.WantReadError:
            pass
        out = connection.bio_read(65536)
        spent += time.thread_time() - before
        client.receive(out)
    return spent


def by_hand(context: SSL.Context, client: ClientEngine) -> float:
    buffer = _ffi.new("char[]", 65536)
    before = time.thread_time()
    connection = SSL.Connection(context, None)  # for its buffers and their end
    ssl, into, out = connection._ssl, connection._into_ssl, connection._from_ssl
    _lib.SSL_set_accept_state(ssl)
    spent = time.thread_time() - before
    done = False
    while not done:
        data = client.take_output()
        before = time.thread_time()
        _lib.BIO_write(into, data, len(data))
        done = _lib.SSL_do_handshake(ssl) == 1
        size = _lib.BIO_read(out, buffer, 65536)
        spent += time.thread_time() - before
        client.receive(_ffi.buffer(buffer, size)[:])
    return spent


def plain_context(*, callback: bool) -> SSL.Context:
    server, _ = contexts()
    if callback:
        server.ssl.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        server.ssl.set_info_callback(lambda *_: None)
    else:
        store = server.ssl.get_cert_store()
        assert store is not None
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        _lib.SSL_CTX_set_verify(server.ssl._context, SSL.VERIFY_PEER, _ffi.NULL)
        _lib.SSL_CTX_set_info_callback(server.ssl._context, _ffi.NULL)
    return server.ssl


def resident_kb() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


def memory(server: ServerContext, client: ClientContext, count: int) -> float:
    """Kilobytes of one idle server engine, after its handshake and one exchange."""
    held = []
    gc.collect()
    before = resident_kb()
    for _ in range(count):
        far = ClientEngine(client)
        engine = ServerEngine(server)
        while far.handshaking:
            engine.receive(far.take_output())
            far.receive(engine.take_output())
        far.send(b"GET /snomD785-000413AABBCC.htm HTTP/1.1\r\n\r\n")
        engine.receive(far.take_output())
        engine.send(b"x" * 4096)
        engine.take_output()
        held.append(engine)
    gc.collect()
    return (resident_kb() - before) / count


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    server, client = contexts()
    runs: dict[str, Callable[[], float]] = {}
    loose, bare = plain_context(callback=True), plain_context(callback=False)
    runs["engine"] = lambda: by_engine(server, ClientEngine(client))
    runs["pyOpenSSL, callbacks in Python"] = lambda: by_pyopenssl(
        loose, ClientEngine(client)
    )
    runs["library calls alone"] = lambda: by_hand(bare, ClientEngine(client))
    first = ClientEngine(client)
    by_engine(server, first)
    session = first.session()
    first.close()

    def resume() -> float:
        far = ClientEngine(client, session=session)
        spent = by_engine(server, far)
        assert far.info is not None
        assert far.info.resumed
        far.close()
        return spent

    runs["engine, resumed"] = resume
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds // BLOCK):
        for name, run in runs.items():
            times[name] += [run() * 1e6 for _ in range(BLOCK)]
    for name, values in times.items():
        print(
            f"{name:32} median {statistics.median(values):7.0f} µs"
            f"   fastest tenth {statistics.quantiles(values, n=10)[0]:7.0f} µs"
        )
    print(f"{'idle connection, server end':32} {memory(server, client, 500):7.1f} kB")


if __name__ == "__main__":
    main()
