"""What becomes of phones when their certificates end, by what the operator said.

``check.forecast`` counts those as lost that a server refuses from then on. Which these
are, ``provisioning.expired`` decides for each phone as ``authorize`` will.

Rule: a phone that needs a second factor and has none to give in good time is lost. A
one-time token is none: it is used up by the first file.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from linekey.check.forecast import Known, Then, what_ends
from linekey.provisioning.expired import (
    AtEnd,
    Expired,
    ExpiredRules,
    policy_for,
    was_registered,
)
from linekey.provisioning.group import Group
from linekey.said import say

_NOTHING = AtEnd()


def split(
    known: Iterable[Known],
    rules: ExpiredRules,
    group: Group | None,
    phones: Mapping[str, AtEnd],
) -> Iterator[Known]:
    """Split phones of ``group``, or of none, by what becomes of them at their end.

    ``phones`` are by MAC; of one that is not in it nothing is known.
    """
    of_group = group.policies.get("expired_certificates") if group else None
    for one in known:
        word = rules.of([ca.public_key_sha256 for ca in one.path])
        if not word.opens:
            yield one
            continue
        parts: dict[Then, list[str]] = {}
        for mac in one.macs:
            phone = phones.get(mac, _NOTHING)
            policy = policy_for(word, of_group, phone.expired)
            parts.setdefault(_then(policy, phone, one.not_after), []).append(mac)
        for then, macs in parts.items():
            yield replace(one, macs=tuple(macs), then=then)


def notes_of(known: Iterable[Known], until: datetime) -> Iterator[str]:
    """Say of whom the forecast says nothing else: they are let in after their end."""
    let_in = [k for k in known if k.then in ("with factor", "accepted")]
    for one in sorted(let_in, key=lambda one: one.not_after):
        if one.not_after < until:
            yield _note_of(one)


def _note_of(group: Known) -> str:
    """That phones are let in after the end, as the operator says."""
    places: dict[str, object] = {
        "certificate": what_ends(group) or say("their own certificate"),
        "day": f"{group.not_after:%Y-%m-%d}",
        "who": group.who,
        "count": len(group.macs),
    }
    if group.then == "accepted":
        return say(
            "%(certificate)s expires on %(day)s; phones that are accepted after that, "
            "as you set: %(count)s (%(who)s)",
            **places,
        )
    return say(
        "%(certificate)s expires on %(day)s; phones that are accepted after that with "
        "a second factor, as you set: %(count)s (%(who)s)",
        **places,
    )


def _then(policy: Expired, phone: AtEnd, end: datetime) -> Then:
    if policy is Expired.ACCEPT:
        return "accepted"
    if policy is Expired.REGISTERED and was_registered(phone.registered_at, end):
        return "with factor" if phone.has_password else "without factor"
    return "refused"
