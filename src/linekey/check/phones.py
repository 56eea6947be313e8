"""The phones to check for: from the catalogue, with what the operator adds.

Settings and certificates that an operator gives (``--trust``, ``--settings``) are
applied as the phone would apply them: a certificate that its firmware would refuse is
not on its shelf, and that is noted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from linekey.catalog.profile import Profile
from linekey.catalog.root_lists import RootLists, lists_for
from linekey.certs.certificate import Certificate
from linekey.check.classes import Phone
from linekey.check.hellos import Hello, derive
from linekey.trust.judge import TlsSettings
from linekey.trust.store import TrustStore


@dataclass(frozen=True, slots=True)
class Setup:
    """What an operator says of the phones beyond model and firmware.

    ``certificates`` are those they were provisioned with; ``settings`` phone settings
    by name, of which three matter here; ``firmware_date`` settles the list of roots;
    ``capture`` replaces every derived hello; ``authorities``, where given, replace
    Mozilla's list (a phone's own export).
    """

    certificates: tuple[Certificate, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    firmware_date: date | None = None
    capture: Hello | None = None
    authorities: tuple[Certificate, ...] | None = None


_ON = frozenset({"on", "true", "1", "yes"})
_OFF = frozenset({"off", "false", "0", "no"})


def settings_for(
    profile: Profile, given: Mapping[str, str]
) -> tuple[TlsSettings, list[str]]:
    """The three settings of a phone, from its defaults and what is provisioned.

    A setting that the firmware does not have yet changes nothing and is noted; so is a
    value that means nothing. 10.x cannot switch authentication off.
    """
    default = TlsSettings.defaults(profile)
    notes = []

    def switch(name: str, fallback: bool, available: bool) -> bool:
        text = given.get(name, "").strip().lower()
        if not text:
            return fallback
        if not available:
            notes.append(f"{profile.name} does not know {name} yet")
            return fallback
        if text not in _ON | _OFF:
            notes.append(f"{name}: {text!r} is neither on nor off")
            return fallback
        return text in _ON

    authenticates = switch(
        "tls_server_authentication",
        default.server_authentication,
        profile.server_auth_available,
    )
    check_fqdn = switch(
        "check_fqdn_against_server_cert",
        default.check_fqdn,
        profile.check_fqdn_available,
    )
    flags = default.host_flags
    text = given.get("host_name_validation_flags", "").strip()
    if text and not profile.host_flags_available:
        notes.append(f"{profile.name} does not know host_name_validation_flags yet")
    elif text.isascii() and text.isdigit() and len(text) < 6:
        flags = int(text)
    elif text:
        notes.append(f"host_name_validation_flags: {text!r} is no number")
    return (
        TlsSettings(authenticates or profile.server_auth_forced, check_fqdn, flags),
        notes,
    )


@dataclass(frozen=True, slots=True)
class Gathered:
    """The phones, and what there is to say about how they were set up."""

    phones: tuple[Phone, ...]
    notes: tuple[str, ...]


def gather(
    profiles: Iterable[Profile], name: str | None, setup: Setup, *, now: datetime
) -> Gathered:
    """Set phones up alike for a check of the server ``name``."""
    return gather_each(((p, "", setup) for p in profiles), name, now=now)


def gather_each(
    entries: Iterable[tuple[Profile, str, Setup]], name: str | None, *, now: datetime
) -> Gathered:
    """Set phones up, each its own way: profile, label for reports, set-up.

    Raises InputError for a firmware date before the history of roots begins.
    """
    phones: list[Phone] = []
    notes: dict[str, None] = {}
    lists: dict[tuple[str, date | None], RootLists] = {}
    stores: dict[tuple[object, ...], TrustStore] = {}
    for profile, label, setup in entries:
        key = str(profile.firmware), setup.firmware_date
        if key not in lists:
            lists[key] = lists_for(
                profile.firmware, today=now.date(), told=setup.firmware_date
            )
        choice = lists[key]
        settings, said = settings_for(profile, setup.settings)
        notes.update(dict.fromkeys(said))
        own = setup.authorities
        newest = _store(
            choice.newest if own is None else own, profile, setup, stores, notes, now
        )
        other = None
        if own is None and choice.oldest is not None:
            other = _store(choice.oldest, profile, setup, stores, notes, now)
        phones.append(
            Phone(
                profile,
                setup.capture or derive(profile, name),
                settings,
                newest,
                label=label,
                roots=None if own is not None else choice,
                other_store=other,
            )
        )
    return Gathered(tuple(phones), tuple(notes))


def _store(
    roots: Sequence[Certificate],
    profile: Profile,
    setup: Setup,
    stores: dict[tuple[object, ...], TrustStore],
    notes: dict[str, None],
    now: datetime,
) -> TrustStore:
    key = (id(roots), profile.signed_by_rule, setup.certificates)
    if key not in stores:
        store = TrustStore(authorities=tuple(roots))
        for certificate in setup.certificates:
            intake = store.provision(
                certificate, at=now, signed_by_rule=profile.signed_by_rule
            )
            store = intake.store
            if not intake.accepted:
                notes[
                    f"{intake.reason}: not taken by firmware before "
                    "8.7.5.52/8.9.3.41, and so by "
                    f"{profile.firmware}"
                ] = None
        stores[key] = store
    return stores[key]
