"""The rule that chooses a policy, held against OpenSSL itself.

Whatever the rule says can be served is served, and what it refuses no policy could
serve: over generated hellos and real clients, and servers' keys of every kind.
"""

import os
from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.certificates import certificate, key
from tests.pair.tls_world import HOST, accept

from linekey.errors import InputError
from linekey.tls import wire
from linekey.tls.alerts import Alert
from linekey.tls.engine import (
    ClientEngine,
    HandshakeCompleted,
    HandshakeFailed,
    Identity,
    ServerContext,
    ServerContexts,
    ServerEngine,
    client_context,
)
from linekey.tls.errors import TlsError
from linekey.tls.hello import ClientHello, build_client_hello, parse_client_hello
from linekey.tls.messages import CertificateMessage, FlightReader, ServerHello
from linekey.tls.parameters import GROUPS, SIGNATURE_SCHEMES
from linekey.tls.policy import (
    BEST_VERSION,
    INTERIM,
    LEGACY,
    MODERN,
    POLICIES,
    choose,
    choose_key,
)
from linekey.tls.suites import SUITES, by_name
from linekey.tls.versions import Version

ROUNDS = int(os.environ.get("LINEKEY_POLICY_ROUNDS", "500"))
check = settings(max_examples=ROUNDS, deadline=None)

KEYS = {
    "RSA-2048": ("rsa", 2048, ()),
    "RSA-1024": ("rsa", 1024, ()),
    "RSA to sign": ("rsa", 2048, ("digitalSignature",)),
    "RSA to decrypt": ("rsa", 2048, ("keyEncipherment",)),
    "RSA for neither": ("rsa", 2048, ("cRLSign",)),
    "P-256": ("ec", "secp256r1", ()),
    "P-384": ("ec", "secp384r1", ("digitalSignature",)),
    "P-521": ("ec", "secp521r1", ()),
    "P-256 not to sign": ("ec", "secp256r1", ("keyAgreement",)),
    "Ed25519": ("ed25519", 0, ()),
    "DSA": ("dsa", 2048, ()),
}


@lru_cache(maxsize=32)
def identity(name: str) -> Identity:
    kind, size, usage = KEYS[name]
    own = key("world 20", kind, size)
    digest = "sha256"
    made = certificate(HOST, own, dns_names=[HOST], key_usage=usage, hash=digest)
    return Identity((made,), own)


@lru_cache(maxsize=32)
def contexts(name: str) -> ServerContexts:
    """As the server has them."""
    return ServerContexts(
        identity(name), verify=None, alpn=("http/1.1",), best_version=BEST_VERSION
    )


def outcome(context: ServerContext, hello: ClientHello, data: bytes) -> str:
    """What OpenSSL answers: nothing, where it goes on with a server hello."""
    engine = ServerEngine(context, hello=hello)
    events = engine.receive(data)
    if events:
        assert isinstance(events[0], HandshakeFailed)
        return events[0].detail or events[0].reason
    assert engine.take_output().startswith(b"\x16\x03")
    return ""


def reach(hello: ClientHello) -> int:
    return max((v for v in hello.versions if v <= BEST_VERSION), default=0)


def hold_against_openssl(name: str, hello: ClientHello, data: bytes) -> None:
    made = contexts(name)
    choice = choose(hello, made.keys[0])
    if choice.policy is not None:
        assert choice.alert is None
        assert outcome(made.context(choice.policy), hello, data) == "", choice.reason
    else:
        assert choice.alert is not None
    weaker = (INTERIM, LEGACY)
    if choice.policy is None or (choice.policy in weaker and made.keys[0].may_sign):
        # No other one would have done it; above all none that is stronger.
        for policy in POLICIES.values():
            if policy == choice.policy:
                break
            if policy.max_version >= reach(hello):
                assert outcome(made.context(policy), hello, data), (
                    policy.name,
                    choice.reason,
                )


# -- raw hellos: whatever a client may offer ----------------------------------

_OURS = sorted({s.number for p in POLICIES.values() for s in p.suite_values})
_OTHERS = [0x000A, 0x0005, 0x0013, 0x1304, 0x0041, 0xC0AC, 0x2A2A, 0x0032]
_GROUPS = sorted({*range(22, 31), *range(0x100, 0x105), 0x11EC, 0x01FF, 0x1A1A, 1})
_SCHEMES = [*SIGNATURE_SCHEMES, 0x0A0A]


def some(numbers, least=0):
    return st.lists(
        st.sampled_from(numbers), min_size=least, max_size=6, unique=True
    ).map(tuple)


