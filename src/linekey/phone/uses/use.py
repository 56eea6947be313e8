"""What a use of TLS by the phone is: one value, which everything else walks.

``uses.all.USES`` holds one ``Use`` for each folder here. ``phone.machine`` hands it the
events it takes, ``phone.edge.carry`` finds its edge for its errands, ``phone.requests``
reads what may be asked of it, ``phone.report``, the phone's pages and ``linekey phone``
show what it shows and offer what it offers.

A folder holds ``events`` (events in the past tense, commands in the imperative),
``handle`` (a pure function for each event, what is shown of it, and this value) and,
where commands take their time, ``edge`` with ``CARRIES``. ``firmware`` is the smallest
whole one. Outside the folder a use has its line in ``all``, a row for each setting of
its own in ``catalog/data/known_settings.tsv`` (the server refuses unknown names), its
verbs in ``words``, its rules with sources in ``tools/fidelity_rules.py``, and a section
in ``docs/howto/phone-uses.md``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from linekey.phone.events import Command, Errand, Event
from linekey.phone.state import PhoneState
from linekey.phone.uses.words import Words

Result = tuple[PhoneState, list[Command]]
"""The state afterwards, and what to do, in order."""
Handler = Callable[[PhoneState, Any, datetime], Result]
"""``handle(state, event, now)``; it never waits, and no event makes it raise."""
Document = Mapping[str, Any]
"""What ``phone.report.describe_phone`` gives."""
Row = tuple[str, str]
"""A label and a text."""


@dataclass(frozen=True, slots=True)
class Request:
    """What may be asked of a running phone from another process, as JSON.

    ``{"do": do, …}`` with the event's fields, but for those of ``apart``. ``meant``
    gives the event that is asked for, and raises InputError for one that nobody may.
    """

    do: str
    event: type[Event]
    meant: Callable[[Any], Event] | None = None
    apart: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of ``linekey phone``: the event that it makes of its words."""

    words: Words
    event: Callable[..., Event]
    """Takes the parameters by name. Raises InputError."""
    found: Callable[[Document], tuple[list[str], list[str]]] | None = None
    """Lines and notes for the terminal, of the details of the phone's answer."""


@dataclass(frozen=True, slots=True)
class Button:
    """A form of the phone's pages: the event that it makes of its fields."""

    path: str
    event: Callable[[Mapping[str, str], PhoneState], Event]
    """Raises InputError."""
    admin: bool = False
    on_page: bool = False
    """Whether it belongs to the minibrowser's page, and to no other."""
    told: bool = False
    """Whether the next page says what came of it; else the display does."""
    label: str = ""
    """Of a button of its own on the Maintenance page, without fields."""
    meaning: str = ""
    """A sentence above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One use of TLS by the phone."""

    name: str
    """Its folder."""
    takes: Mapping[type[Event], Handler]
    errands: tuple[type[Errand], ...] = ()
    """What its ``edge.CARRIES`` carries out."""
    requests: tuple[Request, ...] = ()
    verbs: tuple[Verb, ...] = ()
    buttons: tuple[Button, ...] = ()
    describe: Callable[[PhoneState], Document] = field(default=lambda state: {})
    """What it shows, for JSON; it may be part of any phone's report."""
    offers: Callable[[PhoneState], Document] = field(default=lambda state: {})
    """What the Screen page must know besides, to offer it."""
    rows: Callable[[Document], list[Row]] = field(default=lambda document: [])
    """Of a phone's report: what ``linekey phone show`` says."""
    title: str = ""
    """Of a card of its own on the Status page, which shows ``rows``."""
    in_front: Mapping[str, Callable[[Document], list[str]]] = field(
        default_factory=dict
    )
    """What the display may show of it (``in_front`` in JSON), in lines."""


def number_in(form: Mapping[str, str], field: str) -> int:
    """The small number that a form's field holds; -1, which nothing has, for none."""
    text = form.get(field, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
