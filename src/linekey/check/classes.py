"""Phones that a server cannot tell apart, and that judge it alike, are one class.

Two groupings, one inside the other: phones whose hello is the same bytes need one
connection between them; phones that also judge by the same rules and settings get one
verdict between them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from linekey.catalog.profile import Profile
from linekey.check.hellos import Hello
from linekey.phone.state import PhoneState
from linekey.trust.store import TrustStore


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone to be checked for, as it is set up, and the hello it sends.

    ``label`` is what reports call its model, a MAC behind it where it is a device of
    the fleet.
    """

    state: PhoneState
    hello: Hello
    label: str = ""

    @property
    def profile(self) -> Profile:
        """What its model can do with its firmware."""
        return self.state.profile

    @property
    def is_unknown(self) -> bool:
        """Whether nothing tells what it supports: then its hello is sent to nobody."""
        return self.profile.is_unknown

    @property
    def pair(self) -> tuple[str, str]:
        """Model and firmware, for reports."""
        return self.label or self.profile.model.name, str(self.profile.firmware)


@dataclass(frozen=True, slots=True)
class PhoneClass:
    """Phones that are alike for one server: any of them speaks for all."""

    id: str
    phones: tuple[Phone, ...]

    @property
    def first(self) -> Phone:
        """The one that is asked and judged."""
        return self.phones[0]

    @property
    def is_unknown(self) -> bool:
        """Whether nothing tells what its phones support."""
        return self.first.is_unknown

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Model and firmware of each."""
        return tuple(phone.pair for phone in self.phones)


def classes_of(phones: Iterable[Phone]) -> tuple[PhoneClass, ...]:
    """Group phones; classes keep the order in which their first phone came.

    What counts is everything the outcome can depend on: the hello, the tables of keys
    and hashes, the defaults and settings, the store, and the phone's own certificate.
    """
    groups: dict[tuple[object, ...], list[Phone]] = {}
    by_identity: dict[int, int] = {}
    numbers: dict[TrustStore, int] = {}
    known: dict[tuple[int, int], list[Phone]] = {}
    for phone in phones:
        # Phones of a fleet share what they are set up with: found out once for many.
        shared = id(phone.state), id(phone.hello)
        if (alike := known.get(shared)) is not None:
            alike.append(phone)
            continue
        profile, roots = phone.profile, phone.state.roots
        key = (
            phone.hello.wire_key,
            phone.hello.versions,
            profile.authentications,
            profile.hashes,
            profile.min_key_bits,
            profile.max_key_bits,
            profile.server_auth_forced,
            profile.builtin_generation,
            profile.shared_certificate,
            profile.signed_by_rule,
            profile.base64_certificates,
            profile.warnings,
            profile.abilities,
            profile.model.maker,
            profile.check_fqdn_default,
            phone.state.tls_settings,
            _number(phone.state.trust, by_identity, numbers),
            roots and roots.oldest_date,
        )
        known[shared] = groups.setdefault(key, [])
        known[shared].append(phone)
    return tuple(
        PhoneClass(f"class-{place}", tuple(group))
        for place, group in enumerate(groups.values(), 1)
    )


def _number(
    store: TrustStore, by_identity: dict[int, int], numbers: dict[TrustStore, int]
) -> int:
    """A small number for a store: most are shared, and hashing one costs 140 DERs."""
    if id(store) not in by_identity:
        by_identity[id(store)] = numbers.setdefault(store, len(numbers))
    return by_identity[id(store)]


def hellos_of(classes: Sequence[PhoneClass]) -> tuple[Hello, ...]:
    """The distinct hellos, in order: each is sent once, and no stand-in's at all."""
    known = (c.first.hello for c in classes if not c.is_unknown)
    return tuple({hello.wire_key: hello for hello in known}.values())
