"""Which of Mozilla's lists of roots a firmware brings, as far as its date is known.

A phone's authorities are Mozilla's list as of its firmware (SNOM-TLS, Adding Unknown
Certificates). For most firmware only bounds are known (``firmware_dates``): then there
is an oldest and a newest list that it may have, whoever judges asks both, and where the
answers differ the phone's own answer depends on the firmware's date.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from linekey.catalog.firmware import Firmware
from linekey.catalog.firmware_dates import date_of
from linekey.catalog.models import Model
from linekey.catalog.roots import find_roots, history_of, release_at, releases, roots_at
from linekey.certs.certificate import Certificate
from linekey.said import say, together


@dataclass(frozen=True, slots=True)
class RootLists:
    """The newest list that the firmware may have, and the oldest.

    ``certain`` is true where both are one; ``oldest`` and ``oldest_date`` are None
    then. ``sentence`` says it for people, with its source.
    """

    newest: tuple[Certificate, ...]
    newest_date: date
    oldest: tuple[Certificate, ...] | None
    oldest_date: date | None
    certain: bool
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "certain": self.certain,
            "list_of": self.newest_date.isoformat(),
            "or_list_of": None
            if self.oldest_date is None
            else self.oldest_date.isoformat(),
            "sentence": self.sentence,
        }


def lists_for(
    firmware: Firmware, *, today: date | None = None, told: date | None = None
) -> RootLists:
    """The lists for one firmware; ``told`` is the operator's word on its date.

    ``today`` bounds what is not bounded otherwise; None: the newest list there is.
    Raises InputError for a ``told`` date before the history begins.
    """
    if told is not None:
        return _one(told, f"the firmware is of {told} (as you said)")
    first = releases()[0].date
    known = date_of(firmware)
    if known is not None and known.exact is not None:
        day = known.exact.day
        source = known.exact.source
        return _one(max(day, first), f"the firmware is of {day} ({source})")
    latest = today or releases()[-1].date
    begin = known.not_before if known else None
    end = known.not_after if known else None
    if begin and end:
        words = f"the firmware was made between {begin.day} and {end.day}"
    elif end:
        words = f"the firmware was made on {end.day} at the latest"
    elif begin:
        words = f"the firmware was made on {begin.day} at the earliest"
    else:
        words = "the firmware's date is not known"
    if known is not None:
        words += f" ({known.source}; {known.confidence})"
    if end is not None:
        latest = min(latest, end.day)
    newest = release_at(max(latest, first))
    oldest = release_at(max(begin.day if begin else first, first))
    if oldest.date >= newest.date:
        return _one(newest.date, words)
    return RootLists(
        roots_at(newest.date),
        newest.date,
        roots_at(oldest.date),
        oldest.date,
        False,
        f"{words}: its list of Mozilla's roots is one of those from {oldest.date} to"
        f" {newest.date}",
    )


def lists_of(
    model: Model,
    firmware: Firmware,
    *,
    today: date | None = None,
    told: date | None = None,
) -> RootLists:
    """The lists for a model with a firmware.

    No source names the CAs of another maker's phone: the newest list stands in.
    """
    if model.is_known:
        return lists_for(firmware, today=today, told=told)
    day = today or releases()[-1].date
    lists = _one(
        day, f"no source names the CAs that the {model.title} has built in; stands in"
    )
    return replace(lists, certain=False)


def _one(day: date, words: str) -> RootLists:
    release = release_at(day)
    return RootLists(
        roots_at(day),
        release.date,
        None,
        None,
        True,
        f"{words}: Mozilla's list of {release.date}",
    )


def known_roots() -> tuple[Certificate, ...]:
    """Every root that ever was in the list: to say what is missing, never to trust."""
    return tuple(root.certificate for root in find_roots(""))


def in_list_words(root: Certificate) -> str:
    """When a root was in Mozilla's list, in words; empty for one that never was."""
    history = history_of(root.sha256)
    if history is None:
        return ""
    first = releases()[0].date
    spans = []
    for span in history.spans:
        day = str(span.first)
        begin = say("before %(day)s", day=day) if span.first == first else day
        end = say("today") if span.removed_by is None else str(span.removed_by)
        spans.append(say("from %(begin)s to %(end)s", begin=begin, end=end))
    return together(spans) if spans else ""
