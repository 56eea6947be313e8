"""The phones to check for: from the catalogue, with what the operator adds.

Each is a phone (``phone.state``) that took what the operator gives (``--trust``,
``--settings``, a layer) by the phone's own functions (``phone.apply``): what its
settings mean, and which certificates its firmware takes, is decided there. What such a
phone would log as a warning or an error is told with the report.

Another maker's phone is one of which nothing is known, unless its hello was captured.
Which CAs it has built in is not known even then; it gets Mozilla's list of today, so
that all else can be looked at, and ``check.assess`` says that it is a guess.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from linekey.catalog.profile import Profile, as_captured
from linekey.catalog.root_lists import RootLists, lists_for
from linekey.catalog.roots import roots_at
from linekey.certs.certificate import Certificate
from linekey.check.classes import Phone
from linekey.check.hellos import Hello, derive
from linekey.mac import Mac
from linekey.phone.apply import take_certificate, take_document
from linekey.phone.document import PhoneDocument
from linekey.phone.state import PhoneState
from linekey.trust.store import TrustStore

_ANY: Final = Mac("0" * 12)
"""No verdict depends on a phone's MAC."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What an operator says of the phones beyond model and firmware.

    ``certificates`` are those they were provisioned with, in whichever form they read;
    ``documents`` what they fetched, in order; ``firmware_date`` settles the list of
    roots; ``capture`` replaces every derived hello; ``authorities``, where given,
    replace Mozilla's list (a phone's own export); ``maker_authorities`` are the CAs of
    the phones' maker as far as their bytes are at hand.
    """

    certificates: tuple[Certificate, ...] = ()
    documents: tuple[PhoneDocument, ...] = ()
    firmware_date: date | None = None
    capture: Hello | None = None
    authorities: tuple[Certificate, ...] | None = None
    maker_authorities: tuple[Certificate, ...] = ()


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


def each_of(kinds: Gathered, macs: Sequence[Sequence[str]]) -> Gathered:
    """Every phone of these kinds, in the order of their MACs.

    ``macs`` are those of each kind: its phones are set up alike.
    """
    every = sorted((mac, kind) for kind, its in enumerate(macs) for mac in its)
    phones = []
    for mac, kind in every:
        one = kinds.phones[kind]
        label = f"{one.profile.model.name} {mac}"
        phones.append(Phone(one.state, one.hello, label))
    return Gathered(tuple(phones), kinds.notes)


def gather_each(
    entries: Iterable[tuple[Profile, str, Setup]], name: str | None, *, now: datetime
) -> Gathered:
    """Set phones up, each its own way: profile, label for reports, set-up.

    Raises InputError for a firmware date before the history of roots begins.
    """
    phones: list[Phone] = []
    notes: dict[str, None] = {}
    lists: dict[tuple[str, date | None], RootLists] = {}
    fresh: dict[tuple[object, ...], PhoneState] = {}
    hellos: dict[Profile, Hello] = {}
    for profile, label, setup in entries:
        if profile.is_unknown and setup.capture is not None:
            profile = as_captured(profile, setup.capture.client_hello)
        own = setup.authorities
        maker = setup.maker_authorities
        key = (profile, setup.firmware_date, setup.certificates, own, maker)
        if key not in fresh and not profile.model.is_known:
            guessed = roots_at(now.date()) if own is None else own
            state = PhoneState(_ANY, profile, trust=TrustStore(guessed))
            if setup.certificates:  # provisioned, so that they count
                state = state.counting_all_cas()
            for certificate in setup.certificates:
                state = take_certificate(state, certificate, "a certificate", now)
            fresh[key] = state
        elif key not in fresh:
            of = str(profile.firmware), setup.firmware_date
            if of not in lists:
                lists[of] = lists_for(
                    profile.firmware, today=now.date(), told=setup.firmware_date
                )
            state = PhoneState(_ANY, profile, trust=TrustStore(own or ()))
            if own is None:
                state = state.with_roots(lists[of], maker)
            for certificate in setup.certificates:
                state = take_certificate(state, certificate, "a certificate", now)
            fresh[key] = state
        state = fresh[key]
        for document in setup.documents:
            state = take_document(state, document, "", now).state
        for entry in state.log:
            if entry.level != "info":
                notes.update(dict.fromkeys(entry.details or (entry.text,)))
        hello = setup.capture or hellos.get(profile)
        if hello is None:
            hello = hellos[profile] = derive(profile, name)
        phones.append(Phone(replace(state, log=()), hello, label))
    return Gathered(tuple(phones), tuple(notes))
