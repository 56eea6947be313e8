"""Both ends of a connection in memory: what they agree on, and how they part."""

import gc
import weakref

import pytest
from OpenSSL import SSL
from tests.certificates import certificate, key
from tests.pair.tls_world import (
    HOST,
    MAC,
    Meeting,
    accept,
    client,
    device,
    meet,
    names,
    pump,
    remember,
    server,
    server_identity,
)

from linekey.certs.build import Issuer
from linekey.tls.alerts import Alert
from linekey.tls.binding import X509_ERROR_FOR
from linekey.tls.engine import (
    Accept,
    AlertReceived,
    ClientEngine,
    ConnectionFailed,
    DataReceived,
    HandshakeCompleted,
    HandshakeFailed,
    Identity,
    PeerClosed,
    Refuse,
    ServerEngine,
)
from linekey.tls.errors import TlsError
from linekey.tls.events import NO_CERTIFICATE, REFUSAL_ALERTS
from linekey.tls.hello import parse_client_hello
from linekey.tls.messages import CertificateRequest, FlightReader
from linekey.tls.policy import INTERIM, LEGACY, MODERN, choose
from linekey.tls.suites import by_name
from linekey.tls.versions import Version

VERSIONS = [Version.TLS1_0, Version.TLS1_1, Version.TLS1_2, Version.TLS1_3]
each_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v.label)


@each_version
@pytest.mark.parametrize("generation", ["sha1", "sha256"])
def test_a_mutual_handshake_works_in_every_version_with_both_generations(
    version, generation
):
    phone = device(generation)
    meeting = meet(
        server(version, verify=remember, roots=[phone.root]),
        client(version, identity=phone.identity),
    )
    assert (
        names(meeting.at_server) == names(meeting.at_client) == ["HandshakeCompleted"]
    )
    info = meeting.server.info
    assert info.version is meeting.client.info.version is version
    assert info.suite is meeting.client.info.suite
    assert info.peer_chain == (phone.leaf, phone.intermediate)
    assert info.path == (phone.leaf, phone.intermediate, phone.root)
    assert info.openssl_errors == ()
    assert info.verdict.leaf == phone.leaf
    assert info.peer_chain[0].common_names == (MAC,)
    assert info.server_name == HOST
    assert not info.resumed
    assert meeting.client.info.peer_chain == server_identity().chain


@each_version
def test_phones_that_share_a_context_show_each_their_own_certificate(version):
    phone = device()
    second_key = key("world 30")
    second = certificate("000413AABBCD", second_key, phone.issuer)
    shared = client(version, issuers=[phone.intermediate])
    far = server(version, verify=remember, roots=[phone.root])
    one = shared.showing(phone.identity)
    two = shared.showing(Identity((second, phone.intermediate), second_key))
    for context, leaf in [(one, phone.leaf), (two, second), (one, phone.leaf)]:
        shown = meet(far, context).server.info.peer_chain
        assert shown == (leaf, phone.intermediate)
    assert meet(far, shared).server.info.peer_chain == ()


@each_version
def test_data_goes_both_ways_whole_and_in_order(version):
    meeting = meet(server(version, verify=None), client(version))
    up, down = bytes(range(256)) * 10, bytes(reversed(range(256))) * 1000
    meeting.client.send(up)
    meeting.server.send(memoryview(down))
    meeting.server.send(b"")
    pump(meeting)
    got = [e.data for e in meeting.at_server if isinstance(e, DataReceived)]
    assert b"".join(got) == up
    got = [e.data for e in meeting.at_client if isinstance(e, DataReceived)]
    assert b"".join(got) == down


def test_bytes_may_come_one_at_a_time():
    near, far = ClientEngine(client(Version.TLS1_3)), ServerEngine(server())
    at_far, at_near = [], []
    for _ in range(4):
        for byte in near.take_output():
            at_far += far.receive(bytes([byte]))
        for byte in far.take_output():
            at_near += near.receive(bytes([byte]))
    assert names(at_far) == names(at_near) == ["HandshakeCompleted"]


