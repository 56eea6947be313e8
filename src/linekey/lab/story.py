"""The story of a lab, a line an event, for people at a terminal.

All speak: the server in what it put on record, the phone in its log, the lab's SIP
registrar in what it tells. A line says who, what and why; a refusal is followed by its
cure.
"""

from collections.abc import Iterable
from datetime import datetime

from rich.text import Text

from linekey.lab.registrar import Said
from linekey.phone.state import LogEntry as PhoneLine
from linekey.store.decisions import LogEntry

_OUTCOMES = {
    "granted": ("granted", "bold green"),
    "blanked": ("granted, secrets blanked", "bold yellow"),
    "refused": ("refused", "bold red"),
    "absent": ("not there", "dim"),
}


class Narrator:
    """Turns events into lines. What was explained once is not explained again."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def server(self, entry: LogEntry) -> list[Text]:
        """What the server did with one request or connection."""
        word, style = _OUTCOMES.get(entry.outcome, (entry.outcome, "bold"))
        line = _begin(entry.at, "server", "cyan")
        line.append(word, style)
        if entry.resource:
            line.append(f" {entry.resource}")
        who = entry.mac or f"{entry.peer}:{entry.peer_port}"
        line.append(f" to {who}: {entry.sentence}")
        lines = [line]
        if entry.outcome == "refused" and entry.remedy:
            lines.append(_more(f"cure: {entry.remedy}"))
        facts = (
            entry.tls_version,
            entry.suite,
            entry.generation and f"{entry.generation} certificate",
            entry.policy and f"policy {entry.policy}",
        )
        return [*lines, *self._explain([", ".join(fact for fact in facts if fact)])]

    def phone(self, entry: PhoneLine) -> list[Text]:
        """What the phone wrote into its log."""
        line = _begin(entry.at, "phone", "magenta")
        line.append(
            entry.text, {"error": "bold red", "warning": "yellow"}.get(entry.level, "")
        )
        return [line, *self._explain(entry.details)]

    def registrar(self, at: datetime, said: Said) -> list[Text]:
        """What the lab's SIP registrar did: registrations, goodbyes and refusals."""
        line = _begin(at, "sip", "yellow")
        line.append(said.sentence, "bold red" if said.cure else "")
        return [line, *([_more(f"cure: {said.cure}")] if said.cure else [])]

    def _explain(self, details: Iterable[str]) -> list[Text]:
        fresh = [d for d in details if d and d not in self._said]
        self._said.update(fresh)
        return [_more(detail) for detail in fresh]


def _begin(at: datetime, who: str, style: str) -> Text:
    local = at.astimezone()
    return Text.assemble(
        (f"{local:%H:%M:%S}.{local.microsecond // 1000:03d} ", "dim"),
        (f"{who:<7}", style),
    )


def _more(text: str) -> Text:
    return Text(" " * 20 + text, "dim")
