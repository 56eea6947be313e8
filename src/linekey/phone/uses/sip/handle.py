"""The lines: what the phone shows and tells of their registrations."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from linekey.phone.events import PassOn, Save
from linekey.phone.state import PhoneState
from linekey.phone.uses.actions.events import ActionHappened
from linekey.phone.uses.sip.events import LineMoved, LineNoted, LinesRead
from linekey.phone.uses.sip.lines import Lines, LineStatus, describe_lines, line_rows
from linekey.phone.uses.sip.states import LineState
from linekey.phone.uses.use import Result, Use
from linekey.trust.connection import Purpose

_RESTING: Final = (LineState.IDLE, LineState.WAITING)


def lines_read(state: PhoneState, event: LinesRead, now: datetime) -> Result:
    """List the accounts; one that is the same as before stands where it stood."""
    before = state.part(Lines)

    def listed(line: LineStatus) -> LineStatus:
        old = before.line(line.index)
        return replace(old, label=line.label) if old and old.is_as(line) else line

    state = state.with_part(Lines(tuple(map(listed, event.lines))))
    for problem in event.problems:
        state = state.with_log(now, Purpose.SIP, problem, level="error")
    return state, [Save()] if event.problems else []


def line_moved(state: PhoneState, event: LineMoved, now: datetime) -> Result:
    """Show where it stands; tell of what is no refresh that goes well."""
    before = state.part(Lines).line(event.index)
    if before is None:
        return state, []
    line = replace(
        before,
        state=event.state,
        reason=event.reason,
        until=event.until,
        local_host=event.local_host or before.local_host,
    )
    state = state.with_part(state.part(Lines).with_line(line))
    quiet = event.state in (LineState.CONNECTING, LineState.REGISTERING)
    if quiet and before.state not in _RESTING:
        return state, []  # a refresh that goes well is told by its end
    failed = event.state is LineState.WAITING
    text = f"line {event.index}, {line.account}: {event.reason}"
    state = state.with_log(
        now, Purpose.SIP, text, level="warning" if failed else "info"
    )
    if failed and event.failed:
        variables = {"local": line.account.removeprefix("sip:")}
        told = ActionHappened("reg_failed", variables)
        return state, [Save(), PassOn(told)]
    return state, [Save()]


def line_noted(state: PhoneState, event: LineNoted, now: datetime) -> Result:
    """Write it into the log."""
    text = f"line {event.index}: {event.text}"
    return state.with_log(now, Purpose.SIP, text, level="warning"), [Save()]


SIP = Use(
    name="sip",
    takes={
        LinesRead: lines_read,
        LineMoved: line_moved,
        LineNoted: line_noted,
    },
    describe=describe_lines,
    rows=line_rows,
)