def test_a_desk_phone_of_2010_is_served():
    phone = device("sha1")
    context = client(
        Version.TLS1_0, suites=[0x2F, 0x0A, 0x09, 0xFF], identity=phone.identity
    )
    assert context.left_out == (
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        "TLS_RSA_WITH_DES_CBC_SHA",
    )
    near = ClientEngine(context, server_name="192.0.2.1")
    data = near.take_output()
    hello = parse_client_hello(data)
    assert hello.versions == (Version.TLS1_0,)
    assert [n for n in hello.suites if n != 0xFF] == [0x2F]
    assert hello.server_name is None
    choice = choose(hello)
    assert choice.policy is LEGACY
    far = ServerEngine(server(choice.policy, roots=[phone.root]), hello=hello)
    far.receive(data)
    near.receive(far.take_output())
    far.receive(near.take_output())
    assert far.info.suite.name == "TLS_RSA_WITH_AES_128_CBC_SHA"
    assert far.info.policy_name == "legacy"


@pytest.mark.parametrize("suite", [s.openssl_name for s in LEGACY.suite_values])
def test_every_suite_of_the_legacy_policy_can_be_negotiated(suite):
    kind = ("ec", "secp256r1") if "ECDSA" in suite else ("rsa", 2048)
    meeting = meet(
        server(LEGACY, verify=None, identity=server_identity(*kind)),
        client(Version.TLS1_0, suites=[by_name(suite).number]),
    )
    assert meeting.client.info.suite.openssl_name == suite


@pytest.mark.parametrize("policy", [MODERN, INTERIM], ids=lambda p: p.name)
def test_every_suite_of_the_newer_policies_can_be_negotiated(policy):
    for suite in policy.suite_values:
        kind = ("ec", "secp256r1") if suite.authentication == "ECDSA" else ("rsa", 2048)
        version = Version.TLS1_3 if suite.tls13 else Version.TLS1_2
        meeting = meet(
            server(policy, verify=None, identity=server_identity(*kind)),
            client(version, suites=[suite.number]),
        )
        assert meeting.client.info is not None, suite.name
        assert meeting.client.info.suite is suite


def test_the_server_prefers_its_own_order():
    meeting = meet(
        server(INTERIM, verify=None),
        client(Version.TLS1_2, suites=[0x35, 0x2F, 0xC027]),
    )
    assert meeting.server.info.suite.number == 0xC027


# -- refusals -----------------------------------------------------------------


@pytest.mark.parametrize("version", [VERSIONS[0], *VERSIONS[2:]], ids=lambda v: v.label)
@pytest.mark.parametrize("alert", sorted(REFUSAL_ALERTS), ids=lambda a: a.label)
def test_a_refused_client_gets_exactly_the_alert_chosen(alert, version):
    meeting = meet(
        server(
            version,
            verify=lambda _: Refuse(alert, "not this one", 7, code="no", cure="so"),
        ),
        client(version, identity=device().identity),
    )
    failed = meeting.at_server[-1]
    assert isinstance(failed, HandshakeFailed)
    assert (failed.reason, failed.verdict) == ("not this one", 7)
    assert (failed.code, failed.cure) == ("no", "so")
    assert failed.alert_sent is alert
    assert failed.certificate == device().leaf
    told = meeting.at_client[-1]
    if version is Version.TLS1_3:  # the client was done before it was refused
        assert names(meeting.at_client) == ["HandshakeCompleted", "AlertReceived"]
        assert (told.alert, told.fatal) == (alert, True)
        assert told.reason.startswith(f"the server sent {alert.label}: ")
    else:
        assert isinstance(told, HandshakeFailed)
        assert told.alert_received is alert
    assert meeting.client.ended
    assert meeting.server.ended


@pytest.mark.parametrize("version", [VERSIONS[0], *VERSIONS[2:]], ids=lambda v: v.label)
@pytest.mark.parametrize("alert", sorted(REFUSAL_ALERTS), ids=lambda a: a.label)
def test_a_refused_server_gets_exactly_the_alert_chosen(alert, version):
    meeting = meet(
        server(version, verify=None),
        client(version, verify=lambda _: Refuse(alert, "not this one")),
    )
    assert meeting.at_client[-1].alert_sent is alert
    assert meeting.at_client[-1].certificate == server_identity().leaf
    assert meeting.at_server[-1].alert_received is alert


