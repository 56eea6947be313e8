"""Everything a virtual phone is at one moment, as one immutable value.

``PhoneState`` holds what the phone's pages and ``linekey phone show`` tell of, and what
survives a restart. The Mozilla authorities are part of the firmware and are not
persisted; the log is persisted apart from the rest, line by line (``store``). Nothing
here reads a clock: every time is the *phone's* clock, which may be wrong on purpose.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal, Self, TypeVar

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.catalog.other_models import MAKERS_DEFAULTS
from linekey.catalog.profile import Profile, profile
from linekey.catalog.root_lists import RootLists, lists_of
from linekey.certs.certificate import Certificate
from linekey.errors import CertificateError, InputError, StorageError
from linekey.mac import Mac, parse_mac
from linekey.phone.defaults import default_of
from linekey.phone.document import FunctionKey
from linekey.phone.identity import DeviceIdentity, IdentityChoice, choose_identity
from linekey.phone.settings import PhoneSettings
from linekey.phone.transitions import Transitions, follow
from linekey.trust.client_refusal import CertificateWish
from linekey.trust.findings import Verdict
from linekey.trust.judge import TlsSettings
from linekey.trust.root_age import judge_both
from linekey.trust.store import TrustStore

FORMAT: Final = 1
LOG_LIMIT: Final = 1000
"""Log entries in memory, newest last; a limit of linekey's (the phone's is unknown)."""
NOTIFICATION_LIMIT: Final = 20
CA_SET: Final = "any.trust.ca_set"
"""The setting of another maker's phone that says which CAs count: ``builtin``,
``custom`` or ``all``."""

_TLS_VERSIONS: Final = {"1.0": 0x0301, "1.1": 0x0302, "1.2": 0x0303, "1.3": 0x0304}

Level = Literal["info", "warning", "error"]
_Part = TypeVar("_Part")


def _plain(record: Any) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in fields(record)}


class Status(StrEnum):
    """Where the phone is between power-on and its settings."""

    OFF = "off"
    PROVISIONING = "provisioning"
    PROVISIONED = "provisioned"
    REFUSED = "refused"
    """It, or its server, refused the other: the certificate, the request."""
    FAILED = "failed"
    """Nothing usable came: unreachable, not found, broken."""
    IDLE = "idle"
    """It has no setting_server, so it asks nobody."""


_AT_REST: Final = MappingProxyType(
    {
        Status.PROVISIONING: "a timer, check-sync or a button: a round begins",
        Status.IDLE: "there is no setting_server any more",
        Status.FAILED: "the setting_server cannot be used",
        Status.OFF: "power-on, factory reset",
    }
)
STATUSES: Final[Transitions[Status]] = MappingProxyType(
    {
        Status.OFF: {
            Status.PROVISIONING: "power-on: a round begins",
            Status.IDLE: "power-on without a setting_server",
            Status.FAILED: "power-on with a setting_server that cannot be used",
            Status.OFF: "power-on, factory reset",
        },
        Status.PROVISIONING: {
            Status.PROVISIONED: "the phone's own document, or another, was applied",
            Status.REFUSED: "a certificate or a request was refused",
            Status.FAILED: "nothing usable came",
            Status.OFF: "power-on, factory reset",
        },
        Status.PROVISIONED: _AT_REST,
        Status.REFUSED: _AT_REST,
        Status.FAILED: _AT_REST,
        Status.IDLE: _AT_REST,
    }
)
"""How the phone's status may change."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the phone's log; ``details`` are its rules and causes, in words."""

    at: datetime
    level: Level
    purpose: str
    """A ``Purpose``, or ``phone``, ``settings``, ``certificates``."""
    text: str
    details: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        at = self.at.astimezone(UTC).isoformat()
        return _plain(self) | {"at": at, "details": list(self.details)}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """Read what ``as_dict`` wrote. Raises ValueError, KeyError or TypeError."""
        level = row["level"]
        if level not in ("info", "warning", "error"):
            raise ValueError(f"no such level: {level!r}")
        return cls(
            datetime.fromisoformat(row["at"]),
            level,
            str(row["purpose"]),
            str(row["text"]),
            tuple(str(detail) for detail in row["details"]),
        )


@dataclass(frozen=True, slots=True)
class Notification:
    """What the phone's screen says until somebody dismisses it."""

    at: datetime
    title: str
    text: str
    cure: str
    """What to do, one or two sentences."""
    purpose: str
    peer: str
    sha256: str = ""
    """The refused certificate on the Unknown tab; empty where there is none."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return _plain(self) | {"at": self.at.astimezone(UTC).isoformat()}


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """One URL of the last provisioning round and what came of it.

    ``status`` is the HTTP status, 0 where no answer came; ``applied`` whether the phone
    took it; ``reason`` a clause where it did not.
    """

    url: str
    status: int
    applied: bool
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class LastTls:
    """The newest TLS connection that completed its handshake, for reports."""

    purpose: str
    peer: str
    version: str
    suite: str
    wish: CertificateWish | None = None
    """What the server asked of the phone's certificate; not kept over a restart."""


