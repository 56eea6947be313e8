"""States as tables: which state may follow which, and when.

The documentation's diagrams are drawn from these tables (``tools/reference_pages.py``).
"""

from collections.abc import Mapping
from typing import TypeVar

_State = TypeVar("_State")
Transitions = Mapping[_State, Mapping[_State, str]]
"""State → the states that may follow it → when they do, a clause."""


def follow(table: Transitions[_State], before: _State, after: _State) -> _State:
    """The state ``after``. A step that the table does not have is a fault of ours."""
    if after not in table[before]:
        raise AssertionError(f"nothing leads from {before} to {after}")
    return after