def test_every_refusal_has_an_x509_error_and_no_other_alert_is_a_refusal():
    assert X509_ERROR_FOR.keys() == REFUSAL_ALERTS
    with pytest.raises(ValueError, match="access_denied"):
        Refuse(Alert.ACCESS_DENIED, "reachable by no X509 error")


@pytest.mark.parametrize("version", VERSIONS[2:], ids=lambda v: v.label)
def test_a_verify_that_raises_refuses_and_surfaces(version):
    def broken(_):
        raise ZeroDivisionError("a fault of ours")

    meeting = meet(
        server(version, verify=broken), client(version, identity=device().identity)
    )
    failed = meeting.at_server[-1]
    assert isinstance(failed, HandshakeFailed)
    assert isinstance(failed.error, ZeroDivisionError)
    assert failed.alert_sent is Alert.INTERNAL_ERROR
    assert "fault of its own: ZeroDivisionError" in failed.reason
    assert meeting.server.info is None


@pytest.mark.parametrize("answer", [None, True, "yes", Accept])
def test_a_verify_that_answers_nonsense_refuses(answer):
    meeting = meet(server(verify=lambda _: answer), client(identity=device().identity))
    assert isinstance(meeting.at_server[-1].error, TypeError)
    assert meeting.server.info is None


def test_what_must_stop_a_program_is_raised_on():
    def interrupted(_):
        raise KeyboardInterrupt

    near = ClientEngine(client(verify=interrupted))
    far = ServerEngine(server(verify=None))
    far.receive(near.take_output())
    with pytest.raises(KeyboardInterrupt):
        near.receive(far.take_output())
    assert near.ended


# -- the path that OpenSSL builds ---------------------------------------------


def test_a_lone_leaf_is_completed_from_the_intermediates_of_the_server():
    phone = device()
    context = server(
        verify=remember, roots=[phone.root], intermediates=[phone.intermediate]
    )
    info = meet(context, client(identity=phone.leaf_only)).server.info
    assert info.peer_chain == (phone.leaf,)
    assert info.path == (phone.leaf, phone.intermediate, phone.root)
    assert info.verdict.openssl_errors == ()


def test_an_intermediate_in_the_store_is_no_anchor():
    phone = device()
    context = server(verify=remember, intermediates=[phone.intermediate])
    for identity in (phone.identity, phone.leaf_only):
        info = meet(context, client(identity=identity)).server.info
        assert info.path == (phone.leaf, phone.intermediate)
        assert info.openssl_errors == ((2, 1),)  # unable to get issuer certificate


def test_without_any_authority_the_errors_name_the_depth():
    info = meet(server(verify=remember), client(identity=device().identity)).server.info
    assert info.openssl_errors == ((20, 1),)
    info = meet(
        server(verify=remember), client(identity=device().leaf_only)
    ).server.info
    assert info.openssl_errors == ((20, 0), (21, 0))


def test_a_namesake_of_the_issuer_with_another_key_proves_nothing():
    phone = device()
    other = certificate(
        "TEST intermediate sha256", key("world 5"), phone.root_issuer, ca=True,
        key_ids=False,
    )  # fmt: skip
    context = server(verify=remember, roots=[phone.root], intermediates=[other])
    info = meet(context, client(identity=phone.leaf_only)).server.info
    assert info.openssl_errors


def test_a_verify_is_asked_once_in_a_handshake():
    asked = []

    def note(chain):
        asked.append(chain)
        return Accept()

    phone = device()
    meet(server(verify=note, roots=[phone.root]), client(identity=phone.identity))
    assert len(asked) == 1
    assert asked[0].sent is None
    asked.clear()
    meet(server(verify=None, identity=phone.identity), client(verify=note))
    assert len(asked) == 1
    assert asked[0].sent == (phone.leaf, phone.intermediate)


