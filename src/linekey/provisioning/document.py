"""What a phone is to be told: settings, function keys and certificates, in layers.

Three layers make a phone's document: the fleet's, its model's and its own. ``merge``
lays them over each other: a later layer wins for each setting (name and idx) and each
function key (idx and context); certificates add up.

Rules: a value is checked when it is made, so a layer that exists can be rendered. What
cannot be read back from a store is skipped and named in ``Layer.unreadable``; it
never stops a phone from getting the rest. No ``repr`` shows a secret.

Whether a value is a secret is the operator's word first, and it is kept with the value
(``Mark``); a guess by the name or by what the value says only adds to it
(``catalog.secrecy``). A file for more than one phone holds no secret, and no setting
that linekey does not know unless the operator lets it in by name.

Sources: SNOM-FILES (H) for idx, perm, function keys and certificates; XML 1.0
§2.2 for the characters a document can hold.
"""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import NoneType
from typing import Any, Self, TypeVar

from linekey.errors import InputError
from linekey.makers.known import is_known, is_secret
from linekey.provisioning.entries import (
    MAX_KEPT,
    NAME,
    CertificateEntry,
    FunctionKey,
    Mark,
    Setting,
    setting_of,
)
from linekey.said import say

__all__ = [
    "CertificateEntry",
    "FunctionKey",
    "Layer",
    "Mark",
    "Setting",
    "is_secret",
    "merge",
    "parse_setting",
    "secret_key",
]

STARS = "********"
"""What a preview has in the place of a secret."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings, function keys and certificates that go together.

    Use ``with_…`` and ``without_…`` to get changed copies; a slot is held once.
    """

    settings: tuple[Setting, ...] = ()
    function_keys: tuple[FunctionKey, ...] = ()
    certificates: tuple[CertificateEntry, ...] = ()
    unreadable: tuple[str, ...] = ()
    """What could not be read back from the store, in words, without values."""

    def __bool__(self) -> bool:
        return bool(self.settings or self.function_keys or self.certificates)

    def with_settings(self, *settings: Setting) -> Self:
        """Set these, overwriting what has the same name and idx.

        A mark stays with its place when the value changes, unless another one comes.
        """
        if not settings:
            return self
        merged: dict[object, Setting] = {(s.name, s.idx): s for s in self.settings}
        for setting in settings:
            _lay_over(merged, setting, *Mark)
        return type(self)(
            tuple(merged.values()),
            self.function_keys,
            self.certificates,
            self.unreadable,
        )

    def without_setting(self, name: str, idx: int | None = None) -> Self:
        """Remove one setting; nothing happens if it is not there."""
        kept = tuple(s for s in self.settings if s.slot != (name, idx))
        return replace(self, settings=kept)

    def with_function_keys(self, *keys: FunctionKey) -> Self:
        """Set these, overwriting what has the same idx and context; marks stay."""
        if not keys:
            return self
        merged: dict[object, FunctionKey] = {k.slot: k for k in self.function_keys}
        for key in keys:
            _lay_over(merged, key, *Mark)
        return replace(self, function_keys=tuple(merged.values()))

    def without_function_key(self, idx: int, context: str = "active") -> Self:
        """Remove one function key; nothing happens if it is not there."""
        kept = tuple(k for k in self.function_keys if k.slot != (idx, context))
        return replace(self, function_keys=kept)

    def with_certificates(self, *entries: CertificateEntry) -> Self:
        """Add these, each certificate once."""
        if not entries:
            return self
        merged = dict.fromkeys((*self.certificates, *entries))
        return replace(self, certificates=tuple(merged))

    def without_certificate(self, sha256: str) -> Self:
        """Remove the certificate with this SHA-256 (hex of the DER), if it is there."""
        kept = tuple(
            e for e in self.certificates if e.certificate.sha256 != sha256.lower()
        )
        return replace(self, certificates=kept)

    def marked(self, names: Collection[str]) -> Self:
        """The same layer with the settings of these names (lower case) marked."""
        if not names or not any(s.name.lower() in names for s in self.settings):
            return self
        settings = tuple(
            replace(s, mark=Mark.SECRET) if s.name.lower() in names else s
            for s in self.settings
        )
        return replace(self, settings=settings)

    def starred(self) -> Self:
        """The same layer with stars for each secret value, to be looked at."""
        return replace(
            self,
            settings=tuple(
                replace(s, value=STARS) if s.secret else s for s in self.settings
            ),
            function_keys=tuple(
                replace(k, value=STARS) if k.secret else k for k in self.function_keys
            ),
        )

    def shareable(self) -> Self:
        """What of this layer may stand in a file for more than one phone."""
        return replace(
            self,
            settings=tuple(s for s in self.settings if s.shared),
            function_keys=tuple(k for k in self.function_keys if not k.secret),
        )

    def to_plain(self) -> tuple[dict[str, Any], dict[str, str]]:
        """The layer as JSON values, and its secret values apart.

        The first holds no secret and may be stored and shown as it is; the second maps
        a slot's name to the secret value and belongs encrypted. ``from_plain`` joins
        the two again.
        """
        secrets: dict[str, str] = {}
        settings = []
        for s in self.settings:
            entry: dict[str, Any] = {"name": s.name}
            if s.idx is not None:
                entry["idx"] = s.idx
            if s.perm is not None:
                entry["perm"] = s.perm
            if s.mark is not None:
                entry["mark"] = s.mark.value
            if s.secret:
                entry["secret"] = True
                if s.mark is not Mark.SECRET:
                    entry["guessed"] = True
                secrets[secret_key(s.name, s.idx)] = s.value
            else:
                entry["value"] = s.value
            settings.append(entry)
        keys = []
        for k in self.function_keys:
            entry = {"idx": k.idx, "type": k.type, "context": k.context}
            if k.label:
                entry["label"] = k.label
            if k.perm is not None:
                entry["perm"] = k.perm
            if k.mark is not None:
                entry["mark"] = k.mark.value
            if k.secret:
                entry["secret"] = True
                secrets[_function_key_key(k.idx, k.context)] = k.value
            else:
                entry["value"] = k.value
            keys.append(entry)
        certificates = [base64.b64encode(e.der).decode() for e in self.certificates]
        plain = {"settings": settings, "function_keys": keys}
        return plain | {"certificates": certificates}, secrets

    @classmethod
    def from_plain(
        cls, plain: Mapping[str, Any], secrets: Mapping[str, str] | None = None
    ) -> Self:
        """Read back what ``to_plain`` wrote.

        Never raises for a bad entry: it is skipped and named in ``unreadable``, so that
        one damaged row does not keep a phone from its file. Without ``secrets`` (or
        with some missing), the secret settings are skipped likewise.
        """
        secrets = secrets or {}
        unreadable: list[str] = []
        settings: dict[object, Setting] = {}
        keys: dict[object, FunctionKey] = {}
        entries: dict[CertificateEntry, None] = {}
        for number, item in enumerate(_items(plain, "settings", unreadable), 1):
            try:
                setting = _read_setting(item, secrets)
            except (InputError, KeyError, TypeError, AttributeError) as error:
                unreadable.append(f"setting {number}: {_why(error)}")
            else:
                settings[setting.slot] = setting
        for number, item in enumerate(_items(plain, "function_keys", unreadable), 1):
            try:
                key = _read_function_key(item, secrets)
            except (InputError, KeyError, TypeError, AttributeError) as error:
                unreadable.append(f"function key {number}: {_why(error)}")
            else:
                keys[key.slot] = key
        for number, item in enumerate(_items(plain, "certificates", unreadable), 1):
            try:
                entries[CertificateEntry(base64.b64decode(item, validate=True))] = None
            except (InputError, TypeError, ValueError) as error:
                unreadable.append(f"certificate {number}: {_why(error)}")
        return cls(
            tuple(settings.values()),
            tuple(keys.values()),
            tuple(entries),
            tuple(unreadable),
        )


