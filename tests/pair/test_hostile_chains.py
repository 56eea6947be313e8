"""What a stranger's chain costs the server: counted in signature checks, not in time.

The engine's own checks are none (``test_tls_own_proof``), so what the gate makes is all
there is, but for the one of the handshake itself.
"""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import END, key
from tests.certificates import START as BEGIN
from tests.hostile import costly_rsa, crossing
from tests.namesakes import Line
from tests.pair.tls_world import client, meet, server

from linekey.certs import path as proof
from linekey.certs.build import issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.provisioning.decision import Reason
from linekey.server.gate import Gate, TurnedAway
from linekey.settings import LimitSettings
from linekey.tls.alerts import Alert
from linekey.tls.engine import HandshakeFailed, Identity, PeerChain
from linekey.tls.versions import Version

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FLIGHT = LimitSettings().flight_bytes
SMALL = [new_key("ec", "secp256r1").public_key() for _ in range(60)]
LINE = Line()


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return counted(monkeypatch)


def counted(patch: pytest.MonkeyPatch) -> list[int]:
    """What each of OpenSSL's proofs may cost: all certificates of a path but the last."""
    made: list[int] = []
    real = proof.verify

    def verify(leaf, others, roots, **more):
        said = real(leaf, others, roots, **more)
        made.append(len(said) - 1 if isinstance(said, tuple) else len(others) + 1)
        return said

    patch.setattr(proof, "verify", verify)
    return made


def knock(
    chain: tuple[Certificate, ...],
    private=None,
    *,
    roots=(LINE.root.certificate,),
    known=(LINE.inner.certificate,),
) -> HandshakeFailed:
    """Show a server this chain; it must refuse."""
    gate = Gate(lambda: NOW)
    gate.trust(roots, known, 1)
    context = server(
        Version.TLS1_2, verify=gate.verify, roots=gate.roots, openssl_proves=False
    )
    identity = Identity(chain, private or key("world 5"))
    meeting = meet(context, client(identity=identity))
    (failed,) = [e for e in meeting.at_server if isinstance(e, HandshakeFailed)]
    assert meeting.server.info is None
    return failed


def test_ten_like_named_cas_with_costly_keys_are_refused_unread(checks) -> None:
    """The chain as it was found: 127 checks of 11 ms each, on the event loop."""
    own = key("world 5")
    for count in (1, 5, 9):
        chain = crossing(
            [costly_rsa(3072, 3071 - n) for n in range(count)],
            leaf_key=own.public_key(),
        )
        failed = knock(chain)
        assert isinstance(failed.verdict, TurnedAway)
        assert failed.verdict.reason is Reason.KEY_OUT_OF_BOUNDS
        assert failed.alert_sent is Alert.UNSUPPORTED_CERTIFICATE
        assert "exponent" in failed.reason
        assert checks == []


@pytest.mark.parametrize("place", range(4))
def test_a_costly_key_is_refused_wherever_it_stands(checks, place) -> None:
    own = key("world 5")
    leaf, *cheap = crossing(SMALL[:3], leaf_key=own.public_key())
    costly = crossing([costly_rsa()])[1]
    failed = knock((leaf, *cheap[:place], costly, *cheap[place:]))
    assert failed.verdict == TurnedAway(Reason.KEY_OUT_OF_BOUNDS, None)
    assert checks == []


def test_a_phones_own_costly_key_does_not_check_its_handshake(checks) -> None:
    """Its CertificateVerify would cost as much; the CA that issued it is trusted."""
    usual = new_key("rsa", 3072).private_numbers()
    p, q = usual.p, usual.q
    order = (p - 1) * (q - 1)
    exponent = order - 65537  # odd, as large as the modulus, and has an inverse
    private = rsa.RSAPrivateNumbers(
        p, q, d := pow(exponent, -1, order), rsa.rsa_crt_dmp1(d, p),
        rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(exponent, p * q),
    ).private_key()  # fmt: skip
    leaf = issue(
        Name.build([("CN", "000413AABBCC")]), private, LINE.inner, serial=7,
        not_before=BEGIN, not_after=END, ca=False,
    )  # fmt: skip
    failed = knock((leaf, LINE.inner.certificate), private)
    assert failed.verdict == TurnedAway(Reason.KEY_OUT_OF_BOUNDS, None)
    assert failed.alert_sent is Alert.UNSUPPORTED_CERTIFICATE
    assert checks == []


@pytest.mark.parametrize("count", [2, 5, 9])
def test_crossing_namesakes_cost_two_checks_a_certificate_at_most(
    checks, count
) -> None:
    own = key("world 5")
    chain = crossing(SMALL[:count], leaf_key=own.public_key())
    for roots, known in (
        ([LINE.root.certificate], [LINE.inner.certificate]),
        ([chain[1]], []),
        ([chain[1], chain[2]], []),
    ):
        checks.clear()
        knock(chain, roots=roots, known=known)
        assert sum(checks) <= 2 * len(chain)


def test_more_certificates_than_any_phone_has_cost_nothing(checks) -> None:
    own = key("world 5")
    chain = crossing(SMALL, leaf_key=own.public_key())
    assert sum(len(c.der) for c in chain) < FLIGHT
    failed = knock(chain)
    assert "more than 10 certificates" in failed.reason
    assert checks == []


@given(st.data())
def test_no_chain_within_the_flight_limit_costs_more(data) -> None:
    pool = [
        *WOVEN[1:],
        *LINE.strangers(),
        LINE.inner.certificate,
        LINE.root.certificate,
    ]
    sent = data.draw(st.lists(st.sampled_from(pool), max_size=12, unique=True))
    roots = data.draw(st.lists(st.sampled_from(pool), max_size=3, unique=True))
    leaf = data.draw(st.sampled_from([WOVEN[0], LEAF]))
    chain = (leaf, *sent)
    with pytest.MonkeyPatch.context() as patch:
        made = counted(patch)
        gate = Gate(lambda: NOW)
        gate.trust(roots, [], 1)
        gate.verify(PeerChain(chain[0], chain, chain[:1], ()))
    assert sum(made) <= 2 * len({*chain, *roots})


WOVEN = crossing(SMALL[:10], leaf_key=key("world 5").public_key())
LEAF = crossing(SMALL[:2], leaf_cn="000413AABBCD")[0]
