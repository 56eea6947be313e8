"""A file of measured costs: written, read again, and refused where it is none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.plan.test_capacity import COSTS

from linekey.errors import InputError
from linekey.plan.costs import Costs


def test_what_is_written_is_read_again() -> None:
    assert Costs.parse(COSTS.as_json(), "f") == COSTS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        "null",
        "7",
        '{"format": 1}',
        '{"format": 2}',
        '{"whole_ms": 1}',
    ],
)
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(InputError) as raised:
        Costs.parse(text, "costs.json")
    assert "costs.json" in raised.value.message
    assert "--measure" in raised.value.hint


@pytest.mark.parametrize("name", ["whole_ms", "idle_kib", "decision_bytes"])
@pytest.mark.parametrize(
    "value", [None, 0, -1, "1", True, float("nan"), float("inf"), 10**400, 1e308, [1]]
)
def test_a_number_that_cannot_be_is_refused(name: str, value: Any) -> None:
    text = json.dumps(json.loads(COSTS.as_json()) | {name: value})
    with pytest.raises(InputError, match=name):
        Costs.parse(text, "f")


def test_a_number_that_is_missing_is_refused() -> None:
    document = json.loads(COSTS.as_json())
    for name in document:
        less = {key: value for key, value in document.items() if key != name}
        with pytest.raises(InputError):
            Costs.parse(json.dumps(less), "f")


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda b: b.decode("latin-1")))
def test_whatever_is_in_it_is_costs_or_refused(text: str) -> None:
    with pytest.raises(InputError):
        Costs.parse(text, "f")