@st.composite
def raw_hellos(draw):
    versions = draw(
        st.sampled_from(
            [None, None, (0x0304, 0x0303), (0x0304,), (0x0303,), (0x0303, 0x0302),
             (0x7A7A, 0x0304, 0x0303), (0x7F1C, 0x0303), (0x0304, 0x0302)]
        )
    )  # fmt: skip
    legacy = 0x0303 if versions else draw(st.sampled_from([0x0301, 0x0302, 0x0303]))
    extensions = []
    if versions:
        extensions.append((43, wire.vector(1, b"".join(v.to_bytes(2, "big") for v in versions))))  # fmt: skip
    if draw(st.integers(0, 3)):
        extensions.append((10, wire.numbers(2, draw(some(_GROUPS, 1)))))
        extensions.append((11, wire.numbers(1, (0,), 1)))
    if draw(st.integers(0, 4)):
        extensions.append((13, wire.numbers(2, draw(some(_SCHEMES, 1)))))
    if not draw(st.integers(0, 9)):
        extensions.append((50, wire.numbers(2, draw(some(_SCHEMES, 1)))))
    if versions and draw(st.integers(0, 5)):
        extensions.append((51, b"\0\0"))  # the server asks for what it wants
    signals = draw(st.sampled_from([(), (), (), (0xFF,), (0x5600,)]))
    suites = draw(some([*_OURS, *_OURS, *_OTHERS], 1)) + signals
    return ClientHello(legacy, bytes(range(32)), suites, tuple(extensions))


@check
@given(st.sampled_from(list(KEYS)), raw_hellos())
def test_what_the_rule_chooses_openssl_serves_and_no_more(name, hello):
    hold_against_openssl(name, hello, build_client_hello(hello))


# -- a server with two certificates --------------------------------------------

PAIRS = [(one, other) for one in ("P-256", "P-384", "Ed25519", "P-256 not to sign")
         for other in ("RSA-2048", "RSA to sign", "RSA to decrypt")]  # fmt: skip
"""Each as ``linekey serve`` has them: the one to be preferred first, RSA's last."""


@check
@given(st.sampled_from(PAIRS), raw_hellos())
def test_of_two_certificates_the_one_is_shown_that_openssl_serves_best(pair, hello):
    made = ServerContexts(*map(identity, pair), verify=None, best_version=BEST_VERSION)
    choice = choose_key(hello, made.keys)
    alone = {key: choose(hello, key) for key in made.keys}
    served = [one.policy for one in alone.values() if one.policy is not None]
    if choice.policy is None:
        refused = [one.alert for one in alone.values()]
        assert not served or Alert.INAPPROPRIATE_FALLBACK in refused
        assert choice.alert in refused
        return
    engine = made.engine_for(choice, hello)
    assert engine.receive(build_client_hello(hello)) == []
    flight = FlightReader().feed(engine.take_output())
    for message in flight:
        if isinstance(message, CertificateMessage):  # TLS 1.3 hides it
            assert message.chain_der[0] == made.shown(choice).der
    tiers = list(POLICIES)
    assert tiers.index(choice.policy.name) == min(tiers.index(p.name) for p in served)


@check
@given(st.sampled_from(PAIRS), raw_hellos())
def test_a_client_that_resumes_comes_back_to_its_certificate(pair, hello):
    """Whatever a session adds to a hello, the certificate stays."""
    keys = [contexts(name).keys[0] for name in pair]
    first = choose_key(hello, keys)
    more = replace(
        hello, extensions=(*hello.extensions, (35, bytes(32)), (41, bytes(40)))
    )
    if first.policy is not None:
        again = choose_key(more, keys)
        assert (again.key, again.policy) == (first.key, first.policy)


def test_an_ec_key_is_preferred_and_rsa_is_for_who_knows_no_other():
    keys = [contexts(name).keys[0] for name in ("P-256", "RSA-2048")]
    modern = parse_client_hello(
        ClientEngine(client_context(verify=accept)).take_output()
    )
    old = replace(modern, suites=(0x002F, 0x0035), extensions=(), legacy_version=0x0301)
    assert choose_key(modern, keys).key is keys[0]
    assert choose_key(old, keys).key is keys[1]
    # A stronger policy wins over the cheaper key.
    rsa_is_better = replace(old, legacy_version=0x0303, suites=(0xC009, 0xC02F),
                            extensions=((10, wire.numbers(2, (23,))),
                                        (13, wire.numbers(2, (0x0401, 0x0403)))))  # fmt: skip
    assert choose_key(rsa_is_better, keys).key is keys[1]


