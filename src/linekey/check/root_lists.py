"""Which list of roots a firmware has, as far as its date is known.

A phone's authorities are Mozilla's list as of its firmware (seed, Adding Unknown
Certificates). Firmware dates are mostly unknown, and nothing is interpolated: where
the date is not known, the newest list is judged with and the oldest one that the
firmware may have beside it, and the report says where the two differ.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from linekey.catalog.firmware import Firmware
from linekey.catalog.firmware_dates import date_of
from linekey.catalog.roots import find_roots, history_of, release_at, releases, roots_at
from linekey.certs.certificate import Certificate


@dataclass(frozen=True, slots=True)
class RootLists:
    """The list to judge with, and the other one the firmware may have.

    ``certain`` is true where one list is known to be the right one; ``oldest`` is
    None then. ``sentence`` says it for people.
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
    firmware: Firmware, *, today: date, told: date | None = None
) -> RootLists:
    """The lists for one firmware; ``told`` is the operator's word on its date.

    Raises InputError for a ``told`` date before the history begins.
    """
    known = date_of(firmware)
    settled = told or (known.exact if known else None)
    if settled is not None:
        release = release_at(settled)
        who = "as you said" if told else "by its catalogue entry"
        return RootLists(
            roots_at(settled),
            release.date,
            None,
            None,
            True,
            f"the firmware is of {settled} ({who}): Mozilla's list of {release.date}",
        )
    newest = release_at(max(today, releases()[0].date))
    floor = known.not_before if known else None
    oldest = release_at(max(floor or releases()[0].date, releases()[0].date))
    return RootLists(
        roots_at(newest.date),
        newest.date,
        roots_at(oldest.date),
        oldest.date,
        False,
        "the firmware's date is not known: its list of Mozilla's roots is one of "
        f"those from {oldest.date} to {newest.date}",
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
        begin = "before " + str(span.first) if span.first == first else str(span.first)
        end = "today" if span.removed_by is None else str(span.removed_by)
        spans.append(f"from {begin} to {end}")
    return " and ".join(spans)