@dataclass(frozen=True, slots=True)
class PhoneState:
    """One phone. Build it with ``new_phone`` or ``from_dict``."""

    mac: Mac
    profile: Profile
    bootstrap_server: str = ""
    """What DHCP or the operator says is the setting_server, kept by a factory reset."""
    status: Status = Status.OFF
    status_reason: str = ""
    settings: PhoneSettings = field(default_factory=PhoneSettings)
    function_keys: tuple[FunctionKey, ...] = ()
    """By idx."""
    sections: Mapping[str, str] = field(default_factory=dict)
    """What is only kept: section name in lower case → XML."""
    trust: TrustStore = field(default_factory=TrustStore)
    server_authentication: bool = False
    """The switch of 8.x; only a factory reset clears it."""
    builtin: DeviceIdentity | None = None
    patched: DeviceIdentity | None = None
    log: tuple[LogEntry, ...] = ()
    """Newest last."""
    log_count: int = 0
    """How many lines were ever written; ``log`` holds the last of them."""
    notifications: tuple[Notification, ...] = ()
    """Newest first."""
    fetched: tuple[FetchedDocument, ...] = ()
    last_tls: LastTls | None = None
    provisioned_at: datetime | None = None
    parts: Mapping[type[Any], Any] = field(default_factory=dict)
    """What each use of TLS knows and shows, by the type that holds it; see ``part``.
    It is not kept over a restart, as on the phone."""
    roots: RootLists | None = None
    """Which of Mozilla's lists the firmware brings; None: only what ``trust`` holds."""
    maker_authorities: tuple[Certificate, ...] = ()
    """The maker's own CAs, which the firmware brings besides."""

    def part(self, kind: type[_Part]) -> _Part:
        """What the use with this type of state knows; at first its default."""
        found = self.parts.get(kind)
        return found if isinstance(found, kind) else kind()

    def with_part(self, part: object) -> Self:
        """The phone with this in the place of what was of its type."""
        return replace(self, parts={**self.parts, type(part): part})

    @property
    def authenticates_servers(self) -> bool:
        """Whether TLS server authentication is in force, by switch or by firmware.

        On another maker's phone it is a setting as any other.
        """
        if self.profile.switches_are_settings:
            usual = self.profile.server_auth_default
            return self.settings.is_on("tls_server_authentication", default=usual)
        return self.profile.server_auth_forced or self.server_authentication

    @property
    def tls_settings(self) -> TlsSettings:
        """What the judge needs of the settings, defaults by firmware."""
        row = self.profile
        check = row.check_fqdn_available and self.settings.is_on(
            "check_fqdn_against_server_cert", default=row.check_fqdn_default
        )
        flags = host_flags(self.settings.get("host_name_validation_flags"))
        if flags is None or not row.host_flags_available:
            flags = row.host_flags_default
        return TlsSettings(self.authenticates_servers, check, flags)

    @property
    def identity(self) -> IdentityChoice:
        """Which certificate the phone shows, to servers and on its pages."""
        return choose_identity(self.profile, self.settings, self.builtin, self.patched)

    @property
    def client_identity(self) -> DeviceIdentity | None:
        """What the phone shows to a server that asks; None with
        ``empty_tls_client_cert`` on (SNOM-SETTING, L)."""
        if self.settings.is_on("empty_tls_client_cert"):
            return None
        return self.identity.identity

    @property
    def setting_server(self) -> str:
        """Where the phone gets its settings: its own setting, else the bootstrap."""
        return self.settings.get("setting_server").strip() or self.bootstrap_server

    def moved(self, status: Status, reason: str) -> Self:
        """The phone with another status, as ``STATUSES`` allows."""
        status = follow(STATUSES, self.status, status)
        return replace(self, status=status, status_reason=reason)

    def with_roots(
        self, lists: RootLists, maker_authorities: Iterable[Certificate] = ()
    ) -> Self:
        """The phone with what its firmware trusts: Mozilla's list, its maker's CAs.

        That the maker's CAs count besides Mozilla's is M: SNOM-TLS's picture of the
        Certificates page shows them.
        """
        maker = tuple(dict.fromkeys(maker_authorities))
        trust = self.trust.with_authorities((*maker, *lists.newest))
        return replace(self, trust=trust, roots=lists, maker_authorities=maker)

    def with_usual_roots(
        self, maker_authorities: Iterable[Certificate] = (), *, told: date | None = None
    ) -> Self:
        """The phone with the roots that its firmware brings, as far as it is known.

        ``told`` is the operator's word on the firmware's date. Of another maker's phone
        no source names its CAs: Mozilla's newest list stands in, and the lists say so.
        """
        row = self.profile
        lists = lists_of(row.model, row.firmware, told=told)
        return self.with_roots(lists, maker_authorities)

    @property
    def speaks(self) -> Profile:
        """The profile with the versions that a setting leaves it.

        Another maker's phone has a setting for the lowest one; one that leaves none is
        not followed.
        """
        row = self.profile
        lowest = _TLS_VERSIONS.get(self.settings.get("any.trust.min_tls"), 0)
        left = tuple(version for version in row.versions if version >= lowest)
        if row.model.is_known or not left or left == row.versions:
            return row
        return replace(row, versions=left)

    @property
    def trusted(self) -> TrustStore:
        """The tabs as far as they count: all, unless a setting says fewer.

        Another maker's phone has a setting for whether its built-in CAs count, the
        operator's, or both.
        """
        if self.profile.model.is_known:
            return self.trust
        usual = MAKERS_DEFAULTS[self.profile.model.maker].ca_set
        match self.settings.get(CA_SET) or usual:
            case "builtin":
                return replace(self.trust, server_certificates=())
            case "custom":
                return self.trust.with_authorities(())
            case _:
                return self.trust

    def counting_all_cas(self) -> Self:
        """The phone with built-in and provisioned CAs alike; Snom's has no choice."""
        if self.profile.model.is_known:
            return self
        settings = self.settings.provision(CA_SET, "all").settings
        return replace(self, settings=settings)

    def knowing_maker(self, found: Iterable[Certificate]) -> Self:
        """The phone with more of its maker's CAs, as their bytes come to be known.

        A phone whose authorities are its own export has them there, or not at all.
        """
        more = tuple(found)
        if self.roots is None or not more:
            return self
        return self.with_roots(self.roots, (*self.maker_authorities, *more))

    @property
    def older_trust(self) -> TrustStore | None:
        """The store with the oldest list of roots that the firmware may have.

        None where its list is known exactly.
        """
        if self.roots is None or self.roots.oldest is None:
            return None
        return self.trust.with_authorities(
            (*self.maker_authorities, *self.roots.oldest)
        )

    def verdict_on(
        self,
        chain: Sequence[Certificate],
        name: str | None,
        now: datetime,
        *,
        known: Sequence[Certificate] = (),
    ) -> Verdict:
        """What this phone says to a server's chain, by the one judge.

        Where its list of roots is not known exactly, the oldest it may have is asked
        too, and the verdict says if it depends on that (``trust.root_age``).
        ``known`` are certificates that only help to say what is missing.
        """
        return judge_both(
            chain,
            name,
            self.trusted,
            self.older_trust,
            self.roots,
            self.profile,
            self.tls_settings,
            now,
            known=known,
        )

    def setting(self, name: str, idx: int | None = None) -> str:
        """A setting's value in force: what was set, else the firmware's default.

        ``tls_server_authentication`` is the switch of 8.x, which 10.x no longer has.
        """
        row = self.profile
        if name.lower() == "tls_server_authentication" and row.model.is_known:
            switch = row.server_auth_available and not row.server_auth_forced
            return ("on" if self.server_authentication else "off") if switch else ""
        found = self.settings.entry(name, idx)
        if found is not None:
            return found.value
        return default_of(name, row)

    def function_key(self, idx: int) -> FunctionKey | None:
        """The function key at ``idx`` (from 0), or None."""
        return next((key for key in self.function_keys if key.idx == idx), None)

    def with_log(
        self,
        at: datetime,
        purpose: str,
        text: str,
        *details: str,
        level: Level = "info",
    ) -> Self:
        """The state with one more log line; the oldest falls off."""
        entry = LogEntry(at, level, purpose, text, details)
        return replace(
            self,
            log=(*self.log, entry)[-LOG_LIMIT:],
            log_count=self.log_count + 1,
        )

    def with_notification(self, new: Notification) -> Self:
        """Show a notification; one of the same purpose and peer replaces the older."""
        rest = tuple(
            n
            for n in self.notifications
            if (n.purpose, n.peer) != (new.purpose, new.peer)
        )
        return replace(self, notifications=(new, *rest)[:NOTIFICATION_LIMIT])

    def as_dict(self) -> dict[str, Any]:
        """For the phone's state file; without log, identities and authorities.

        Settings are in the clear, passwords included: the file is for its owner only.
        """
        return {
            "format": FORMAT,
            "mac": str(self.mac),
            "model": self.profile.model.name,
            "firmware": str(self.profile.firmware),
            "bootstrap_server": self.bootstrap_server,
            "status": self.status.value,
            "status_reason": self.status_reason,
            "settings": self.settings.as_list(),
            "function_keys": [
                [k.idx, k.type, k.value, k.context, k.label, k.perm]
                for k in self.function_keys
            ],
            "sections": dict(self.sections),
            "trust": self.trust.as_dict(),
            "maker_authorities": [
                base64.b64encode(c.der).decode("ascii") for c in self.maker_authorities
            ],
            "server_authentication": self.server_authentication,
            "notifications": [n.as_dict() for n in self.notifications],
            "fetched": [f.as_dict() for f in self.fetched],
            "last_tls": None
            if self.last_tls is None
            else {
                "purpose": self.last_tls.purpose,
                "peer": self.last_tls.peer,
                "version": self.last_tls.version,
                "suite": self.last_tls.suite,
            },
            "provisioned_at": self.provisioned_at and self.provisioned_at.isoformat(),
        }

    @classmethod
    def from_dict(
        cls,
        document: Mapping[str, Any],
        *,
        authorities: Iterable[Certificate] = (),
        builtin: DeviceIdentity | None = None,
        patched: DeviceIdentity | None = None,
        log: Iterable[LogEntry] = (),
    ) -> Self:
        """Read what ``as_dict`` wrote (through JSON). Raises StorageError."""
        if document.get("format") != FORMAT:
            raise StorageError(
                f"a phone's state of format {document.get('format')!r}; "
                f"this linekey reads {FORMAT}",
                hint="open the state folder with the linekey that wrote it",
            )
        lines = tuple(log)[-LOG_LIMIT:]
        try:
            # A state folder of linekey 0.1 has none.
            maker = tuple(
                Certificate.from_der(base64.b64decode(text, validate=True))
                for text in document.get("maker_authorities", ())
            )
            last = document["last_tls"]
            since = document["provisioned_at"]
            return cls(
                mac=parse_mac(document["mac"]),
                profile=profile(document["model"], document["firmware"]),
                bootstrap_server=str(document["bootstrap_server"]),
                status=Status(document["status"]),
                status_reason=str(document["status_reason"]),
                settings=PhoneSettings.from_list(document["settings"]),
                function_keys=tuple(
                    FunctionKey(int(k[0]), *(str(part) for part in k[1:6]))
                    for k in document["function_keys"]
                ),
                sections={str(k): str(v) for k, v in document["sections"].items()},
                trust=TrustStore.from_dict(document["trust"], authorities),
                server_authentication=document["server_authentication"] is True,
                builtin=builtin,
                patched=patched,
                log=lines,
                log_count=len(lines),
                notifications=tuple(
                    Notification(**{**row, "at": datetime.fromisoformat(row["at"])})
                    for row in document["notifications"]
                ),
                fetched=tuple(FetchedDocument(**row) for row in document["fetched"]),
                last_tls=None if last is None else LastTls(**last),
                provisioned_at=None if since is None else datetime.fromisoformat(since),
                maker_authorities=maker,
            )
        except (
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            InputError,
            CertificateError,
        ) as error:
            raise StorageError(
                f"the phone's state cannot be read: {type(error).__name__}",
                hint="restore the state folder, or remove the phone's folder to start "
                "it anew",
            ) from error


def host_flags(text: str) -> int | None:
    """``host_name_validation_flags`` as a number: 0 to 31, else None."""
    stripped = text.strip()
    if not stripped.isascii() or not stripped.isdigit() or len(stripped) > 3:
        return None
    return int(stripped) if int(stripped) < 32 else None


def new_phone(
    mac: Mac,
    model: str,
    firmware: Firmware | str,
    *,
    setting_server: str = "",
    builtin: DeviceIdentity | None = None,
    authorities: Iterable[Certificate] = (),
) -> PhoneState:
    """A phone fresh from its box. Raises InputError for an unknown model or version."""
    row = profile(find_model(model), firmware)
    return PhoneState(
        mac=mac,
        profile=row,
        bootstrap_server=setting_server,
        builtin=builtin,
        trust=TrustStore(authorities=tuple(authorities)),
    )
