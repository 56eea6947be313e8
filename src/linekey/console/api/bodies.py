"""What goes in and comes out of the API, as JSON: a record, a layer, a change.

What GET gives can be sent back by PUT and changes nothing: a secret without its value
keeps the one there is, a certificate is named by its SHA-256, and what only linekey
decides (``version``, ``token`` …) has to be as it is.

Rule: no body holds what its record cannot: it is checked when it is made into one.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
)

from linekey.catalog.models import Generation
from linekey.console.api.problems import ProblemError
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.makers.known import refuse_uncarried, refuse_unknown
from linekey.provisioning.device import Device
from linekey.provisioning.difference import slot_text
from linekey.provisioning.document import (
    CertificateEntry,
    FunctionKey,
    Layer,
    Mark,
    Setting,
    parse_slot,
)
from linekey.provisioning.expired import Expired
from linekey.provisioning.shown import device_json
from linekey.said import say
from linekey.store.device_rows import vendor_of_model
from linekey.store.edit import STAY, DeviceEdit, without

MAX_ENTRIES = 10_000
"""Settings, keys or certificates in one layer; the fullest known has some 1,100."""

Idx = Annotated[StrictInt | None, Field(ge=0, le=9999)]
Text = Annotated[str, Field(max_length=65536)]
Short = Annotated[str, Field(max_length=1024)]
Name = Annotated[str, Field(max_length=140)]


def _iso(given: object) -> object:
    if isinstance(given, datetime) or (isinstance(given, str) and "-" in given[1:]):
        return given
    raise ValueError("not a time: write 2026-01-31T12:00:00Z")  # a bare number


Time = Annotated[datetime, BeforeValidator(_iso)]


class Body(BaseModel):
    """A body without any member that is not named here."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def check_all(said: bool, meant: bool) -> None:
    """Raise InputError unless all phones are meant just where somebody said so."""
    if meant is not said:
        raise InputError(
            say("all phones are meant, and nobody said so")
            if meant
            else say('both "all" and a selection are given'),
            hint=say('give "all": true alone, or what selects some'),
        )


class SettingBody(Body):
    """A phone setting."""

    name: Annotated[str, Field(max_length=128)]
    """As the phone has it, such as user_name."""
    value: Text | None = None
    """Absent where it is a secret; then what is stored is kept."""
    idx: Idx = None
    """The account or entry that it belongs to."""
    perm: Short | None = None
    """R, &, RW, $ or !."""
    mark: Mark | None = None
    """The operator's word: secret in every layer, or public although unknown."""
    secret: StrictBool = False
    """With a value: mark it as a secret. Without: it has one that is not shown."""
    guessed: StrictBool = False
    """Read only: a secret by its name or value, without a mark."""
    known: StrictBool | None = None
    """Read only: whether linekey's catalogue has this setting."""

    def setting(self, before: Layer) -> Setting:
        """Make it one; a secret without a value is the one of ``before``."""
        if self.value is not None:
            mark = Mark.SECRET if self.secret and self.mark is None else self.mark
            return Setting(self.name, self.value, self.idx, self.perm, mark)
        slot = (self.name, self.idx)
        there = next((s for s in before.settings if s.slot == slot), None)
        if there is None or not self.secret:
            raise InputError(
                say(
                    "setting %(slot_text)s has no value",
                    slot_text=repr(slot_text(*slot)),
                ),
                hint=say('give one; only "secret": true keeps one that is there'),
            )
        mark = there.mark if self.mark is None else self.mark
        return Setting(self.name, there.value, self.idx, self.perm, mark)


class KeyBody(Body):
    """A function key."""

    idx: Annotated[StrictInt, Field(ge=0, le=9999)]
    """Its number, from 0."""
    type: Short
    """line, speed, dest, blf, url, keyevent, none, …"""
    value: Text | None = None
    """What the type needs; absent where it is a secret."""
    context: Short = "active"
    label: Short = ""
    perm: Short | None = None
    mark: Mark | None = None
    secret: StrictBool = False
    """As for a setting."""

    def key(self, before: Layer) -> FunctionKey:
        """Make it one; a secret without a value is the one of ``before``."""
        value, mark = self.value, self.mark
        if value is None and self.secret:
            slot = (self.idx, self.context)
            there = next((k for k in before.function_keys if k.slot == slot), None)
            if there is None:
                raise InputError(
                    say(
                        "function key %(idx)s has no value that could be kept",
                        idx=self.idx,
                    ),
                    hint=say("give one"),
                )
            value, mark = there.value, mark or there.mark
        elif self.secret and mark is None:
            mark = Mark.SECRET
        return FunctionKey(
            self.idx, self.type, value or "", self.context, self.label, self.perm, mark
        )


