"""Which of Mozilla's roots were in its list at which date.

A phone's authorities are Mozilla's list as of its firmware (SNOM-TLS, Adding Unknown
Certificates), so judging an old firmware needs an old list, with roots that have long
left it. The data file is built by ``tools/root_history.py`` from the published releases
of certifi, which carry Mozilla's list under dated versions; between two releases the
older one's list counts.

Form of ``data/root_history.bin``: a zlib stream of one JSON object with ``format`` (1),
``source``, ``releases`` (pairs of version and ISO date, oldest first) and ``roots``
(``der`` in base64, ``spans``: pairs of first and last release, as indices).

Rule: no clock; a date is an argument. Confidence of a list at a release's date: M:
Mozilla's own list has no such dates, and certifi lags behind by days to months.
"""

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

from linekey.certs.certificate import Certificate
from linekey.errors import InputError

SOURCE = "Mozilla's list, by the published releases of certifi"


@dataclass(frozen=True, slots=True)
class Release:
    """One release of the list."""

    version: str
    date: date


@dataclass(frozen=True, slots=True)
class Span:
    """A time during which a root was in the list."""

    first: date
    """Date of the first release with it; the oldest release knows no before."""
    last: date
    """Date of the last release with it."""
    removed_by: date | None
    """Date of the first release without it; None: still there in the newest one."""


@dataclass(frozen=True, slots=True)
class RootHistory:
    """One root, and when it was in the list; most have one span, some came back."""

    certificate: Certificate
    spans: tuple[Span, ...]

    def is_in_list_at(self, when: date) -> bool:
        """Say whether the list of that date has it."""
        return any(
            span.first <= when and (span.removed_by is None or when < span.removed_by)
            for span in self.spans
        )


@dataclass(frozen=True, slots=True)
class _History:
    releases: tuple[Release, ...]
    roots: dict[str, RootHistory]


@lru_cache(maxsize=1)
def _history() -> _History:
    data = files("linekey.catalog").joinpath("data/root_history.bin").read_bytes()
    document: dict[str, Any] = json.loads(zlib.decompress(data))
    assert document["format"] == 1, "root_history.bin and its reader do not agree"
    releases = tuple(
        Release(version, date.fromisoformat(when))
        for version, when in document["releases"]
    )
    roots = {}
    for entry in document["roots"]:
        certificate = Certificate.from_der(base64.b64decode(entry["der"]))
        spans = tuple(
            Span(
                releases[first].date,
                releases[last].date,
                releases[last + 1].date if last + 1 < len(releases) else None,
            )
            for first, last in entry["spans"]
        )
        roots[certificate.sha256] = RootHistory(certificate, spans)
    return _History(releases, roots)


def releases() -> tuple[Release, ...]:
    """Return every release that the history is made of, oldest first."""
    return _history().releases


def release_at(when: date) -> Release:
    """Return the newest release that is not newer than ``when``.

    Raises InputError for a date before the first release: what Mozilla's list was
    then is not known here, and no later list is passed off for it.
    """
    found = [release for release in releases() if release.date <= when]
    if not found:
        raise InputError(
            f"no list of roots is known for {when}: the history begins with"
            f" {releases()[0].date}",
            hint="give a later date, or the phone's own list of authorities",
        )
    return found[-1]


@lru_cache(maxsize=64)
def _roots_of(release: Release) -> tuple[Certificate, ...]:
    return tuple(
        root.certificate
        for root in _history().roots.values()
        if root.is_in_list_at(release.date)
    )


def roots_at(when: date) -> tuple[Certificate, ...]:
    """Return the roots in Mozilla's list at ``when``; raises InputError if too early.

    A date after the newest release gets the newest list: see ``releases()[-1]``.
    """
    return _roots_of(release_at(when))


def history_of(fingerprint: str) -> RootHistory | None:
    """Return the history of the root with this SHA-256 fingerprint (hex), or None.

    Colons and case do not count.
    """
    return _history().roots.get(fingerprint.replace(":", "").strip().lower())


def find_roots(text: str) -> tuple[RootHistory, ...]:
    """Return the roots whose subject has ``text`` in a value of CN, O or OU.

    Case does not count: ``find_roots("isrg root")``.
    """
    wanted = text.casefold()
    return tuple(
        root
        for root in _history().roots.values()
        if any(
            wanted in value.casefold()
            for attribute in ("CN", "O", "OU")
            for value in root.certificate.subject.values(attribute)
        )
    )
