"""What a fleet needs of a server's TLS, and no more.

For each phone: its profile (``catalog.profile``) says what it offers, ``tls.policy``
picks the best tier for it, as the door would, and of that tier its suites are taken.
The union over the fleet is what a foreign server is told to speak. So TLS 1.0 is only
on where a phone knows nothing better, and SHA-1 certificates only where a phone has
one.

Two things are left out on purpose. A phone that can do ECDHE gets ECDHE alone: one list
serves everybody, so each suite more is one more for everybody. NULL, anonymous, export,
DES, 3DES, RC4 and MD5 suites are in no tier: a phone with nothing else is named in
``Needs.unserved`` with the reason.

A phone whose model is not known, or is another maker's of which no source tells what it
supports, is taken for one of today (TLS 1.2 and 1.3 with modern suites), one whose
firmware is not known for one with the newest; ``Needs.notes`` says which those are. All
are assumptions (L):
to take the oldest would open TLS 1.0 for one empty field. Who knows better says the
oldest version himself (``fleet_needs(…, oldest=…)``).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation, find_model
from linekey.catalog.profile import newest_firmware, profile
from linekey.errors import InputError
from linekey.provisioning.device import Device
from linekey.tls.policy import INTERIM, LEGACY, MODERN, choose
from linekey.tls.server_key import ServerKey as TlsServerKey
from linekey.tls.suites import Suite, by_name
from linekey.tls.versions import Version

ServerKey = Literal["RSA", "ECDSA"]
_KEYS: dict[ServerKey, TlsServerKey] = {
    "RSA": TlsServerKey("RSA"),
    "ECDSA": TlsServerKey("EC", curve=23),  # secp256r1, which every client has
}
"""How the server proves itself: the kind of its certificate's key."""
Kind = tuple[str | None, Firmware | None, frozenset[Generation] | None]
"""Model, firmware and the generations that the operator pinned."""

_ORDER = tuple(dict.fromkeys((*MODERN.suites, *INTERIM.suites, *LEGACY.suites)))
_NAMED = 8


