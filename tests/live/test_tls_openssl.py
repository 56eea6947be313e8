"""Our engine against the openssl command, a TLS of another build, over loopback."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.pair.tls_world import HOST, client, device, remember, server, server_identity

from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.tls.alerts import Alert
from linekey.tls.engine import (
    ClientEngine,
    DataReceived,
    Engine,
    Event,
    HandshakeCompleted,
    HandshakeFailed,
    Identity,
    Refuse,
    ServerEngine,
)
from linekey.tls.hello import build_client_hello, new_client_hello, parse_client_hello
from linekey.tls.messages import (
    CertificateMessage,
    CertificateRequest,
    FlightReader,
    ServerHello,
    ServerKeyExchange,
)
from linekey.tls.policy import INTERIM, LEGACY, MODERN, choose
from linekey.tls.versions import Version

pytestmark = pytest.mark.peer("openssl")

TIME_S = 20.0
OPTION = {
    Version.TLS1_0: "-tls1", Version.TLS1_1: "-tls1_1",
    Version.TLS1_2: "-tls1_2", Version.TLS1_3: "-tls1_3",
}  # fmt: skip
each_version = pytest.mark.parametrize("version", list(OPTION), ids=lambda v: v.label)


def write(folder: Path, name: str, identity: Identity) -> list[str]:
    """Write certificate, chain and key; give the command's options for them."""
    for kind, text in {
        "pem": to_pem(identity.leaf).encode(),
        "chain": "".join(map(to_pem, identity.chain[1:])).encode(),
        "key": private_key_to_pem(identity.key),
    }.items():
        (folder / f"{name}.{kind}").write_bytes(text)
    files = [str(folder / f"{name}.{kind}") for kind in ("pem", "key", "chain")]
    more = ["-cert_chain", files[2]] if identity.chain[1:] else []
    return ["-cert", files[0], "-key", files[1], *more]


def drive(engine: Engine, stream: socket.socket, *, answer: bytes = b"") -> list[Event]:
    """Carry bytes until the connection ends; answer the first data that comes."""
    stream.settimeout(TIME_S)
    events: list[Event] = []
    while True:
        if output := engine.take_output():
            stream.sendall(output)
        if engine.ended:
            return events
        data = stream.recv(65_536)
        new = engine.receive(data) if data else engine.receive_eof()
        events += new
        if answer and any(isinstance(e, DataReceived) for e in new):
            engine.send(answer)
            engine.close()
            answer = b""


class Served:
    """One connection, served by our engine in a thread."""

    def __init__(self, **options: object) -> None:
        self.events: list[Event] = []
        self.engine: ServerEngine | None = None
        self._options = options
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        self._listener.settimeout(TIME_S)
        stream, _ = self._listener.accept()
        with stream:
            stream.settimeout(TIME_S)
            data = b""
            while (hello := parse_client_hello(data)) is None:
                data += stream.recv(65_536)
            policy = choose(hello).policy
            assert policy is not None
            self.engine = ServerEngine(server(policy, **self._options), hello=hello)
            self.events += self.engine.receive(data)
            self.events += drive(
                self.engine, stream, answer=b"HTTP/1.0 200 OK\r\n\r\nhi"
            )

    def __enter__(self) -> "Served":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(TIME_S)
        self._listener.close()
        assert not self._thread.is_alive()


def s_client(port: int, *options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", HOST,
         "-cipher", "ALL:@SECLEVEL=0", "-ign_eof", *options],
        input=b"GET / HTTP/1.0\r\n\r\n", capture_output=True, timeout=TIME_S, check=False,
    )  # fmt: skip


@each_version
@pytest.mark.parametrize("generation", ["sha1", "sha256"])
def test_s_client_with_a_phones_certificate_is_served(version, generation, tmp_path):
    phone = device(generation)
    with Served(verify=remember, roots=[phone.root]) as served:
        done = s_client(
            served.port, OPTION[version], *write(tmp_path, "phone", phone.identity)
        )
    assert b"HTTP/1.0 200 OK" in done.stdout, done.stderr
    info = served.engine.info
    assert info.version is version
    assert info.peer_chain == phone.identity.chain
    assert info.path[-1] == phone.root
    assert info.openssl_errors == ()
    assert info.server_name == HOST
    assert info.policy_name == ("legacy" if version < Version.TLS1_2 else "modern")
    assert isinstance(served.events[0], HandshakeCompleted)


@pytest.mark.parametrize("version", [Version.TLS1_0, Version.TLS1_2, Version.TLS1_3])
@pytest.mark.parametrize(
    "alert", [Alert.CERTIFICATE_REVOKED, Alert.UNKNOWN_CA, Alert.CERTIFICATE_EXPIRED]
)
def test_s_client_sees_the_alert_of_a_refusal(version, alert, tmp_path):
    phone = device()
    with Served(
        verify=lambda _: Refuse(alert, "because"), roots=[phone.root]
    ) as served:
        done = s_client(
            served.port, OPTION[version], *write(tmp_path, "phone", phone.identity)
        )
    assert f"SSL alert number {alert.value}".encode() in done.stderr
    failed = served.events[-1]
    assert isinstance(failed, HandshakeFailed)
    assert (failed.reason, failed.alert_sent) == ("because", alert)
    assert failed.certificate == phone.leaf


