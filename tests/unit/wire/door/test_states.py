"""The table of a connection's states, and that nothing goes past it."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest

from linekey.wire.door import connection
from linekey.wire.door.states import HALF_OPEN, TRANSITIONS, State, Step


def after(state: State) -> set[State]:
    """Every state that may follow, soon or late."""
    found: set[State] = set()
    new = {state}
    while new:
        new = {s for n in new for s in TRANSITIONS[n].values()} - found
        found |= new
    return found


def test_every_state_is_reached_and_has_an_end() -> None:
    assert set(TRANSITIONS) == set(State)
    assert after(State.HELLO) | {State.HELLO} == set(State)
    for state in set(State) - {State.CLOSED}:
        assert State.CLOSED in after(state)
    assert {s for row in TRANSITIONS.values() for s in row} == set(Step)


def test_no_way_leads_back_nor_past_the_handshake() -> None:
    for state in set(State) - {State.LINGER}:
        assert state not in after(state)
    into = {s for s, row in TRANSITIONS.items() if State.OPEN in row.values()}
    assert into == {State.HANDSHAKE}
    for state in HALF_OPEN:  # what ends there is on record before it is gone
        assert State.CLOSED not in TRANSITIONS[state].values()


def test_the_table_alone_moves_a_connection() -> None:
    tree = ast.parse(Path(connection.__file__).read_text("utf-8"))
    writers = [
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and node.attr == "state"
        and isinstance(node.ctx, ast.Store)
    ]
    assert writers == ["__init__", "_move"]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_a_step_that_is_not_in_the_table_cannot_be_taken(
    state: State, step: Step
) -> None:
    door = SimpleNamespace(loop=None, bell=None)
    here = connection.DoorConnection(door)  # type: ignore[arg-type]
    here.state = state
    there = TRANSITIONS[state].get(step)
    if there is None:
        with pytest.raises(KeyError):
            here._move(step)
        there = state
    else:
        here._move(step)
    assert here.state is there
