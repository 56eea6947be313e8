"""Where each line's registration stands, as part of the phone's state."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from linekey.phone.state import PhoneState
from linekey.phone.uses.sip.states import LineState
from linekey.phone.uses.use import Document, Row


@dataclass(frozen=True, slots=True)
class LineStatus:
    """One SIP account and where its registration stands."""

    index: int
    """From 1, as ``idx`` of the settings."""
    account: str
    """``sip:user@registrar``; empty where the settings cannot be read."""
    label: str
    """Display name, else the user."""
    peer: str
    """``host:port`` that is called."""
    encrypted: bool
    state: LineState = LineState.IDLE
    reason: str = ""
    """A sentence."""
    until: datetime | None = None
    """When the registrar forgets the phone, unless it registers again before."""
    local_host: str = ""
    """The phone's own address on the connection."""

    def is_as(self, other: "LineStatus") -> bool:
        """Whether both are the same account at the same server."""
        return (self.index, self.account, self.peer, self.encrypted) == (
            other.index,
            other.account,
            other.peer,
            other.encrypted,
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "idx": self.index,
            "account": self.account,
            "label": self.label,
            "peer": self.peer,
            "tls": self.encrypted,
            "state": self.state.value,
            "reason": self.reason,
            "registered_until": self.until and self.until.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Lines:
    """Part of the state."""

    lines: tuple[LineStatus, ...] = ()

    def line(self, index: int) -> LineStatus | None:
        """The line of this idx, or None."""
        return next((line for line in self.lines if line.index == index), None)

    def with_line(self, changed: LineStatus) -> Self:
        """The value with this line in the place of the one of its idx."""
        lines = tuple(changed if x.index == changed.index else x for x in self.lines)
        return replace(self, lines=lines)


def describe_lines(state: PhoneState) -> dict[str, Any]:
    """For pages and JSON."""
    return {"lines": [line.as_dict() for line in state.part(Lines).lines]}


def line_rows(document: Document) -> list[Row]:
    """Where each line stands, such as ``registered as … for 3600 s over TLS``."""
    if not document["running"]:
        return [("lines", "not known, because the phone is not running")]
    rows = [(f"line {line['idx']}", _text(line)) for line in document["lines"]]
    return rows or [("lines", "none")]


def _text(line: Document) -> str:
    if line["state"] == "registered":
        return f"{line['reason']}{' over TLS' if line['tls'] else ''}"
    return ": ".join(filter(None, (line["state"], line["reason"])))
