"""The days on which something breaks, and for which phones.

Each certificate of each proved path ends some day. The day is judged again, one second
after the end: the phones for which the path then still runs through that certificate
are those it breaks for (another path may have taken over). Phones that do not
authenticate servers notice nothing, and are not counted. Vendor authorities end, too:
then servers that ask for a certificate refuse the phones.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from linekey.catalog.authorities import ALL_CAS
from linekey.certs.certificate import Certificate
from linekey.check.classes import PhoneClass
from linekey.check.report import CalendarEntry
from linekey.trust.findings import Verdict

JudgeAt = Callable[[PhoneClass, datetime], Verdict]


def calendar_of(
    classes: Sequence[PhoneClass], at: datetime, judge_at: JudgeAt
) -> tuple[CalendarEntry, ...]:
    """Every day after ``at``, in order; ``judge_at`` judges one class at one time."""
    paths: dict[Certificate, dict[str, tuple[int, int]]] = {}
    for phones in classes:
        if not phones.first.state.authenticates_servers:
            continue
        path = judge_at(phones, at).path
        for depth, certificate in enumerate(path):
            if certificate.not_after >= at:
                places = paths.setdefault(certificate, {})
                places[phones.id] = depth, len(path)
    by_id = {phones.id: phones for phones in classes}
    entries = []
    for certificate, places in paths.items():
        after = certificate.not_after + timedelta(seconds=1)
        breaks = tuple(
            class_id
            for class_id in places
            if certificate in judge_at(by_id[class_id], after).path
        )
        depth, length = next(iter(places.values()))
        entries.append(_entry(certificate, depth, length, breaks, len(places)))
    entries += _vendor_authorities(classes, at)
    return tuple(sorted(entries, key=lambda e: (e.day, e.subject)))


def _entry(
    certificate: Certificate,
    depth: int,
    length: int,
    breaks: tuple[str, ...],
    concerned: int,
) -> CalendarEntry:
    if depth == 0:
        kind, noun = "leaf", "the server's certificate"
    elif depth == length - 1:
        kind, noun = "anchor", "the CA that the phones trust"
    else:
        kind, noun = "intermediate", "an intermediate certificate"
    subject = certificate.label
    if len(breaks) == concerned:
        effect = "every phone on this path then refuses"
    elif breaks:
        effect = f"{len(breaks)} of {concerned} classes on this path then refuse"
    else:
        effect = "every phone has another path then"
    return CalendarEntry(
        certificate.not_after,
        kind,
        subject,
        breaks,
        f"{noun} expires: {subject}; {effect}",
    )


def _vendor_authorities(
    classes: Sequence[PhoneClass], at: datetime
) -> list[CalendarEntry]:
    entries = []
    for ca in ALL_CAS:
        if ca.not_after is None or ca.not_after < at:
            continue
        concerned = tuple(
            phones.id
            for phones in classes
            if phones.first.profile.builtin_generation is ca.generation
        )
        if concerned:
            entries.append(
                CalendarEntry(
                    ca.not_after,
                    "vendor_ca",
                    ca.name,
                    concerned,
                    f"the phones' own authority expires: {ca.name} "
                    f"({ca.generation.label}, {ca.role}); servers that ask for a "
                    "certificate then refuse these phones",
                )
            )
    return entries