def seal_entries(
    plain: dict[str, Any], secrets: dict[str, str], names: Collection[str] = ()
) -> bool:
    """Take what is a secret out of a layer's stored form, in place; return if any was.

    For rows that were written before a rule or a mark: ``plain`` and ``secrets`` are as
    ``Layer.to_plain`` made them then. ``names`` (lower case) are marked as secrets, the
    rest is guessed. Entries that cannot be read stay as they are.
    """
    found = False
    for kind, read, key_of in _KINDS:
        items = plain.get(kind)
        for item in items if isinstance(items, list) else ():
            try:
                entry = read(item, secrets)
            except (InputError, KeyError, TypeError, AttributeError):
                continue
            named = isinstance(entry, Setting) and entry.name.lower() in names
            if named and entry.mark is not Mark.SECRET:
                item["mark"] = Mark.SECRET.value
                found = True
            if (named or entry.secret) and not item.get("secret"):
                secrets[key_of(entry)] = item.pop("value")
                item["secret"] = found = True
                if not named and isinstance(entry, Setting):
                    item["guessed"] = True
    return found


def merge(*layers: Layer) -> Layer:
    """Lay layers over each other, the first lowest: ``merge(fleet, model, device)``.

    A later layer wins for each (name, idx) and each (idx, context), and takes the place
    of what it overwrites. What is marked a secret in one of them is one in all; that a
    value is public holds for that value alone, never for one that overwrites it.
    Certificates are united. The order is that of first appearance, so equal layers make
    equal bytes.
    """
    settings: dict[object, Setting] = {}
    keys: dict[object, FunctionKey] = {}
    entries: dict[CertificateEntry, None] = {}
    unreadable: list[str] = []
    for layer in layers:
        for setting in layer.settings:
            _lay_over(settings, setting, Mark.SECRET)
        for key in layer.function_keys:
            _lay_over(keys, key, Mark.SECRET)
        entries.update(dict.fromkeys(layer.certificates))
        unreadable.extend(layer.unreadable)
    return Layer(
        tuple(settings.values()),
        tuple(keys.values()),
        tuple(entries),
        tuple(unreadable),
    )


