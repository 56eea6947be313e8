"""Any certificates that can be read get a verdict, in the rules' order, with reasons."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from tests.certificates import NOW, ca, key, leaf

from linekey.catalog.profile import all_profiles
from linekey.certs.certificate import Certificate
from linekey.errors import CertificateError
from linekey.tls.events import REFUSAL_ALERTS
from linekey.trust.judge import TlsSettings, judge
from linekey.trust.rules import PLACE, RULES
from linekey.trust.store import TrustStore, read_upload

ROOT = ca("root")
MIDDLE = ca("middle", ROOT)
EC = key("ec", "ec", "secp256r1")
SEEDS = (
    leaf(MIDDLE, "prov.example.com"),
    leaf(None, "prov.example.com", ca=True),
    leaf(MIDDLE, "*.example.com", ips=("192.0.2.7",), leaf_key=EC),
    leaf(ROOT, cn=("x",), version=1, key_ids=False, hash="md5"),
    MIDDLE.certificate,
    ROOT.certificate,
)
PHONES = all_profiles()
NAMES = (
    None, "prov.example.com", "192.0.2.7", "", "a" * 300, "x\0y", "*.example.com",
    ".example.com", "[::1]", "bücher.example",
)  # fmt: skip


def damaged(dice: random.Random, certificate: Certificate) -> Certificate:
    """The same, or with some bytes changed where it still can be read."""
    for _ in range(20):
        data = bytearray(certificate.der)
        for _ in range(dice.randrange(4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            return Certificate.from_der(bytes(data))
        except CertificateError:
            continue
    return certificate


@pytest.mark.parametrize("seed", range(250))
def test_any_chain_gets_a_sound_verdict(seed: int) -> None:
    dice = random.Random(seed)
    chain = [damaged(dice, dice.choice(SEEDS)) for _ in range(dice.randrange(6))]
    store = TrustStore(authorities=(ROOT.certificate,))
    for certificate in dice.sample(SEEDS, 2):
        store = store.provision(
            certificate, at=NOW, signed_by_rule=dice.random() < 0.5
        ).store
    if chain and dice.random() < 0.3:
        store = store.with_refused(
            chain[0], at=NOW, purpose="sip", peer="p", reason="r"
        )
        store = store.add_exception(chain[0], at=NOW).store
    settings = TlsSettings(
        dice.random() < 0.7, dice.random() < 0.7, dice.randrange(-1, 70)
    )
    when = dice.choice(
        (NOW, datetime(1970, 1, 1, tzinfo=UTC), NOW + timedelta(days=40000))
    )
    phone = dice.choice(PHONES)
    verdict = judge(
        chain, dice.choice(NAMES), store, phone, settings, when, known=SEEDS
    )
    assert verdict.accepted == (not verdict.refusals)
    assert (verdict.alert is None) == verdict.accepted
    assert verdict.alert is None or verdict.alert in REFUSAL_ALERTS
    assert [PLACE[f.rule] for f in verdict.findings] == sorted(
        PLACE[f.rule] for f in verdict.findings
    )
    for finding in verdict.findings:
        assert finding.rule in RULES
        assert finding.message
        assert finding.ok or finding.cure
    assert TrustStore.from_dict(store.as_dict(), store.authorities) == store


@pytest.mark.parametrize("seed", range(150))
def test_any_upload_is_a_certificate_or_the_one_documented_error(seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(dice.choice(SEEDS).der)
    for _ in range(dice.randrange(1, 30)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    cut = dice.randrange(len(data))
    for upload in (bytes(data), bytes(data[:cut]), dice.randbytes(cut)):
        try:
            certificate = read_upload(upload)
        except CertificateError:
            continue
        assert certificate.der == upload