def test_a_name_constraint_refuses_after_an_accept_unless_it_was_final():
    # permittedSubtrees: dNSName "inside.example"
    body = b"\x30\x14\xa0\x12\x30\x10\x82\x0einside.example"
    constraint = ("2.5.29.30", False, body)
    root_key, leaf_key = key("world 11"), key("world 12")
    root = certificate("TEST constrained", root_key, ca=True, extensions=[constraint])
    leaf = certificate(HOST, leaf_key, Issuer(root, root_key), dns_names=[HOST])
    context = server(verify=None, identity=Identity((leaf,), leaf_key))
    meeting = meet(context, client(verify=accept, roots=[root]))
    failed = meeting.at_client[-1]
    assert isinstance(failed, HandshakeFailed)
    assert "name constraint" in failed.reason
    assert failed.alert_sent is Alert.BAD_CERTIFICATE
    meeting = meet(context, client(verify=lambda _: Accept(final=True), roots=[root]))
    assert names(meeting.at_client) == ["HandshakeCompleted"]


# -- no certificate -----------------------------------------------------------


@each_version
def test_a_client_without_a_certificate_is_let_through_to_be_told_why(version):
    phone = device()
    meeting = meet(
        server(version, verify=remember, roots=[phone.root]), client(version)
    )
    assert meeting.server.info.peer_chain == ()
    assert meeting.server.info.verdict is None


@each_version
def test_a_required_certificate_that_does_not_come_ends_the_handshake(version):
    meeting = meet(
        server(version, require_certificate=True, roots=[device().root]),
        client(version),
    )
    failed = meeting.at_server[-1]
    assert failed.reason == "the client sent no certificate, and one is required"
    assert failed.code == NO_CERTIFICATE
    expected = Alert.HANDSHAKE_FAILURE
    if version is Version.TLS1_3:
        expected = Alert.CERTIFICATE_REQUIRED
    assert failed.alert_sent is expected


# -- resumption ---------------------------------------------------------------


@each_version
def test_a_session_is_resumed_and_keeps_the_leaf(version):
    phone = device()
    far = server(version, verify=remember, roots=[phone.root])
    near = client(version, identity=phone.identity)
    first = meet(far, near)
    session = first.client.session()
    first.client.close()
    pump(first)
    hello = None
    if version < Version.TLS1_3:
        hello = parse_client_hello(
            ClientEngine(near, server_name=HOST, session=session).take_output()
        )
    again = meet(far, near, session=session, hello=hello)
    info = again.server.info
    assert info.resumed
    assert again.client.info.resumed
    assert info.peer_chain[0] == phone.leaf
    assert again.client.info.peer_chain[0] == server_identity().leaf
    assert (info.path, info.verdict) == ((), None)
    assert info.server_name == HOST


def test_a_session_survives_a_transport_that_just_ends():
    far, near = server(verify=None), client()
    first = meet(far, near)
    assert first.client.receive_eof() == [PeerClosed(clean=False)]
    session = first.client.session()
    del first
    gc.collect()
    assert meet(far, near, session=session).client.info.resumed


def close_by_client(meeting: Meeting) -> None:
    meeting.client.close()
    pump(meeting)


def cut_by_client(meeting: Meeting) -> None:
    meeting.server.receive_eof()


def close_by_server(meeting: Meeting) -> None:
    meeting.server.close()
    pump(meeting)


def break_a_record(meeting: Meeting) -> None:
    meeting.client.send(b"GET / HTTP/1.1")
    record = bytearray(meeting.client.take_output())
    record[-1] ^= 1
    meeting.server.receive(bytes(record))


def send_a_fatal_alert(meeting: Meeting) -> None:
    meeting.client.receive(b"\x17\x03\x03\x00\x18" + bytes(24))  # no good, so it tells
    meeting.server.receive(meeting.client.take_output())


@pytest.mark.parametrize("version", [Version.TLS1_0, Version.TLS1_1, Version.TLS1_2])
@pytest.mark.parametrize(
    ("end", "resumable"),
    [
        (close_by_client, True),
        (cut_by_client, True),
        (close_by_server, True),
        (break_a_record, False),
        (send_a_fatal_alert, False),
    ],
)
def test_a_session_of_the_server_outlives_each_end_but_a_failure(
    version, end, resumable
):
    # Without tickets the server keeps the session; RFC 5246 §7.2.2 has it forget one
    # whose connection ended with a fatal alert.
    far, near = server(version, verify=None), client(version)
    near.ssl.set_options(SSL.OP_NO_TICKET)
    first = meet(far, near)
    end(first)
    first.client.receive_eof()  # the client's own session is kept either way
    session = first.client.session()
    del first
    gc.collect()
    assert meet(far, near, session=session).server.info.resumed is resumable


