"""Where the Verify alone proves: OpenSSL builds no path and checks no signature of one.

Its own check is of the handshake's signature (CertificateVerify), after the Verify.
"""

import pytest
from tests.certificates import certificate, key
from tests.pair.tls_world import (
    HOST,
    MAC,
    client,
    device,
    meet,
    remember,
    server,
)

from linekey.tls import binding
from linekey.tls.alerts import Alert
from linekey.tls.engine import (
    MAX_SENT,
    Accept,
    ClientEngine,
    HandshakeFailed,
    Identity,
    PeerChain,
    Refuse,
    ServerEngine,
)
from linekey.tls.versions import Version

VERSIONS = [Version.TLS1_0, Version.TLS1_2, Version.TLS1_3]


def own_proof(version: Version, verify=remember, **more):
    return server(version, verify=verify, openssl_proves=False, **more)


@pytest.mark.parametrize("version", VERSIONS)
def test_verify_sees_all_that_was_sent_in_its_order(version) -> None:
    generation = "sha1" if version is Version.TLS1_0 else "sha256"
    phone = device(generation)
    stray = certificate("stray", key("world 7"), hash=generation)
    chain = (phone.leaf, stray, phone.intermediate, phone.root)
    meeting = meet(
        own_proof(version, roots=[phone.root]),
        client(version, identity=Identity(chain, phone.identity.key)),
    )
    info = meeting.server.info
    assert info is not None
    asked = info.verdict
    assert isinstance(asked, PeerChain)
    assert (asked.leaf, asked.sent, asked.path) == (phone.leaf, chain, (phone.leaf,))
    assert info.peer_chain == chain


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_asked_before_openssl_has_looked_for_an_issuer(
    version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The callback's first word is "chain too long" (22) at the leaf, and the path has
    the leaf alone: internal_verify, which checks signatures, has no issuer to take.
    """
    heard: list[tuple[int, int, int]] = []
    paths: list[int] = []
    real = binding.Link.judge

    def judge(link, ok, store):
        if not isinstance(link._asked(), ServerEngine):
            return real(link, ok, store)
        error = binding.lib.X509_STORE_CTX_get_error(store)
        depth = binding.lib.X509_STORE_CTX_get_error_depth(store)
        heard.append((ok, error, depth))
        link._store, before = store, link._store
        paths.append(len(link.store_path()))
        link._store = before
        return real(link, ok, store)

    monkeypatch.setattr(binding.Link, "judge", judge)
    generation = "sha1" if version is Version.TLS1_0 else "sha256"
    phone = device(generation)
    for chain in ((phone.leaf, phone.intermediate, phone.root), (phone.leaf,)):
        heard.clear()
        meeting = meet(
            own_proof(version, verify=lambda _: Accept(), roots=[phone.root]),
            client(version, identity=Identity(chain, phone.identity.key)),
        )
        assert meeting.server.info is not None
        assert heard[0] == (0, 22, 0)
        assert set(paths) == {1}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refusal_has_its_alert_and_its_reason(version) -> None:
    generation = "sha1" if version is Version.TLS1_0 else "sha256"
    meeting = meet(
        own_proof(version, verify=lambda _: Refuse(Alert.UNKNOWN_CA, "not ours")),
        client(version, identity=device(generation).identity),
    )
    (failed,) = [e for e in meeting.at_server if isinstance(e, HandshakeFailed)]
    assert (failed.alert_sent, failed.reason) == (Alert.UNKNOWN_CA, "not ours")
    assert meeting.server.info is None


def test_whoever_does_not_hold_the_key_is_refused_after_an_accept() -> None:
    """A certificate is public: OpenSSL checks the handshake's signature all the same."""
    phone = device()
    thief = key("world 8")
    own = certificate(MAC, thief, phone.issuer)
    victims = certificate(MAC, key("world 3"), phone.issuer)
    assert len(own.der) == len(victims.der)
    near = ClientEngine(client(identity=Identity((own,), thief)), server_name=HOST)
    far = ServerEngine(own_proof(Version.TLS1_2))
    events = []
    for _ in range(4):
        events += far.receive(near.take_output().replace(own.der, victims.der))
        near.receive(far.take_output())
    (failed,) = [e for e in events if isinstance(e, HandshakeFailed)]
    assert failed.certificate == victims
    assert failed.alert_sent is Alert.DECRYPT_ERROR
    assert far.info is None


def test_a_session_is_resumed_without_asking() -> None:
    phone = device()
    near = own_proof(Version.TLS1_2, roots=[phone.root])
    context = client(identity=phone.identity)
    first = meet(near, context)
    again = meet(near, context, session=first.client.session())
    assert again.server.info is not None
    assert again.server.info.resumed
    assert again.server.info.verdict is None
    assert again.server.info.peer_chain[0] == phone.leaf


def test_of_a_crowd_the_first_are_read() -> None:
    phone = device()
    crowd = [certificate(f"{n}", key("world 7")) for n in range(30)]
    meeting = meet(
        own_proof(Version.TLS1_2),
        client(identity=Identity((phone.leaf, *crowd), phone.identity.key)),
    )
    info = meeting.server.info
    assert info is not None
    assert info.peer_chain == (phone.leaf, *crowd[: MAX_SENT - 1])


def test_no_certificate_at_all_asks_nobody() -> None:
    info = meet(own_proof(Version.TLS1_2), client()).server.info
    assert info is not None
    assert (info.verdict, info.peer_chain) == (None, ())