# -- real clients: a handshake to its end -------------------------------------

_CLIENT_SUITES = [n for n in _OURS if SUITES[n].known_by_engine]
_CLIENT_GROUPS = [n for n in _GROUPS if n in GROUPS]


@check
@given(
    st.sampled_from(list(KEYS)),
    some(_CLIENT_SUITES, 1),
    some(_CLIENT_GROUPS),
    some(list(SIGNATURE_SCHEMES)),
    st.sampled_from([v for v in Version if v >= Version.TLS1_0]),
    st.sampled_from([v for v in Version if v >= Version.TLS1_0]),
)
def test_whenever_a_policy_could_serve_a_client_it_is_served(
    name, suites, groups, schemes, one, other
):
    try:
        near = ClientEngine(
            client_context(
                verify=accept, min_version=min(one, other), suites=suites,
                max_version=max(one, other), groups=groups, signature_algorithms=schemes,
            ),
            server_name=HOST,
        )  # fmt: skip
    except (InputError, TlsError):
        return  # OpenSSL makes no such client
    data = near.take_output()
    hello = parse_client_hello(data)
    hold_against_openssl(name, hello, data)
    made = contexts(name)
    policy = choose(hello, made.keys[0]).policy
    if policy is None:
        return
    far = ServerEngine(made.context(policy), hello=hello)
    at_far, at_near = far.receive(data), []
    while data := far.take_output():
        at_near += near.receive(data)
        at_far += far.receive(near.take_output())
    assert [type(e) for e in at_far] == [HandshakeCompleted], (at_far, at_near)
    assert near.info is not None
    assert policy.min_version <= far.info.version <= policy.max_version
    assert far.info.suite in policy.suite_values


# -- named cases --------------------------------------------------------------

WINDOWS_7 = (
    0x003C, 0x002F, 0x003D, 0x0035, 0x0005, 0x000A, 0xC027, 0xC013, 0xC014, 0xC02B,
    0xC023, 0xC02C, 0xC024, 0xC009, 0xC00A, 0x0040, 0x0032, 0x006A, 0x0038, 0x0013,
    0x0004,
)  # fmt: skip
"""Schannel of Windows 7 and 8.1: AES-GCM with ECDSA alone, CBC and RSA else."""


def windows_7() -> ClientHello:
    schemes = (0x0401, 0x0501, 0x0201, 0x0403, 0x0503, 0x0203, 0x0202)
    return ClientHello(
        0x0303, bytes(32), WINDOWS_7,
        ((0xFF01, b"\0"), (10, wire.numbers(2, (23, 24))),
         (11, wire.numbers(1, (0,), 1)), (13, wire.numbers(2, schemes))),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "policy", "suite"),
    [
        ("RSA-2048", INTERIM, "ECDHE-RSA-AES128-SHA256"),
        ("P-256", MODERN, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("P-384", MODERN, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ],
)
def test_windows_7_is_served_by_what_the_servers_key_can_do(name, policy, suite):
    hello = windows_7()
    made = contexts(name)
    choice = choose(hello, made.keys[0])
    assert choice.policy is policy
    engine = ServerEngine(made.context(choice.policy), hello=hello)
    assert engine.receive(build_client_hello(hello)) == []
    flight = FlightReader().feed(engine.take_output())
    server_hello = next(m for m in flight if isinstance(m, ServerHello))
    assert server_hello.suite_number == by_name(suite).number


def test_a_client_without_curves_gets_what_needs_none():
    suites = tuple(by_name(n).number for n in ("ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"))  # fmt: skip
    hello = ClientHello(0x0303, bytes(32), suites)
    assert choose(hello, contexts("RSA-2048").keys[0]).policy is INTERIM


def test_a_certificate_that_may_only_decrypt_signs_nothing_it_need_not():
    suites = tuple(by_name(n).number for n in ("ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"))  # fmt: skip
    extensions = ((10, wire.numbers(2, (23,))), (13, wire.numbers(2, (0x0401,))))
    hello = ClientHello(0x0303, bytes(32), suites, extensions)
    own = contexts("RSA to decrypt").keys[0]
    policy = choose(hello, own).policy
    assert policy.name == "interim"
    assert {by_name(n).key_exchange for n in policy.suites} == {"RSA"}
    # A client that offers nothing else is served all the same: many never look.
    signed = replace(hello, suites=suites[:1])
    assert choose(signed, own).policy is MODERN


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("P-256", {}, "fits the server's EC secp256r1 key"),
        ("RSA-2048", {"groups": (1,)}, "no key exchange group in common"),
        (
            "RSA-2048",
            {"schemes": (0x0403,)},
            "takes no signature that the server's RSA",
        ),
        ("P-256", {"groups": (24,)}, "does not know the curve of the server's EC"),
        ("DSA", {}, "no cipher suite can be used with the key"),
        ("P-256 not to sign", {}, "lacks digitalSignature"),
    ],
)
def test_a_refusal_says_what_did_not_meet(name, changes, words):
    groups, schemes = changes.get("groups", (23,)), changes.get("schemes", (0x0401, 0x0403))  # fmt: skip
    extensions = ((10, wire.numbers(2, groups)), (13, wire.numbers(2, schemes)))
    hello = ClientHello(0x0303, bytes(32), (0xC02F,), extensions)
    choice = choose(hello, contexts(name).keys[0])
    assert choice.policy is None
    assert words in choice.reason
    assert choice.alert is Alert.HANDSHAKE_FAILURE


