"""A verdict where the phone's list of roots depends on a date that nobody knows.

``judge_both`` asks the one judge twice: with the newest list that the firmware may have
and with the oldest. The verdict is the newest list's. Where the oldest says otherwise,
one finding says so; where that decides, it stands first, since all the rest hangs on
it. The virtual phone and the check both ask here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from linekey.catalog.profile import Profile
from linekey.catalog.root_lists import RootLists, in_list_words
from linekey.catalog.roots import history_of
from linekey.certs.certificate import Certificate
from linekey.said import say
from linekey.trust.findings import Finding, Verdict, failed
from linekey.trust.judge import TlsSettings, judge
from linekey.trust.store import TrustStore

DEPENDS: Final = "phone.firmware-date"
"""The rule whose finding says that the verdict depends on the firmware's date."""
ROOT_DATE: Final = "chain.root-date"
"""The rule whose finding says that a root is not in every list, where that does not
decide: authentication is off, or something else refuses."""

_TRUST_RULES: Final = ("chain.self-signed", "chain.untrusted", "chain.incomplete")


def judge_both(
    chain: Sequence[Certificate],
    name: str | None,
    store: TrustStore,
    older: TrustStore | None,
    lists: RootLists | None,
    profile: Profile,
    settings: TlsSettings,
    now: datetime,
    *,
    known: Sequence[Certificate] = (),
) -> Verdict:
    """Judge with ``store``, and with ``older`` where the firmware may have that list.

    ``lists`` says which lists they are; None, as ``older``, where the list is known.
    The other arguments are ``judge``'s. Raises ValueError for a naive ``now``.
    """
    verdict = judge(chain, name, store, profile, settings, now, known=known)
    if older is None or lists is None or not chain:
        return verdict
    other = judge(chain, name, older, profile, settings, now, known=known)
    if _decided(verdict) == _decided(other):
        return verdict
    return Verdict.of(
        [_difference(verdict, other, lists), *verdict.findings], verdict.path
    )


def difference_of(verdict: Verdict) -> Finding | None:
    """The finding on what the lists say differently, if they do."""
    return next(
        (f for f in verdict.findings if f.rule in (DEPENDS, ROOT_DATE) and not f.ok),
        None,
    )


def _decided(verdict: Verdict) -> tuple[bool, bool]:
    """What the list of roots decides: the verdict, and whether a path was found."""
    return verdict.accepted, _found_a_path(verdict)


def _found_a_path(verdict: Verdict) -> bool:
    return not any(f.rule in _TRUST_RULES and not f.ok for f in verdict.findings)


def _difference(newest: Verdict, oldest: Verdict, lists: RootLists) -> Finding:
    with_root, without = (
        (lists.newest_date, lists.oldest_date)
        if _found_a_path(newest)
        else (lists.oldest_date, lists.newest_date)
    )
    rule = ROOT_DATE
    if newest.accepted != oldest.accepted:
        rule = DEPENDS
        what = say(
            "depends on the firmware's date: with Mozilla's list of %(newest)s the "
            "phone accepts this server, with that of %(oldest)s it refuses it"
            if newest.accepted
            else "depends on the firmware's date: with Mozilla's list of %(newest)s "
            "the phone refuses this server, with that of %(oldest)s it accepts it",
            newest=lists.newest_date,
            oldest=lists.oldest_date,
        )
    elif newest.accepted:
        what = say(
            "with Mozilla's list of %(without)s the phone would refuse this server if "
            "it authenticated servers, with that of %(with_root)s it would not",
            with_root=with_root,
            without=without,
        )
    else:
        what = say(
            "with Mozilla's list of %(with_root)s the path ends at a root of the "
            "phone's, with that of %(without)s at none; it is refused either way",
            with_root=with_root,
            without=without,
        )
    root = _deciding_root(newest, oldest)
    if root:
        what = say(
            "%(what)s; %(root)s was in the list %(when)s",
            what=what,
            root=root.label,
            when=in_list_words(root),
        )
    return failed(
        rule,
        what,
        severity="warning",
        evidence=f"{lists.sentence}. With the list of {lists.newest_date}:"
        f" {_words(newest)}; with the list of {lists.oldest_date}: {_words(oldest)}",
        cure=say(
            "give the firmware's date with --firmware-date, or provision the root to "
            "the phones in <certificates>"
        ),
    )


def _words(verdict: Verdict) -> str:
    return "accepted" if verdict.accepted else f"refused ({verdict.reason})"


def _deciding_root(newest: Verdict, oldest: Verdict) -> Certificate | None:
    """The root at the end of the path that one list finds and the other does not."""
    for verdict in (newest, oldest):
        top = verdict.path[-1] if verdict.path else None
        if top is not None and _found_a_path(verdict) and history_of(top.sha256):
            return top
    return None
