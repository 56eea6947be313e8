"""States move as their tables say, and in no other way."""

import ast
from pathlib import Path

import pytest
from tests.certificates import MAC

import linekey.phone
from linekey.phone.state import STATUSES, Status, new_phone
from linekey.phone.transitions import follow
from linekey.phone.uses.sip.states import LINE_STATES, LineState

PHONE = Path(linekey.phone.__file__).parent
TABLES = [(Status, STATUSES), (LineState, LINE_STATES)]


@pytest.mark.parametrize(("states", "table"), TABLES)
def test_every_state_is_in_its_table_can_be_reached_and_left(states, table) -> None:
    assert set(table) == set(states)
    reached = {next(iter(table))}
    for _ in states:
        reached |= {after for before in reached for after in table[before]}
    assert reached == set(states)
    assert all(table.values())


@pytest.mark.parametrize(("states", "table"), TABLES)
def test_a_step_that_the_table_does_not_have_is_a_fault(states, table) -> None:
    for before in states:
        for after in states:
            if after in table[before]:
                assert follow(table, before, after) is after
            else:
                with pytest.raises(AssertionError, match="nothing leads from"):
                    follow(table, before, after)


def test_a_phone_is_never_provisioned_without_a_round() -> None:
    phone = new_phone(MAC, "D785", "10.1.33.33")
    with pytest.raises(AssertionError):
        phone.moved(Status.PROVISIONED, "by magic")


def test_nothing_sets_a_state_past_its_table() -> None:
    for path in PHONE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "replace":
                names = {keyword.arg for keyword in node.keywords}
                assert "status" not in names or path.name == "state.py", path
    source = (PHONE / "uses/sip/registration.py").read_text("utf-8")
    assert source.count("self.state = LineState.IDLE") == 1, "where it begins"
    assert source.count("self.state, self.reason =") == 1
    assert source.count("self.state =") == 1