class CertificateBody(Body):
    """A certificate that the phone is told to trust."""

    pem: Text | None = None
    """To add one (or many): PEM. Never given back."""
    sha256: Short | None = None
    """Of one that is there, and is kept."""
    subject: Text | None = None
    """Read only."""
    not_after: Time | None = None
    """Read only."""

    def entries(self, before: Layer) -> tuple[CertificateEntry, ...]:
        """Make it what a layer holds."""
        if self.pem is not None:
            return CertificateEntry.from_file(self.pem.encode(), "pem")
        wanted = (self.sha256 or "").replace(":", "").lower()
        found = [e for e in before.certificates if e.certificate.sha256 == wanted]
        if not found:
            raise InputError(
                say(
                    "no certificate with the SHA-256 %(sha256)s is there",
                    sha256=repr(self.sha256),
                ),
                hint=say("give it as pem"),
            )
        return tuple(found)


class LayerBody(Body):
    """Settings, function keys and certificates; all that a layer is to hold."""

    settings: Annotated[list[SettingBody], Field(max_length=MAX_ENTRIES)] = []
    function_keys: Annotated[list[KeyBody], Field(max_length=MAX_ENTRIES)] = []
    certificates: Annotated[list[CertificateBody], Field(max_length=1000)] = []
    unreadable: list[str] = []
    """Read only: what could not be read back from the database, in words."""

    def layer(
        self, before: Layer, allow_unknown: bool, maker: str | None = None
    ) -> Layer:
        """Make it a layer in the place of ``before``. Raises InputError.

        ``maker`` is whose a setting's bare name is; None: anybody's.
        """
        settings = [one.setting(before) for one in self.settings]
        if not allow_unknown:
            _check_names(settings, before, maker)
        keys = [one.key(before) for one in self.function_keys]
        _once([f"setting {slot_text(*s.slot)}" for s in settings])
        _once([f"function key {k.idx} {k.context}" for k in keys])
        kept = (entry for one in self.certificates for entry in one.entries(before))
        return Layer(tuple(settings), tuple(keys)).with_certificates(*kept)


class KeySlot(Body):
    """Which function key."""

    idx: Annotated[StrictInt, Field(ge=0, le=9999)]
    context: Short = "active"


class LayerChange(Body):
    """What is to change in a layer; the rest stays."""

    set: Annotated[list[SettingBody], Field(max_length=MAX_ENTRIES)] = []
    """Settings to set, or to set anew."""
    unset: Annotated[list[Name], Field(max_length=MAX_ENTRIES)] = []
    """Settings to remove: name or name[idx]."""
    set_keys: Annotated[list[KeyBody], Field(max_length=MAX_ENTRIES)] = []
    unset_keys: Annotated[list[KeySlot], Field(max_length=MAX_ENTRIES)] = []
    add_certificates: Annotated[list[CertificateBody], Field(max_length=1000)] = []
    remove_certificates: Annotated[list[Short], Field(max_length=1000)] = []
    """By their SHA-256."""

    def apply(
        self, layer: Layer, of: str, allow_unknown: bool, maker: str | None = None
    ) -> Layer:
        """Return the changed layer; ``of`` names it in errors. Raises InputError.

        ``maker`` is as for ``LayerBody.layer``.
        """
        settings = [one.setting(layer) for one in self.set]
        if settings and not allow_unknown:
            _check_names(settings, layer, maker)
        layer = without(layer, [parse_slot(name) for name in self.unset], of)
        for slot in self.unset_keys:
            if (slot.idx, slot.context) not in {k.slot for k in layer.function_keys}:
                raise InputError(
                    say("%(of)s has no function key %(idx)s", of=of, idx=slot.idx),
                    hint=say("read it"),
                )
            layer = layer.without_function_key(slot.idx, slot.context)
        for sha256 in self.remove_certificates:
            if sha256.lower() not in {e.certificate.sha256 for e in layer.certificates}:
                raise InputError(
                    say(
                        "%(of)s has no certificate %(sha256)s",
                        of=of,
                        sha256=repr(sha256),
                    ),
                    hint=say("read it"),
                )
            layer = layer.without_certificate(sha256)
        return (
            layer.with_settings(*settings)
            .with_function_keys(*(one.key(layer) for one in self.set_keys))
            .with_certificates(
                *(e for one in self.add_certificates for e in one.entries(layer))
            )
        )


