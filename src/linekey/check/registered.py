"""A registry's phones as phones to judge for: one of each kind, with the MACs of all.

What is asked of a registry (``JUDGED``) is what any verdict can depend on; what comes
back is set up by the phone's own functions (``check.phones``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from linekey.catalog.models import find_model
from linekey.catalog.profile import newest_firmware, profile
from linekey.certs.certificate import Certificate
from linekey.check.forecast import Kind, Known, end_of
from linekey.check.phones import Setup, gather_each
from linekey.errors import InputError
from linekey.phone.document import PhoneDocument, SettingLine
from linekey.provisioning.ca_rules import Authority, Rules, authority_of, prospect
from linekey.provisioning.document import Layer, Setting, merge
from linekey.provisioning.group import Group
from linekey.provisioning.identity import generation_of
from linekey.said import say

JUDGED: Final = (
    "check_fqdn_against_server_cert",
    "host_name_validation_flags",
    "tls_server_authentication",
    "empty_tls_client_cert",
    "phone_cert_type",
)
"""Settings that decide what a phone accepts and shows; besides them its certificates
count."""


class Registered(Protocol):
    """Phones of a registry that are alike (``store.fleet_kinds.FleetKind``)."""

    @property
    def vendor(self) -> str:
        """Whose they are."""

    @property
    def group(self) -> str | None:
        """The group that they are in."""

    @property
    def model(self) -> str | None:
        """Their model, if it is known."""

    @property
    def firmware(self) -> str | None:
        """Their firmware, if it is known."""

    @property
    def generations(self) -> str | None:
        """What the record pins, ``sha1,sha256``; None: nothing."""

    @property
    def layer(self) -> Layer:
        """All that makes their file, merged."""

    @property
    def macs(self) -> tuple[str, ...]:
        """All of them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The kinds that can be judged, and what is to be said about the others."""

    kinds: tuple[Kind, ...]
    notes: tuple[str, ...]
    unknown: int = 0
    """Phones of models of which no source tells what they support in TLS."""


def set_up(setup: Setup, layer: Layer, makers: Iterable[Certificate]) -> Setup:
    """Return what a phone is set up with: its merged layer on top of ``setup``.

    ``makers`` are the CAs of its maker as far as they are known.
    """
    own = (entry.certificate for entry in layer.certificates)
    lines = (SettingLine(s.name, s.value, s.idx, s.perm or "") for s in layer.settings)
    return replace(
        setup,
        maker_authorities=(*setup.maker_authorities, *makers),
        certificates=tuple(dict.fromkeys((*setup.certificates, *own))),
        documents=(*setup.documents, PhoneDocument(tuple(lines))),
    )


def as_linekey_writes(layer: Layer, server: Layer) -> Layer:
    """A layer as another maker's phone has it: its CAs, and trust always on.

    ``server`` is what the server itself adds, the roots of its own chains. Settings of
    Snom's in a layer that several makers share are not written for it.
    """
    on = ("tls_server_authentication", "check_fqdn_against_server_cert")
    return Layer(
        settings=tuple(Setting(name, "on") for name in on),
        certificates=merge(server, layer).certificates,
    )


def judged_kinds(
    registered: Iterable[Registered],
    makers: Mapping[str, Sequence[Certificate]],
    setup: Setup,
    *,
    now: datetime,
) -> Judged:
    """Set one phone of each kind up; ``makers`` are their makers' CAs, by vendor.

    A phone of unknown model, or of one of which no source tells what it supports,
    cannot be judged and is counted as unknown; one of unknown firmware is taken to have
    the newest of its model.
    """
    entries, macs = [], []
    unknown: dict[str, int] = {}
    untold: dict[str, int] = {}
    guessed = 0
    for one in registered:
        try:
            model = find_model(one.model) if one.model is not None else None
        except InputError:
            model = None
        if model is None:
            what = one.model or say("no model in the record")
            unknown[what] = unknown.get(what, 0) + len(one.macs)
            continue
        if not model.is_known:
            untold[model.name] = untold.get(model.name, 0) + len(one.macs)
            continue
        if one.firmware is None:
            guessed += len(one.macs)
        phone = profile(model, one.firmware or newest_firmware(model))
        whose = makers.get(one.vendor, ())
        entries.append((phone, "", set_up(setup, one.layer, whose)))
        macs.append(one.macs)
    gathered = gather_each(entries, None, now=now)
    notes = list(gathered.notes)
    for what, count in sorted(unknown.items()):
        notes.append(
            say(
                "%(count)s phone is not judged: linekey does not know what the model "
                "accepts (%(model)s); set it with linekey device set"
                if count == 1
                else "%(count)s phones are not judged: linekey does not know what the "
                "model accepts (%(model)s); set it with linekey device set",
                count=count,
                model=what,
            )
        )
    for what, count in sorted(untold.items()):
        notes.append(
            say(
                "%(count)s phone is counted as unknown: no source tells what the "
                "%(model)s supports in TLS; a captured ClientHello tells it (linekey "
                "check --model %(model)s --hello FILE)"
                if count == 1
                else "%(count)s phones are counted as unknown: no source tells what "
                "the %(model)s supports in TLS; a captured ClientHello tells it "
                "(linekey check --model %(model)s --hello FILE)",
                count=count,
                model=what,
            )
        )
    if guessed:
        notes.append(
            say(
                "%(count)s phone is judged with the newest firmware of the model: "
                "there is none in the record"
                if guessed == 1
                else "%(count)s phones are judged with the newest firmware of the "
                "model: there is none in the record",
                count=guessed,
            )
        )
    kinds = tuple(
        Kind(phone, of) for phone, of in zip(gathered.phones, macs, strict=True)
    )
    return Judged(kinds, tuple(notes), sum(unknown.values()) + sum(untold.values()))


Who = tuple[str, str | None]
"""A vendor, and the generation of certificates; None: it is not known."""
Seen = Mapping[str, tuple[datetime, str]]
"""By MAC: when a phone's certificate path ended by what it showed last, and the SHA-256
of the key of the CA that issued its certificate."""


def known_by_sight(
    macs: Iterable[str], seen: Seen, trusted: Sequence[Certificate], group: Group | None
) -> list[Known]:
    """What ends for phones of a group, or of none, that have shown their certificates.

    What ended their path when they came may have been a CA of ``trusted`` that was
    renewed since: then its successor's end counts. A phone whose CA is not trusted any
    more, or not allowed in its group, is left out: it is refused whatever the day is.
    """
    paths: dict[str, list[tuple[Certificate, ...]]] = {}
    for ca in trusted:
        its = (path for path in _paths(ca, trusted) if _allowed(path, group))
        paths.setdefault(ca.public_key_sha256, []).extend(its)
    ends_of_cas = {ca.not_after for ca in trusted}
    found: dict[tuple[str, datetime], list[str]] = {}
    for mac in macs:
        if mac in seen and paths.get(seen[mac][1]):
            found.setdefault((seen[mac][1], seen[mac][0]), []).append(mac)
    known = []
    for (key, showed), whose in found.items():
        path = max(paths[key], key=end_of)
        end = end_of(path) if showed in ends_of_cas else min(showed, end_of(path))
        who = say("issued by %(authority)s", authority=path[0].label)
        known.append(Known(who, tuple(whose), path, end))
    return known


def allowed_paths(
    paths: Mapping[Who, Sequence[tuple[Certificate, ...]]], group: Group | None
) -> dict[Who, list[tuple[Certificate, ...]]]:
    """Those of ``recognising_paths`` by which phones of a group may be recognised."""
    return {
        who: [path for path in several if _allowed(path, group)]
        for who, several in paths.items()
    }


def _allowed(path: Sequence[Certificate], group: Group | None) -> bool:
    return group is None or group.allows(ca.public_key_sha256 for ca in path)


def by_certificate(registered: Iterable[Registered]) -> dict[Who, tuple[str, ...]]:
    """The MACs of phones by what their certificates should be, by record and model."""
    found: dict[Who, list[str]] = {}
    for one in registered:
        if one.vendor:
            found.setdefault((one.vendor, _generation(one)), []).extend(one.macs)
    return {who: tuple(macs) for who, macs in found.items()}


def _generation(one: Registered) -> str | None:
    if one.generations is not None:
        return one.generations if "," not in one.generations else None
    try:
        builtin = find_model(one.model).builtin if one.model else None
        return None if builtin is None else builtin.value
    except InputError:
        return None


def recognising_paths(
    trusted: Sequence[Certificate], rules: Rules
) -> dict[Who, list[tuple[Certificate, ...]]]:
    """By which trusted paths phones are recognised: from what issues to a root.

    A CA under which another trusted one stands issues to CAs. Of a renewed CA (the same
    name and key) the path that ends last counts: a phone is let in by any.
    """
    best: dict[tuple[Who, Authority], tuple[Certificate, ...]] = {}
    for ca in trusted:
        its = prospect(ca, trusted, rules)
        above_others = any(
            other.issuer.matches(ca.subject)
            and other.public_key_der != ca.public_key_der
            for other in trusted
        )
        if its.rule is None or its.vendor is None or above_others:
            continue
        generation = generation_of(ca)
        who = its.vendor, None if generation is None else generation.value
        for path in _paths(ca, trusted):
            key = who, authority_of(ca)
            if key not in best or end_of(path) > end_of(best[key]):
                best[key] = path
    found: dict[Who, list[tuple[Certificate, ...]]] = {}
    for (who, _), path in best.items():
        found.setdefault(who, []).append(path)
    return found


def _paths(
    ca: Certificate, trusted: Sequence[Certificate], below: tuple[Certificate, ...] = ()
) -> Iterator[tuple[Certificate, ...]]:
    """Every way by names from ``ca`` to a root."""
    path = (*below, ca)
    if ca.self_issued:
        yield path
        return
    for above in trusted:
        if above.subject.matches(ca.issuer) and above not in path:
            yield from _paths(above, trusted, path)