@dataclass(frozen=True, slots=True)
class Unserved:
    """Phones that no acceptable protocol serves: who, and why."""

    phones: tuple[str, ...]
    """Each ``MAC (model firmware)``."""
    reason: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What a server must speak for a fleet."""

    phones: int
    """How many active phones were counted."""
    min_version: Version
    max_version: Version
    suites: tuple[str, ...]
    """OpenSSL names for TLS 1.2 and below, best first."""
    tls13_suites: tuple[str, ...]
    """OpenSSL names for TLS 1.3; empty unless ``max_version`` is TLS 1.3."""
    old_protocols: tuple[str, ...]
    """Models that speak nothing above TLS 1.1."""
    sha1_models: tuple[str, ...]
    """Models that may prove themselves with a SHA-1 certificate."""
    unserved: tuple[Unserved, ...]
    notes: tuple[str, ...]
    """What was assumed, for the operator."""
    asked: Version | None = None
    """The oldest version, where the operator said it."""

    @property
    def versions(self) -> tuple[Version, ...]:
        """All from ``min_version`` to ``max_version``.

        No hole is left in the middle: several servers can only be told the two ends.
        """
        return tuple(v for v in Version if self.min_version <= v <= self.max_version)

    @property
    def level_0(self) -> bool:
        """Whether OpenSSL must run at security level 0 (OPENSSL-RUN)."""
        return bool(self.level_0_reasons)

    @property
    def dhe(self) -> bool:
        """Whether a suite needs Diffie-Hellman parameters."""
        return any(by_name(n).key_exchange == "DHE" for n in self.suites)

    @property
    def suite_values(self) -> tuple[Suite, ...]:
        """``suites`` as values."""
        return tuple(map(by_name, self.suites))

    @property
    def level_0_reasons(self) -> tuple[str, ...]:
        """Why level 0, for the comment beside it."""
        found = []
        if self.sha1_models:
            found.append("SHA-1 certificates of the " + _listed(self.sha1_models))
        if self.old_protocols:
            found.append(
                "TLS 1.0 or 1.1, the best that these speak: "
                + _listed(self.old_protocols)
            )
        if self.asked is not None and self.asked < Version.TLS1_2:
            found.append(f"{self.asked.label}, which was asked for")
        return tuple(found)


def fleet_needs(
    devices: Iterable[Device],
    server_key: ServerKey = "RSA",
    *,
    oldest: Version | None = None,
    also_ecdsa: bool = False,
) -> Needs:
    """Say what the active ones of ``devices`` need. Never raises.

    ``also_ecdsa``: the server has a second certificate, with an EC key (P-256), for the
    phones that can use it; the others are served as with ``server_key`` alone.

    ``oldest`` is the oldest version to speak, TLS 1.0 to 1.2, whatever they need: below
    TLS 1.2 it brings the suites of that time, and phones that speak nothing as new as
    it are not served.

    With no phone at all the answer is what today's phones speak: TLS 1.2 with modern
    suites.
    """
    count = 0
    versions: set[Version] = set()
    suites: set[str] = set()
    old: set[str] = set()
    sha1: set[str] = set()
    unserved: dict[str, list[str]] = {}
    no_model: list[str] = []
    strange: list[str] = []
    no_firmware: list[str] = []
    for device in devices:
        if device.state != "active":
            continue
        count += 1
        wanted = _wanted(*kind_of(device), server_key)
        if also_ecdsa:
            wanted = _either(wanted, _wanted(*kind_of(device), "ECDSA"))
        if not isinstance(wanted, str) and oldest is not None and wanted.high < oldest:
            wanted = f"{wanted.high.label} is its best, and {oldest.label} the oldest"
        if isinstance(wanted, str):
            unserved.setdefault(wanted, []).append(_label(device))
            continue
        versions |= {wanted.low, wanted.high}
        suites.update(wanted.suites)
        if wanted.high < Version.TLS1_2:
            old.add(wanted.model)
        if wanted.sha1:
            sha1.add(wanted.model or "phones of unknown model")
        if not wanted.model and device.model:
            strange.append(_label(device))
        elif not wanted.model:
            no_model.append(str(device.mac))
        elif device.firmware is None:
            no_firmware.append(str(device.mac))
    if not versions:
        versions = {Version.TLS1_2}
        suites = set(_forward_secret(MODERN.suites, server_key))
        if also_ecdsa:
            suites.update(_forward_secret(MODERN.suites, "ECDSA"))
    if oldest is not None:
        versions.add(oldest)
        if oldest < Version.TLS1_2:
            suites.update(
                n
                for n in LEGACY.suites
                if by_name(n).authentication == server_key
                or (also_ecdsa and by_name(n).authentication == "ECDSA")
            )
    newest = max(versions)
    return Needs(
        phones=count,
        min_version=min(versions),
        max_version=newest,
        suites=tuple(n for n in _ORDER if n in suites),
        tls13_suites=MODERN.tls13_suites if newest is Version.TLS1_3 else (),
        old_protocols=tuple(sorted(old)),
        sha1_models=tuple(sorted(sha1)),
        unserved=tuple(
            Unserved(tuple(sorted(who)), why) for why, who in sorted(unserved.items())
        ),
        notes=_notes(count, no_model, strange, no_firmware),
        asked=oldest,
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    model: str
    low: Version
    high: Version
    suites: tuple[str, ...]
    sha1: bool


def _either(one: _Wanted | str, other: _Wanted | str) -> _Wanted | str:
    """What a phone needs of a server with both certificates; of the first, why none."""
    if isinstance(one, str):
        return other if isinstance(other, _Wanted) else one
    if isinstance(other, str):
        return one
    return replace(
        one,
        low=min(one.low, other.low),
        high=max(one.high, other.high),
        suites=(*one.suites, *other.suites),
    )


def kind_of(device: Device) -> Kind:
    """All of a phone that its needs depend on: equal for most of a fleet."""
    return device.model, device.firmware, device.generations


@lru_cache(1024)
def _wanted(
    name: str | None,
    firmware: Firmware | None,
    pinned: frozenset[Generation] | None,
    server_key: ServerKey,
) -> _Wanted | str:
    """What a phone of this kind needs, or why nothing serves it."""
    try:
        model = find_model(name) if name else None
    except InputError:
        model = None
    if model is None or not model.is_known:
        return _Wanted(
            "",
            Version.TLS1_2,
            Version.TLS1_3,
            _forward_secret(MODERN.suites, server_key),
            pinned is not None and Generation.SHA1 in pinned,
        )
    known = profile(model, firmware or newest_firmware(model))
    choice = choose(known.client_hello(), _KEYS[server_key])
    if choice.policy is None:
        other = choose(known.client_hello(), _KEYS["RSA"]).policy
        cure = "; use a certificate with an RSA key" if other is not None else ""
        return choice.reason + cure
    offered = set(known.suites)
    fitting = tuple(
        name
        for name in choice.policy.suites
        if by_name(name).number in offered
        and by_name(name).authentication == server_key
    )
    best = min(Version(known.max_version), choice.policy.max_version)
    may_have = known.generations if pinned is None else pinned
    return _Wanted(
        model.name,
        best,
        best,
        _forward_secret(fitting, server_key) or fitting,
        Generation.SHA1 in may_have,
    )


def _forward_secret(names: Iterable[str], server_key: ServerKey) -> tuple[str, ...]:
    return tuple(
        n
        for n in names
        if by_name(n).key_exchange == "ECDHE"
        and by_name(n).authentication == server_key
    )


def _label(device: Device) -> str:
    what = " ".join(str(part) for part in (device.model, device.firmware) if part)
    return f"{device.mac} ({what})"


def _notes(
    count: int, no_model: list[str], strange: list[str], no_firmware: list[str]
) -> tuple[str, ...]:
    notes = []
    if not count:
        notes.append(
            "no phone is registered: the lists fit current phones (TLS 1.2); register"
            " yours with linekey device add or import, and export again"
        )
    if no_model:
        notes.append(
            "model not in the record, treated as a current phone (TLS 1.2 and 1.3): "
            f"{_listed(no_model)}; set it: linekey device set MAC --model MODEL"
        )
    if strange:
        notes.append(
            "no source tells what the model supports, treated as a current phone (TLS "
            f"1.2 and 1.3 with modern suites): {_listed(strange)}; older ones are "
            "refused: if the server's log shows such a phone, export with "
            "--min-version 1.0"
        )
    if no_firmware:
        notes.append(
            "firmware not in the record, treated as the newest: "
            f"{_listed(no_firmware)}; set it: linekey device set MAC --firmware V"
        )
    return tuple(notes)


def _listed(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more
