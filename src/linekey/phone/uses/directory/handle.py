"""The directory: what a look-up needs, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from linekey.errors import InputError
from linekey.phone.display import Message, tell, with_message
from linekey.phone.events import Reply, Save
from linekey.phone.state import PhoneState
from linekey.phone.uses import words
from linekey.phone.uses.directory.events import (
    LookupEnded,
    LookupWanted,
    SearchDirectory,
)
from linekey.phone.uses.directory.look_up import LookupResult
from linekey.phone.uses.directory.settings import filter_for, read_directory
from linekey.phone.uses.use import (
    Button,
    Document,
    Request,
    Result,
    Use,
    Verb,
)
from linekey.trust.connection import Purpose
from linekey.words import counted


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


def lookup_wanted(state: PhoneState, event: LookupWanted, now: datetime) -> Result:
    """Begin, or say what lacks."""
    text = event.text.strip()
    try:
        settings = read_directory(
            state.setting, substrings=state.profile.ldap_substrings
        )
        if settings is not None and text:
            filter_for(settings, text)  # what cannot be a filter shows now
    except InputError as error:
        return tell(state, Purpose.LDAP, Reply(False, error.message, error.hint), now)
    if settings is None:
        why = "this phone has no directory: ldap_server is not set"
        hint = "provision ldap_server, ldap_over_tls, ldap_base"
        return state, [Reply(False, why, hint)]
    if not text or len(text) > 128:
        why = "type a name or a number, of at most 128 characters"
        return state, [Reply(False, why)]
    return state, [SearchDirectory(settings, text)]


def lookup_ended(state: PhoneState, event: LookupEnded, now: datetime) -> Result:
    """Show it."""
    result = event.result
    state = state.with_part(Directory(Found(event.text, result, now)))
    details = {"lookup": describe_lookup(result)}
    cure = result.cure if result.problem else ""
    text = result.problem or f"{counted(len(result.entries), 'hit')} in the directory"
    state = with_message(state, None if result.problem else Message(True, text))
    state = state.with_log(
        now,
        Purpose.LDAP,
        text,
        *result.notes,
        level="error" if result.problem else "info",
    )
    return state, [Save(), Reply(not result.problem, text, cure, details)]


DIRECTORY = Use(
    name="directory",
    takes={
        LookupWanted: lookup_wanted,
        LookupEnded: lookup_ended,
    },
    errands=(SearchDirectory,),
    requests=(Request("lookup", LookupWanted),),
    verbs=(Verb(words.LOOKUP, lambda text: LookupWanted(text), answer_lines),),
    buttons=(
        Button("lookup", lambda form, _: LookupWanted(form.get("text", "")[:256])),
    ),
    describe=describe_directory,
    offers=lambda state: {"has_directory": bool(state.setting("ldap_server"))},
    in_front={"directory": directory_lines},
)