def test_s_client_without_a_certificate_is_let_through():
    with Served(verify=remember, roots=[device().root]) as served:
        done = s_client(served.port)
    assert served.engine.info.peer_chain == ()
    assert b"TEST root sha256" in done.stdout  # among the acceptable authorities


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3", "-tls1"])
def test_s_client_resumes_its_session(option, tmp_path):
    phone = device()
    files = write(tmp_path, "phone", phone.identity)
    policy = LEGACY if option == "-tls1" else MODERN
    context = server(policy, verify=remember, roots=[phone.root])
    stored = str(tmp_path / "session")
    for turn in range(2):
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(TIME_S)
        engine = ServerEngine(context)

        def serve(listener=listener, engine=engine) -> None:
            stream, _ = listener.accept()
            with stream:
                drive(engine, stream, answer=b"HTTP/1.0 200 OK\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        use = ["-sess_in", stored] if turn else ["-sess_out", stored]
        done = s_client(listener.getsockname()[1], option, *files, *use)
        thread.join(TIME_S)
        listener.close()
        assert engine.info is not None, done.stderr
        assert engine.info.resumed is bool(turn)
        assert engine.info.peer_chain[0] == phone.leaf


# -- s_server -----------------------------------------------------------------


@contextmanager
def s_server(tmp_path: Path, *options: str) -> Iterator[int]:
    files = write(tmp_path, "server", server_identity())
    process = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cipher",
         "ALL:COMPLEMENTOFALL:@SECLEVEL=0", *files, *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b"ACCEPT"):
                yield int(line.rsplit(b":", 1)[1])
                break
        else:
            pytest.fail("s_server did not start")
    finally:
        process.terminate()
        process.communicate(timeout=TIME_S)


def ask(port: int, engine: ClientEngine) -> list[Event]:
    events: list[Event] = []
    with socket.create_connection(("127.0.0.1", port), timeout=TIME_S) as stream:
        asked = False
        while not engine.ended:
            if output := engine.take_output():
                stream.sendall(output)
            data = stream.recv(65_536)
            events += engine.receive(data) if data else engine.receive_eof()
            if not asked and not engine.handshaking and not engine.ended:
                asked = True
                engine.send(b"GET / HTTP/1.0\r\n\r\n")
                stream.sendall(engine.take_output())
    return events


@each_version
@pytest.mark.parametrize("generation", ["sha1", "sha256"])
def test_our_client_gets_a_page_from_s_server_with_its_certificate(
    version, generation, tmp_path
):
    phone = device(generation)
    (tmp_path / "root.pem").write_text(to_pem(phone.root))
    with s_server(
        tmp_path, OPTION[version], "-Verify", "5", "-verify_return_error",
        "-CAfile", str(tmp_path / "root.pem"),
    ) as port:  # fmt: skip
        engine = ClientEngine(
            client(version, identity=phone.identity), server_name=HOST
        )
        events = ask(port, engine)
    page = b"".join(e.data for e in events if isinstance(e, DataReceived))
    assert b"HTTP/1.0 200" in page, events
    assert b"000413AABBCC" in page
    assert engine.info.version is version
    assert engine.info.peer_chain == server_identity().chain


@pytest.mark.parametrize("version", [Version.TLS1_2, Version.TLS1_3])
def test_s_server_refuses_our_client_and_we_say_so(version, tmp_path):
    (tmp_path / "root.pem").write_text(to_pem(device("sha1").root))
    with s_server(
        tmp_path, OPTION[version], "-Verify", "5", "-verify_return_error",
        "-CAfile", str(tmp_path / "root.pem"),
    ) as port:  # fmt: skip
        engine = ClientEngine(client(version, identity=device().identity))
        events = ask(port, engine)
    end = events[-1]
    assert "unknown_ca" in end.reason
    late = version is Version.TLS1_3  # done is not accepted
    assert any(isinstance(e, HandshakeCompleted) for e in events) is late
    assert not any(isinstance(e, DataReceived) for e in events)


def test_a_raw_hello_reads_the_first_flight_of_s_server(tmp_path):
    (tmp_path / "root.pem").write_text(to_pem(device().root))
    with s_server(
        tmp_path, "-Verify", "5", "-CAfile", str(tmp_path / "root.pem")
    ) as port:
        hello = new_client_hello(
            random=bytes(32), max_version=Version.TLS1_2, groups=(24, 23),
            suites=(0x000A, 0xC013, 0x2F), signature_algorithms=(0x0501, 0x0401),
            server_name=HOST,
        )  # fmt: skip
        reader, found = FlightReader(), []
        with socket.create_connection(("127.0.0.1", port), timeout=TIME_S) as stream:
            stream.sendall(build_client_hello(hello, record_size=50))
            while not reader.done:
                data = stream.recv(700)
                assert data
                found += reader.feed(data)
    by_type = {type(m): m for m in found}
    assert by_type[ServerHello].suite_number == 0xC013
    assert by_type[ServerHello].version == Version.TLS1_2
    assert by_type[CertificateMessage].chain_der[0] == server_identity().leaf.der
    assert by_type[ServerKeyExchange].group in {23, 24}
    assert by_type[ServerKeyExchange].signature in {0x0501, 0x0401}
    assert by_type[CertificateRequest].authorities_der == (device().root.subject.der,)


def test_every_hello_of_s_client_gets_the_policy_it_should(tmp_path):
    wanted = {
        ("-tls1",): LEGACY, ("-tls1_1",): LEGACY, ("-tls1_2",): MODERN, (): MODERN,
        ("-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"): INTERIM,
    }  # fmt: skip
    for options, policy in wanted.items():
        with Served(verify=None) as served:
            s_client(served.port, *options)
        assert served.engine.info.policy_name == policy.name