def _once(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(
                say("%(name)s is there twice", name=name), hint=say("keep one")
            )
        seen.add(name)


def _check_names(settings: list[Setting], before: Layer, maker: str | None) -> None:
    there = {s.slot for s in before.settings}
    if new := [s for s in settings if s.slot not in there]:
        refuse_unknown(
            [s.slot for s in new],
            [s.slot for s in new if s.mark is not None],
            maker,
        )
    refuse_uncarried([(s.name, s.idx, s.value) for s in settings], maker)


class Seen(BaseModel):
    """What a phone's visits said, the last one of each."""

    first_at: Time
    last_at: Time
    reason: str | None
    """Why it last got its file, or did not."""
    outcome: str | None
    """granted, blanked or refused."""
    refused_at: Time | None
    """When it was last refused its file."""
    certificate_sha256: str | None
    issuer_key_sha256: str | None
    """Of the key of the CA that issued its certificate."""
    certificate_ends_at: Time | None
    """The first end of validity on its certificate's path."""
    generation: str | None
    """sha1 or sha256."""
    user_agent: str | None
    peer: str
    """The address that it came from."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class DeviceBody(Body):
    """A phone's whole record."""

    mac: Short | None = None
    vendor: Short = ""
    """Empty when it is made: the usual one."""
    model: Annotated[str, Field(max_length=64)] | None = None
    """Such as D785."""
    firmware: Annotated[str, Field(max_length=32)] | None = None
    label: Short = ""
    """A note of yours."""
    group: Name | None = None
    """Name of the group that it is in."""
    generations: list[Generation] | None = None
    """Of certificates that it may use; null: those that its model ever had."""
    expired: Literal["refuse", "registered", "accept"] | None = None
    """What its certificate is worth after its end; null: as its group or its CA says.
    """
    layer: LayerBody = LayerBody()
    """The phone's own settings."""
    state: Literal["active", "revoked"] | None = None
    """Read only: POST revoke and restore change it."""
    revoked_reason: str | None = None
    """Read only."""
    token: str | None = None
    """Read only: none, unused, or when it was used."""
    registered_at: Time | None = None
    """Read only."""
    digest_user: str | None = None
    """Read only."""
    version: StrictInt | None = None
    """Read only: rises with every change. null for a token that is limited to groups,
    which has the ETag."""
    seen: Seen | None = None
    """Read only: what the phone's visits said; null: it was never seen. Not in the
    ETag."""

    def device(
        self, before: Device, allow_unknown: bool, *, new: bool = False
    ) -> Device:
        """Make it the record in the place of ``before``. Raises InputError.

        ``new``: there is none yet, and the vendor of ``before`` is the usual one.
        """
        now = device_json(before) | {"registered_at": before.registered_at}
        for name in (
            "mac", "state", "revoked_reason", "token", "digest_user", "registered_at",
        ):  # fmt: skip
            given = getattr(self, name)
            if name == "mac" and given is not None:
                given = Mac(given).digits if len(given) == 12 else given
            if given is not None and given != now[name]:
                raise InputError(
                    say(
                        "%(name)s is %(now)s and cannot be %(given)s here",
                        name=name,
                        now=repr(now[name]),
                        given=repr(given),
                    ),
                    hint=say(
                        "leave it out; POST revoke, restore, token and digest "
                        "change what is no setting"
                    ),
                )
        if self.version is not None and self.version != before.version:
            raise ProblemError(
                "stale",
                say(
                    "the version is %(version)s, no longer %(sent)s",
                    version=before.version,
                    sent=self.version,
                ),
            )
        usual = vendor_of_model(self.model or "", before.vendor) if new else ""
        edit = DeviceEdit(
            vendor=self.vendor or usual or before.vendor,
            model=self.model,
            firmware=self.firmware,
            label=self.label,
            group=self.group,
            generations=self.generations,
            expired=None if self.expired is None else Expired(self.expired),
        )
        maker = edit.vendor if isinstance(edit.vendor, str) else None
        layer = self.layer.layer(before.layer, allow_unknown, maker or None)
        return edit.apply(before, layer=layer)


class DeviceChange(Body):
    """What is to change in a record; what is absent stays, null takes away."""

    vendor: Short | None = None
    """It has one always: null is as if it were absent."""
    model: Annotated[str, Field(max_length=64)] | None = None
    firmware: Annotated[str, Field(max_length=32)] | None = None
    label: Short | None = None
    group: Name | None = None
    generations: list[Generation] | None = None
    expired: Literal["refuse", "registered", "accept"] | None = None
    """What its certificate is worth after its end; null: as its group or its CA says.
    """
    layer: LayerChange = LayerChange()
    no_digest: StrictBool = False
    """Remove the HTTP digest user."""
    no_token: StrictBool = False
    """Remove the one-time token."""

    def apply(self, device: Device, allow_unknown: bool) -> Device:
        """Return the changed record. Raises InputError."""
        names = ("vendor", "model", "firmware", "label", "group", "generations")
        given: dict[str, Any] = {
            name: getattr(self, name) for name in names if name in self.model_fields_set
        }
        if given.get("vendor", "") is None:
            del given["vendor"]
        if given.get("label", "") is None:
            given["label"] = ""
        if "expired" in self.model_fields_set:
            given["expired"] = None if self.expired is None else Expired(self.expired)
        digest = None if self.no_digest else STAY
        edit = DeviceEdit(**given, digest=digest, no_token=self.no_token)
        maker = given.get("vendor", device.vendor) or None
        layer = self.layer.apply(device.layer, str(device.mac), allow_unknown, maker)
        return edit.apply(device, layer=layer)