def test_tls_1_3_without_what_it_needs_is_told_so():
    extensions = ((43, b"\2\3\4"), (10, wire.numbers(2, (23,))), (51, b"\0\0"))
    hello = ClientHello(0x0303, bytes(32), (0x1301,), extensions)
    choice = choose(hello, contexts("RSA-2048").keys[0])
    assert choice.alert is Alert.MISSING_EXTENSION
    assert "without signature_algorithms" in choice.reason


# -- the mark of a downgrade (RFC 8446 §4.1.3) --------------------------------


@pytest.mark.parametrize(
    ("legacy", "suite", "policy", "mark"),
    [
        (0x0303, "ECDHE-RSA-AES128-GCM-SHA256", MODERN, b"DOWNGRD\1"),
        (0x0303, "DHE-RSA-AES256-GCM-SHA384", MODERN, b"DOWNGRD\1"),
        (0x0303, "AES128-GCM-SHA256", INTERIM, b"DOWNGRD\1"),
        (0x0303, "ECDHE-RSA-AES128-SHA", INTERIM, b"DOWNGRD\1"),
        (0x0302, "AES128-SHA", LEGACY, b"DOWNGRD\0"),
        (0x0301, "ECDHE-RSA-AES256-SHA", LEGACY, b"DOWNGRD\0"),
    ],
)
def test_each_policy_marks_what_lies_below_tls_1_3(legacy, suite, policy, mark):
    extensions = ((10, wire.numbers(2, (23,))), (13, wire.numbers(2, (0x0401,))))
    hello = ClientHello(legacy, bytes(32), (by_name(suite).number,), extensions)
    made = contexts("RSA-2048")
    assert choose(hello, made.keys[0]).policy is policy
    engine = ServerEngine(made.context(policy), hello=hello)
    engine.receive(build_client_hello(hello))
    flight = FlightReader().feed(engine.take_output())
    found = next(m for m in flight if isinstance(m, ServerHello))
    assert found.random[-8:] == mark


def test_a_policy_is_not_for_a_hello_that_reaches_above_it():
    made = contexts("RSA-2048")
    for policy, offered in ((INTERIM, (0x0304, 0x0303)), (LEGACY, (0x0303,))):
        body = wire.vector(1, b"".join(v.to_bytes(2, "big") for v in offered))
        hello = ClientHello(0x0303, bytes(32), (0x002F,), ((43, body),))
        for given_hello in (hello, None):
            with pytest.raises(ValueError, match=policy.name):
                ServerEngine(made.context(policy), hello=given_hello)


def test_a_client_that_reaches_higher_refuses_the_mark_and_says_why():
    """As a phone of TLS 1.3 does behind somebody who takes that out of its hello."""
    near = ClientEngine(client_context(verify=accept), server_name=HOST)
    before, after = b"\x03\x04\x03\x03", b"\x03\x03\x03\x03"
    data = near.take_output()
    assert data.count(before) == 1
    data = data.replace(before, after)
    hello = parse_client_hello(data)
    made = contexts("RSA-2048")
    far = ServerEngine(made.context(choose(hello, made.keys[0]).policy), hello=hello)
    assert far.receive(data) == []
    (failed,) = near.receive(far.take_output())
    assert failed.alert_sent is Alert.ILLEGAL_PARAMETER
    assert "marks its answer as a downgrade" in failed.reason
