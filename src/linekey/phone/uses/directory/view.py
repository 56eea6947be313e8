"""What the directory shows, as part of the phone's state."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from linekey.phone.state import PhoneState
from linekey.phone.uses.directory.look_up import LookupResult
from linekey.phone.uses.use import Document


@dataclass(frozen=True, slots=True)
class Found:
    """The last look-up."""

    text: str
    """What was typed."""
    result: LookupResult
    at: datetime


@dataclass(frozen=True, slots=True)
class Directory:
    """Part of the state."""

    found: Found | None = None
    """In front of any page until it is closed or a page is shown."""


def describe_directory(state: PhoneState) -> dict[str, Any]:
    """The last look-up for pages and JSON."""
    found = state.part(Directory).found
    if found is None:
        return {"directory": None}
    head = {"text": found.text, "at": found.at.isoformat()}
    return {"directory": head | describe_lookup(found.result)}


def describe_lookup(result: LookupResult) -> dict[str, Any]:
    """A look-up's result for JSON."""
    return {
        "entries": [
            {
                "name": entry.name,
                "numbers": [
                    {"attribute": name, "number": number}
                    for name, number in entry.numbers
                ],
                "dn": entry.dn,
            }
            for entry in result.entries
        ],
        "problem": result.problem,
        "cure": result.cure,
        "notes": list(result.notes),
    }


def directory_lines(document: Document) -> list[str]:
    """The last look-up as lines of text."""
    found = document["apps"]["directory"]
    lines = [f"directory: {found['text']}"]
    lines += [text for text in (found["problem"], found["cure"]) if text]
    return [*lines, *_entry_lines(found), *found["notes"]]


def answer_lines(details: Document) -> tuple[list[str], list[str]]:
    """Entries and notes of the answer to a look-up."""
    found = details.get("lookup", {"entries": [], "notes": []})
    return _entry_lines(found), found["notes"]


def _entry_lines(found: Document) -> list[str]:
    return [
        f"  {entry['name']}  {', '.join(row['number'] for row in entry['numbers'])}"
        for entry in found["entries"]
    ]
