"""What the log recorded in English is said in the page's language."""

import random
import re
from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.provisioning.conftest import build_lab
from tests.unit.provisioning.test_no_phone_gets_anothers_file import (
    NOW,
    make_case,
    make_registry,
    serve,
)
from tools.console_words import catalogue

from linekey.certs.verify_errors import ERRORS
from linekey.console.web.language import languages
from linekey.console.web.reasons import told
from linekey.console.web.recorded import MAX_SENTENCE, Recorded
from linekey.provisioning.decision import Reason
from linekey.provisioning.identity import identify
from linekey.provisioning.service import RenderedFiles
from linekey.said import Said, fill
from linekey.tls.alerts import Alert
from linekey.tls.reasons import explain_alert, explain_failure

GERMAN = languages(UTC)["de"]
TEXTS = sorted(m.id for m in catalogue() if isinstance(m.id, str) and m.id)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@given(st.sampled_from(TEXTS), st.randoms(use_true_random=False))
def test_every_sentence_of_the_catalogue_is_found(
    text: str, rng: random.Random
) -> None:
    names = [part.partition(")")[0] for part in text.split("%(")[1:]]
    values = {name: "".join(rng.choices(LETTERS, k=6)).upper() for name in names}
    sentence = fill(text, values)
    found = GERMAN.recorded.find(sentence)
    if found is None:
        letters = fill(text, dict.fromkeys(values, ""))
        assert sum(map(str.isalpha, letters)) < 4
        return
    # Perhaps of another text that reads the same; never of other words.
    assert found == sentence
    assert fill(found.text, found.values) == sentence


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("its issuer CN=X is neither sent nor trusted",
         "sein Aussteller CN=X ist weder gesendet noch vertraut"),
        ("000413AABBCC is not registered; pending, code 4711",
         "000413AABBCC ist nicht registriert; wartet, Code 4711"),
        ("CN=a: it ended on 2026-01-02 03:04:05 UTC",
         "CN=a: es endete am 2026-01-02 03:04:05 UTC"),
        ("certificate of 70,000 bytes; the limit is 65,536",
         "ein Zertifikat von 70.000 Bytes; die Grenze ist 65.536"),
        ("the client sent unknown_ca: the client does not know the CA that issued the "
         "certificate, or an intermediate certificate was not sent",
         "der Client hat unknown_ca gesendet: der Client kennt die CA nicht, die das "
         "Zertifikat ausgestellt hat, oder ein Zwischenzertifikat wurde nicht gesendet"),
        ("not registered, said somebody; valid until 2026-01-01 00:00",
         "not registered, said somebody; gültig bis 2026-01-01 00:00"),
    ],
)  # fmt: skip
def test_it_is_said_again(english: str, german: str) -> None:
    assert GERMAN.in_words(english) == (german, False)


def test_what_nobody_of_us_wrote_stays() -> None:
    for text in ("", "lost in a taxi", "x" * (MAX_SENTENCE + 1), "client", "a; b"):
        assert GERMAN.in_words(text)[0] in (text, "Client")
        assert Recorded(TEXTS).find(text) is None or text == "client"
    assert GERMAN.in_words("lost in a taxi") == ("lost in a taxi", True)


def test_a_hostile_sentence_costs_no_more_than_a_long_one() -> None:
    class Counted(str):
        looked = 0

        def find(self, *where):  # type: ignore[no-untyped-def]
            Counted.looked += 1
            return super().find(*where)

    texts = [text for text in TEXTS if text.count("%(") > 2]
    assert Recorded(texts).find(Counted((": and; " * 600)[:MAX_SENTENCE])) is None
    assert 0 < Counted.looked <= sum(text.count("%(") for text in texts)
    for hostile in (": and; ", "a: b ", "the x sent y: ", "its issuer "):
        Recorded(TEXTS).find((hostile * 4_000)[:MAX_SENTENCE])


def test_every_decision_is_told_in_german() -> None:
    lab = build_lab()
    rng = random.Random(7)
    registries = [make_registry(rng) for _ in range(50)]
    rendered, names = RenderedFiles(), sorted(lab.made)
    identities = {n: identify(lab.made[n].chain, lab.trust, NOW) for n in names}
    english, seen = set(), set()
    for _ in range(6_000):
        case = make_case(rng, lab.made[rng.choice(names)], registries)
        decision = serve(case, identities[case.certificate], rendered).decision
        seen.add(decision.reason)
        is_name = re.match(r"[A-Za-z]+=", decision.detail)
        if decision.detail and not is_name and decision.reason is not Reason.REVOKED:
            _, foreign = GERMAN.in_words(decision.detail)
            english |= {(decision.reason, decision.detail)} if foreign else set()
    assert english == set()
    assert len(seen) > 30


def test_what_the_operator_wrote_is_neither_translated_nor_called_english() -> None:
    line = {"reason": "revoked", "detail": "the certificate was revoked", "cure": None,
            "kind": "decision"}  # fmt: skip
    found = told(line, GERMAN)
    assert found.detail == "the certificate was revoked"
    assert not found.foreign
    assert told(line | {"reason": "no_mac"}, GERMAN).detail == (
        "das Zertifikat wurde gesperrt"
    )


@pytest.mark.parametrize("alert", Alert)
def test_what_a_phone_said_in_the_handshake(alert: Alert) -> None:
    said = explain_alert(alert, server=True)
    line = {"reason": "handshake.gone", "detail": said, "cure": "", "kind": "handshake"}
    found = told(line, GERMAN)
    assert found.detail != said
    assert not found.foreign
    assert "the client" not in found.detail
    assert told(line, replace(GERMAN, code="en")).sentence == said


def test_what_openssl_said() -> None:
    for code, error in ERRORS.items():
        assert not GERMAN.in_words(error.text)[1], code
    for reason in ("no shared cipher", "bad signature", "a new one"):
        said = explain_failure(
            server=True, openssl=(reason,), alert_sent=None, alert_received=None
        )
        german, foreign = GERMAN.in_words(said)
        assert not foreign
        assert isinstance(german, str | Said)
