"""One message about alerts of one kind and cause: for a program, and for people.

Rules: nothing secret is in it: no setting, no URL that a phone asked for, no address,
nothing that a phone sent. What an operator typed (labels) is printed without control
characters. It is bounded: ``LISTED`` items, and how many more there are.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from linekey.alerts.kinds import Kind
from linekey.words import counted

LISTED = 100
"""Items that a message names; the rest is a number."""
_MAX_LABEL = 80
_MAX_TEXT = 300


@dataclass(frozen=True, slots=True)
class Item:
    """One phone, certificate or event."""

    since: datetime
    mac: str | None = None
    label: str = ""
    model: str = ""
    text: str = ""

    def as_json(self) -> dict[str, Any]:
        """It as JSON values, without what is not known."""
        plain = {
            "mac": self.mac,
            "label": plainly(self.label, _MAX_LABEL),
            "model": self.model,
            "text": plainly(self.text, _MAX_TEXT),
            "since": self.since.isoformat(),
        }
        return {name: value for name, value in plain.items() if value}


def message_id() -> str:
    """Return a new one. It stays the same for each attempt at each target."""
    return f"msg_{secrets.token_urlsafe(18)}"


def document(
    kind: Kind,
    at: datetime,
    *,
    server: str,
    cause: str,
    sentence: str,
    cure: str,
    items: Sequence[Item],
    count: int,
) -> dict[str, Any]:
    """Return the JSON of a message (docs/howto/alerts.md), as Standard Webhooks has it.

    ``items`` are the first of ``count``; ``server`` is the sender's name.
    """
    listed = items[:LISTED]
    return {
        "type": kind.value,
        "timestamp": at.isoformat(),
        "data": {
            "server": server,
            "summary": summary(kind, sentence, count),
            "cause": cause,
            "sentence": sentence,
            "cure": cure,
            "count": count,
            "items": [item.as_json() for item in listed],
            "more": count - len(listed),
        },
    }


def summary(kind: Kind, sentence: str, count: int) -> str:
    """One line for a subject."""
    one = count == 1
    phones = counted(count, "phone")
    if kind is Kind.REFUSED:
        return f"{phones} {'is' if one else 'are'} refused: {sentence}"
    if kind is Kind.FIRST_SEEN:
        return f"{phones} came for the first time"
    if kind is Kind.REVOKED:
        return f"{phones} {'was' if one else 'were'} revoked"
    if kind is Kind.ENDS:
        return f"{count:,} {sentence}" if not one else f"1 {sentence}"
    if kind is Kind.FORECAST:
        return f"the forecast has {count:,} new end{'' if one else 's'}"
    return sentence


def mail(
    message: str,
    body: dict[str, Any],
    *,
    sender: str,
    to: Sequence[str],
    more: str = "linekey alert list",
) -> EmailMessage:
    """Return a message as mail: plain text, and what the JSON says in words."""
    data = body["data"]
    found = EmailMessage(policy=SMTP)
    found["From"] = sender
    found["To"] = ", ".join(to)
    found["Subject"] = f"[linekey] {plainly(data['summary'], _MAX_TEXT)}"
    found["Date"] = datetime.fromisoformat(body["timestamp"])
    domain = sender.rpartition("@")[2].strip(" >") or "localhost"
    found["Message-ID"] = f"<{message}@{domain}>"
    found["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no vacation answers
    lines = [f"{data['summary'][:1].upper()}{data['summary'][1:]}.", ""]
    if data["cure"]:
        lines += [f"What to do: {data['cure']}.", ""]
    lines += [_line(item) for item in data["items"]]
    if data["more"]:
        lines += [f"… and {data['more']:,} more."]
    lines += [""] if data["items"] else []
    lines += [
        f"Server: {data['server']}",
        f"Time: {body['timestamp']}",
        f"All that holds now: {more}",
    ]
    found.set_content("\n".join(lines) + "\n", cte="quoted-printable")
    return found


def _line(item: dict[str, Any]) -> str:
    words = [item.get(name) for name in ("mac", "model", "label", "text")]
    since = item["since"][:16].replace("T", " ")
    return f"- {', '.join(word for word in words if word)} (since {since} UTC)"


def plainly(text: str, most: int) -> str:
    """``text`` in one line, without control characters, at most so long."""
    shown = "".join(c if c.isprintable() else " " for c in text).strip()
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
