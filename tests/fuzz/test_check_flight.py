"""Any server flight gives an answer, and any answer a result: no exception, ever."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.certificates import NOW, ca, leaf
from tests.unit.check.flights import (
    DONE,
    alert,
    certificates,
    dhe,
    ecdhe,
    request,
    server_hello,
)  # fmt: skip

from linekey.catalog.profile import all_profiles
from linekey.check.assess import Question, assess_answer
from linekey.check.classes import classes_of
from linekey.check.flight import AnswerReader
from linekey.check.page import render_page
from linekey.check.phones import Setup, gather
from linekey.check.report import Outcome, Report

NAME = "prov.example.com"
ROOT = ca("root")
CLASSES = classes_of(
    gather(all_profiles(), NAME, Setup(authorities=()), now=NOW).phones
)
PARTS = (
    server_hello(), server_hello(0x0033), server_hello(0x000A, 0x0300),
    certificates([leaf(ROOT, NAME), ROOT.certificate]), certificates([]),
    ecdhe(), dhe(1024), request([ROOT.certificate.subject]), DONE, alert(40),
    alert(112, 1),
)  # fmt: skip
QUESTION = Question(NAME, NOW)


def assess(data: bytes, cuts: list[int]) -> Report:
    reader = AnswerReader("192.0.2.1:443")
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        reader.feed(data[at : max(at, cut)])
        at = max(at, cut)
    answer = reader.finish()
    results = tuple(
        assess_answer(c, answer, QUESTION, others_answered=True) for c in CLASSES
    )
    for result in results:
        assert result.outcome in Outcome
        refused = any(f.refuses for f in result.findings)
        assert refused is (result.outcome is not Outcome.ACCEPTED)
    return Report({"label": "x"}, NOW, NOW, None, results)


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_answered(data: bytes, cuts: list[int]) -> None:
    assess(data, cuts)


@given(st.lists(st.sampled_from(PARTS), max_size=7))
@settings(max_examples=150, deadline=None)
def test_any_order_of_messages_is_answered(parts: list[bytes]) -> None:
    assess(b"".join(parts), [])


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_flight_is_answered_and_its_page_drawn(seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(PARTS[0] + PARTS[3] + PARTS[5] + PARTS[7] + DONE)
    for _ in range(dice.randrange(1, 6)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    assert render_page(assess(bytes(data), [])).startswith("<!doctype html>")