Entry = TypeVar("Entry", Setting, FunctionKey)


def _lay_over(entries: dict[object, Entry], new: Entry, *staying: Mark) -> None:
    """Put ``new`` into its slot; if it has no mark, one of ``staying`` stays there."""
    old = entries.get(new.slot)
    if old is not None and old.mark in staying and new.mark is None:
        new = replace(new, mark=old.mark)
    entries[new.slot] = new


_ASSIGNMENT = re.compile(
    rf"\s*({NAME})(?:\[([0-9]{{1,4}})\])?\s*=(.*)", re.ASCII | re.DOTALL
)


def parse_setting(text: str, perm: str | None = None) -> Setting:
    """Read what an operator types: ``name=value`` or ``name[idx]=value``.

    ``perm`` is one of PERMS. Raises InputError; the message never repeats the text,
    which may hold a password.
    """
    found = _ASSIGNMENT.fullmatch(text)
    if not found:
        raise InputError(
            say("not a setting: no name=value in it"),
            hint=say("write name=value or name[idx]=value, such as user_name[1]=4711"),
        )
    name, idx, value = found.groups()
    return Setting(name, value, None if idx is None else int(idx), perm)


def parse_slot(text: str) -> tuple[str, int | None]:
    """Read ``name`` or ``name[idx]``. Raises InputError."""
    return parse_setting(f"{text}=").slot


def secret_key(name: str, idx: int | None) -> str:
    """Under which name ``Layer.to_plain`` puts a setting's secret value."""
    return f"setting {name}" if idx is None else f"setting {name} {idx}"


def _function_key_key(idx: int, context: str) -> str:
    return f"function key {idx} {context}"


def _items(plain: Mapping[str, Any], kind: str, bad: list[str]) -> Iterable[Any]:
    items = plain.get(kind, [])
    if isinstance(items, list):
        return items
    bad.append(f"{kind}: not a list")
    return []


def _text(item: Mapping[str, Any], field_name: str, default: str | None = None) -> str:
    value = item[field_name] if default is None else item.get(field_name, default)
    if not isinstance(value, str):
        raise TypeError(f"{field_name} is not text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("idx is not a number")
    return value


def _value(item: Mapping[str, Any], secrets: Mapping[str, str], key: str) -> str:
    if not item.get("secret"):
        return _text(item, "value")
    if key not in secrets:
        raise InputError(
            say("the secret value of %(key)s cannot be had", key=repr(key))
        )
    return _text(secrets, key)


_ORDINARY = (("name", "value"), ("name", "idx", "value"))
"""What most entries have, as they were written: no perm, no mark, no secret."""


def _read_setting(item: Mapping[str, Any], secrets: Mapping[str, str]) -> Setting:
    if tuple(item) in _ORDINARY:
        name, value, idx = item["name"], item["value"], item.get("idx")
        if type(name) is type(value) is str and type(idx) in (int, NoneType):
            make = setting_of if len(value) <= MAX_KEPT else Setting
            return make(name, value, idx)
    name = _text(item, "name")
    idx = None if item.get("idx") is None else _number(item["idx"])
    perm = None if item.get("perm") is None else _text(item, "perm")
    value = _value(item, secrets, secret_key(name, idx))
    mark = _mark(item)
    sealed_unsaid = item.get("secret") and mark is None and not item.get("guessed")
    if sealed_unsaid and not is_known(name):
        # An older linekey did not keep who said so; it may have been the operator.
        mark = Mark.SECRET
    if item.get("secret") or len(value) > MAX_KEPT:
        return Setting(name, value, idx, perm, mark)
    return setting_of(name, value, idx, perm, mark)


def _mark(item: Mapping[str, Any]) -> Mark | None:
    """Read a stored mark; one that a later linekey made counts as a secret's."""
    mark = item.get("mark")
    if mark is None:
        return None
    return Mark.PUBLIC if mark == Mark.PUBLIC.value else Mark.SECRET


def _read_function_key(
    item: Mapping[str, Any], secrets: Mapping[str, str]
) -> FunctionKey:
    idx = _number(item["idx"])
    context = _text(item, "context", "active")
    perm = None if item.get("perm") is None else _text(item, "perm")
    value = _value(item, secrets, _function_key_key(idx, context))
    return FunctionKey(
        idx,
        _text(item, "type"),
        value,
        context,
        _text(item, "label", ""),
        perm,
        _mark(item),
    )


_KINDS: tuple[tuple[str, Callable[..., Any], Callable[[Any], str]], ...] = (
    ("settings", _read_setting, lambda s: secret_key(s.name, s.idx)),
    ("function_keys", _read_function_key, lambda k: _function_key_key(*k.slot)),
)


def _why(error: Exception) -> str:
    if isinstance(error, InputError):
        return error.message
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    if isinstance(error, binascii.Error):
        return "not base64"
    return "not of the form it was written in"
