"""A forecast for a registry: what is read for it, and how it is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from linekey.catalog.root_lists import known_roots
from linekey.certs.certificate import Certificate
from linekey.certs.host_names import whole_names
from linekey.check.after_end import notes_of, split
from linekey.check.forecast import (
    Forecast,
    Kind,
    Known,
    Served,
    forecast,
    known_by_record,
)
from linekey.check.phones import Setup
from linekey.check.registered import (
    JUDGED,
    allowed_paths,
    by_certificate,
    judged_kinds,
    known_by_sight,
    recognising_paths,
)
from linekey.check.renewal import unserved
from linekey.errors import InputError
from linekey.provisioning.ca_rules import Rules, rules_of
from linekey.provisioning.expired import Expired, ExpiredRules
from linekey.said import say
from linekey.store.after_end import phones_at_end
from linekey.store.database import Database
from linekey.store.fleet_kinds import FleetKind, fleet_kinds
from linekey.store.groups import Groups
from linekey.store.selection import Selection
from linekey.store.sightings import certificates_seen
from linekey.store.vendor_cas import (
    VendorCa,
    VendorCas,
    expired_rules,
    makers_cas,
)
from linekey.trust.validity import CLOCK_FLOOR_YEAR

ACTIVE = Selection(state="active")
_FEW = 500
"""Phones whose sightings are read by their MACs, and not all."""


def ahead_of(
    database: Database,
    servers: Sequence[Served],
    *,
    at: datetime,
    until: datetime,
    renewal: Served | None = None,
    wanted: Selection = ACTIVE,
    expired: Expired = Expired.REFUSE,
) -> Forecast:
    """Say what ends for the registry's active phones.

    ``expired`` is what linekey.toml says of certificates that have ended. Raises
    StorageError; InputError where ``at`` shows that nobody set the clock.
    """
    if at.year < CLOCK_FLOOR_YEAR:
        raise InputError(
            f"this machine's clock shows {at:%Y-%m-%d}: it was not set",
            hint="set it (timedatectl set-ntp true); a forecast counts from today",
        )
    registered = fleet_kinds(database, JUDGED, wanted)
    trusted = VendorCas(database).all()
    judged = judged_kinds(registered, makers_cas(trusted), Setup(), now=at)
    notes = list(judged.notes)
    if not servers and renewal is None:
        notes.append(
            say(
                "no server's chain is looked at: linekey.toml names no certificate; "
                "give one with --chain or --also"
            )
        )
    rules = rules_of((ca.certificate, ca.said) for ca in trusted)
    after = expired_rules(trusted, expired)
    known, refused = _known(database, registered, trusted, rules, after)
    notes += (*refused, *notes_of(known, until))
    return forecast(
        judged.kinds,
        servers,
        known,
        now=at,
        until=until,
        phones=sum(len(one.macs) for one in registered),
        renewal=renewal,
        roots=known_roots(),
        notes=notes,
        unknown=judged.unknown,
    )


def kinds_of(
    database: Database, at: datetime, wanted: Selection = ACTIVE
) -> tuple[Kind, ...]:
    """Return the registry's active phones that can be judged, one of each kind."""
    registered = fleet_kinds(database, JUDGED, wanted)
    makers = makers_cas(VendorCas(database).all())
    return judged_kinds(registered, makers, Setup(), now=at).kinds


def _known(
    database: Database,
    registered: Sequence[FleetKind],
    trusted: Sequence[VendorCa],
    rules: Rules,
    after: ExpiredRules,
) -> tuple[list[Known], list[str]]:
    """By which certificates phones are recognised, each group by the CAs it allows, and
    what becomes of them ``after`` their end; and what is to be said of those that none
    of them vouches for."""
    cas = [ca.certificate for ca in trusted]
    paths = recognising_paths(cas, rules)
    few = [mac for one in registered for mac in one.macs]
    seen = certificates_seen(database, few if len(few) <= _FEW else None)
    groups = {group.name: group for group in Groups(database).all()}
    known: list[Known] = []
    notes = []
    for name in {one.group for one in registered}:
        group = groups.get(name or "")
        own = [one for one in registered if one.group == name]
        macs = [mac for one in own for mac in one.macs]
        by_sight = known_by_sight(macs, seen, cas, group)
        shown = {mac for one in by_sight for mac in one.macs}
        by_record = {
            who: left
            for who, all_of in by_certificate(own).items()
            if (left := tuple(mac for mac in all_of if mac not in shown))
        }
        theirs = [*by_sight, *known_by_record(by_record, allowed_paths(paths, group))]
        if after.open:
            theirs = list(split(theirs, after, group, phones_at_end(database, macs)))
        known += theirs
        if group is not None and group.authorities is not None:
            reached = {mac for one in theirs for mac in one.macs}
            if beyond := len(macs) - len(reached):
                notes.append(
                    say(
                        "%(count)s phone of the group '%(group)s' is recognised by "
                        "none of the CAs that it allows; linekey group set %(group)s "
                        "--ca adds one"
                        if beyond == 1
                        else "%(count)s phones of the group '%(group)s' are "
                        "recognised by none of the CAs that it allows; linekey group "
                        "set %(group)s --ca adds one",
                        count=beyond,
                        group=name,
                    )
                )
    return known, sorted(notes)


ServedHere = Callable[[], Sequence[Served]]
"""Gives this server as the forecast has it, by its chains of now."""


@dataclass(frozen=True, slots=True)
class ShutOut:
    """Registered phones for which a server's keys have no cipher suite."""

    phones: int
    models: tuple[str, ...]
    """Each with its firmware."""
    why: str


def shut_out(
    database: Database, chains: Sequence[Sequence[Certificate]], at: datetime
) -> ShutOut | None:
    """Say which active phones a server with these chains could not begin with.

    Raises StorageError.
    """
    events = unserved(kinds_of(database, at), (), chains, label="", at=at)
    if not events:
        return None
    macs = {mac for event in events for mac in event.macs}
    models = dict.fromkeys(f"{m[0]} {m[1]}" for event in events for m in event.models)
    return ShutOut(len(macs), tuple(models), events[0].cause)


def served_here(
    names: Sequence[str], chains: Callable[[], Sequence[Sequence[Certificate]]]
) -> list[Served]:
    """This server by its chains of now."""
    here = Served.of("", "", list(map(tuple, chains())))
    host = name_of(names, here.chain)
    return [replace(here, label=host, name=host)]


def name_of(names: Sequence[str], chain: Sequence[Certificate]) -> str:
    """What phones call a server: as it was set, else its certificate's first name.

    Of a certificate that has patterns alone, a name that the first of them is for.
    """
    if names:
        return names[0]
    leaf = chain[0]
    said = [
        *whole_names(leaf), *map(str, leaf.ip_addresses),
        *leaf.dns_names, *leaf.common_names,
    ]  # fmt: skip
    return said[0].replace("*", "any") if said else "the server"
