"""The page of state machines under docs/reference, drawn from their tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from linekey.phone.state import STATUSES
from linekey.phone.uses.sip.states import LINE_STATES
from linekey.wire.door.states import TRANSITIONS

_Table = Mapping[Any, Mapping[Any, Any]]

MACHINES: dict[str, tuple[str, _Table]] = {
    "A connection at the door": ("src/linekey/wire/door/states.py", TRANSITIONS),
}
"""Title → where the table is, and the table; the first state is where it begins."""
FOLLOWERS: dict[str, tuple[str, _Table]] = {
    "The virtual phone": ("src/linekey/phone/state.py", STATUSES),
    "A line of the virtual phone": (
        "src/linekey/phone/uses/sip/states.py",
        LINE_STATES,
    ),
}
"""The same for tables that say of each state which may follow it, and when; the words
are those of ``linekey phone show --json``."""


def states_page() -> str:
    """Return ``docs/reference/states.md``."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield "# States"
    yield ""
    yield "<!-- Made by `make docs` from the tables that each section names. -->"
    yield ""
    yield "What has states moves by a table; a step that is not in it cannot be taken."
    yield ""
    for title, (source, table) in MACHINES.items():
        yield f"## {title}"
        yield ""
        yield f"`{source}`"
        yield ""
        yield from _diagram(table)
        yield ""
        yield "| state | what happens there |"
        yield "|---|---|"
        yield from (f"| `{state.name}` | {state.value} |" for state in table)
        yield ""
        yield "| step | when |"
        yield "|---|---|"
        steps = type(next(step for row in table.values() for step in row))
        yield from (f"| `{step.name}` | {step.value} |" for step in steps)
        yield ""

    for title, (source, table) in FOLLOWERS.items():
        yield f"## {title}"
        yield ""
        yield f"`{source}`"
        yield ""
        yield "```mermaid"
        yield "stateDiagram-v2"
        yield f"    [*] --> {next(iter(table))}"
        rows = [(here, *row) for here, after in table.items() for row in after.items()]
        yield from (f"    {here} --> {there}" for here, there, _ in rows)
        yield "```"
        yield ""
        yield "| from | to | when |"
        yield "|---|---|---|"
        yield from (f"| `{here}` | `{there}` | {when} |" for here, there, when in rows)
        yield ""


def _diagram(table: _Table) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {next(iter(table)).name}"
    for state, row in table.items():
        for there in dict.fromkeys(row.values()):
            steps = ", ".join(s.name for s, after in row.items() if after is there)
            yield f"    {state.name} --> {there.name}: {steps}"
        if not row:
            yield f"    {state.name} --> [*]"
    yield "```"