@each_version
def test_a_close_is_answered_in_kind(version):
    meeting = meet(server(version, verify=None), client(version))
    meeting.client.close()
    assert meeting.server.receive(meeting.client.take_output()) == [PeerClosed(True)]
    answer = meeting.server.take_output()
    assert meeting.client.receive(answer) == [PeerClosed(clean=True)]
    assert meeting.client.take_output() == b""  # and not answered again


def test_a_new_context_forgets_the_sessions_of_the_old():
    near = client(identity=device().identity)
    first = meet(server(roots=[device().root]), near)
    session = first.client.session()
    again = meet(server(roots=[device().root]), near, session=session)
    assert not again.server.info.resumed


# -- alerts, ends and garbage -------------------------------------------------


@each_version
def test_a_close_is_seen_as_a_clean_one(version):
    meeting = meet(server(version, verify=None), client(version))
    meeting.server.close()
    meeting.server.close()
    pump(meeting)
    assert meeting.at_client[-1] == PeerClosed(clean=True)
    assert meeting.client.receive(b"more") == []
    assert meeting.client.receive_eof() == []
    with pytest.raises(TlsError, match="has ended"):
        meeting.server.send(b"after the end")


def test_data_before_a_close_arrives_before_it():
    meeting = meet(server(verify=None), client())
    meeting.server.send(b"last words")
    meeting.server.close()
    pump(meeting)
    assert meeting.at_client[1:] == [
        DataReceived(b"last words"),
        PeerClosed(clean=True),
    ]


def test_a_closed_end_still_receives():
    meeting = meet(server(verify=None), client())
    meeting.client.close()
    meeting.server.send(b"still here")
    meeting.client.receive(meeting.server.take_output())
    pump(meeting)
    assert PeerClosed(clean=True) in meeting.at_server


def test_an_end_of_stream_in_the_handshake_is_a_failure_with_its_reason():
    near = ClientEngine(client())
    (failed,) = near.receive_eof()
    assert "closed the connection in the middle of the handshake" in failed.reason
    assert near.ended


def test_sending_before_the_handshake_is_a_mistake_of_the_caller():
    with pytest.raises(RuntimeError):
        ServerEngine(server()).send(b"too early")


@pytest.mark.parametrize("version", VERSIONS[2:], ids=lambda v: v.label)
def test_a_record_that_is_no_good_breaks_the_connection(version):
    meeting = meet(server(version, verify=None), client(version))
    bad = b"\x17\x03\x03\x00\x30" + b"\x55" * 48
    (failed,) = meeting.server.receive(bad)
    assert isinstance(failed, ConnectionFailed)
    assert failed.alert_sent is Alert.BAD_RECORD_MAC
    pump(meeting)
    told = meeting.at_client[-1]
    assert isinstance(told, AlertReceived)
    assert (told.alert, told.number, told.fatal) == (Alert.BAD_RECORD_MAC, 20, True)


def test_plain_http_is_named():
    far = ServerEngine(server())
    (failed,) = far.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert failed.reason == "plain HTTP was sent to the TLS port"
    assert failed.detail == "http request"


def test_an_unregistered_alert_is_told_by_its_number():
    near = ClientEngine(client())
    (failed,) = near.receive(b"\x15\x03\x03\x00\x02\x02\xc8")
    assert failed.alert_received is None
    assert "alert 200, which is not registered" in failed.reason


@pytest.mark.parametrize("version", [Version.TLS1_0, Version.TLS1_2, Version.TLS1_3])
def test_an_engine_that_rested_goes_on_where_it_was(version):
    meeting = meet(server(version, verify=None), client(version))
    near, far = meeting.client, meeting.server
    for text in (b"first", b"x" * 100_000, b"last"):
        far.rest()
        near.rest()
        near.send(text)
        sent = near.take_output()
        got = far.receive(sent[:50])
        far.rest()  # in the middle of a record: it keeps what it has
        got += far.receive(sent[50:])
        assert b"".join(e.data for e in got if isinstance(e, DataReceived)) == text
        far.send(text[::-1])
        far.rest()  # with something to send
        back = near.receive(far.take_output())
        assert b"".join(e.data for e in back) == text[::-1]
    near.close()
    assert far.receive(near.take_output()) == [PeerClosed(clean=True)]
    far.rest()  # after the end: nothing


def test_renegotiation_is_refused():
    meeting = meet(server(Version.TLS1_2, verify=None), client(Version.TLS1_2))
    link = meeting.server._link
    assert SSL._lib.SSL_renegotiate(link._ssl) == 0
    assert "no renegotiation" in link.reasons()


# -- what did not meet --------------------------------------------------------


def fail_for(context, near) -> HandshakeFailed:
    engine = ClientEngine(near)
    data = engine.take_output()
    far = ServerEngine(context, hello=parse_client_hello(data))
    (failed,) = far.receive(data)
    assert isinstance(failed, HandshakeFailed)
    engine.receive(far.take_output())
    assert engine.ended
    return failed


def test_no_common_suite_names_both_lists():
    failed = fail_for(server(MODERN), client(suites=[0x2F, 0x35]))
    assert failed.reason.startswith(
        "the client offers only TLS_RSA_WITH_AES_128_CBC_SHA,"
        " TLS_RSA_WITH_AES_256_CBC_SHA; this server's MODERN policy needs one of TLS_"
    )
    assert failed.alert_sent is Alert.HANDSHAKE_FAILURE
    assert failed.detail == "no shared cipher"


def test_a_suite_that_does_not_fit_the_certificate_is_told_apart():
    failed = fail_for(server(MODERN), client(suites=[0xC02B]))
    assert "allows TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" in failed.reason
    assert "fits the server's certificate" in failed.reason


def test_no_common_version_names_both():
    failed = fail_for(server(MODERN), client(Version.TLS1_0))
    assert failed.reason == (
        "the client supports TLSv1; this server's MODERN policy allows TLSv1.2 to "
        "TLSv1.3"
    )
    assert failed.alert_sent is Alert.PROTOCOL_VERSION


def test_alpn_is_agreed_on_and_its_absence_is_no_failure():
    far = server(verify=None, alpn=["http/1.1"])
    assert meet(far, client(alpn=["h2", "http/1.1"])).server.info.alpn == "http/1.1"
    assert meet(far, client(alpn=["h2"])).client.info.alpn is None
    assert meet(far, client()).server.info.alpn is None


def test_a_finished_engine_is_freed_at_once():
    gc.disable()
    try:
        meeting = meet(
            server(roots=[device().root]), client(identity=device().identity)
        )
        gone = weakref.ref(meeting.server), weakref.ref(meeting.server._link)
        del meeting
        assert [r() for r in gone] == [None, None]
    finally:
        gc.enable()


def test_a_certificate_request_names_roots_and_intermediates():
    phone = device()
    context = server(roots=[phone.root], intermediates=[phone.intermediate])
    far = ServerEngine(context)
    far.receive(ClientEngine(client()).take_output())
    messages = FlightReader().feed(far.take_output())
    (request,) = [m for m in messages if isinstance(m, CertificateRequest)]
    assert request.authorities_der == (
        phone.root.subject.der,
        phone.intermediate.subject.der,
    )
    assert 0x0201 in request.signature_algorithms  # else strict phones send nothing
    assert 1 in request.types


def test_completed_says_what_the_docstring_promises():
    info = meet(server(verify=None), client(Version.TLS1_3)).client.info
    assert isinstance(HandshakeCompleted(info).info.suite.tls13, bool)
    assert info.group == "x25519"
    assert info.policy_name == "client"


def test_a_client_speaks_to_a_server_without_rfc_5746() -> None:
    """As every OpenSSL before 3.0 did by default: this hello names no such extension."""
    engine = ClientEngine(client(Version.TLS1_2), server_name=HOST)
    hello = parse_client_hello(engine.take_output())
    assert hello is not None
    suite = hello.suites[0]
    body = b"\x03\x03" + bytes(32) + b"\x00" + suite.to_bytes(2, "big") + b"\x00"
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    events = engine.receive(b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message)
    assert events == []  # it waits for the certificate
    assert not engine.ended
