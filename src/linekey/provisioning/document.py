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
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self, TypeVar

from linekey.catalog.known_settings import find_known
from linekey.catalog.secrecy import is_secret, is_secret_value
from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_certificates
from linekey.errors import InputError

__all__ = [
    "CertificateEntry",
    "FunctionKey",
    "Layer",
    "Mark",
    "Setting",
    "is_secret",
    "merge",
    "parse_setting",
]

PERMS = frozenset({"", "R", "&", "RW", "$", "!"})
"""``R``, ``&``, blank: read-only; ``RW``, ``$``: the user may change it and
provisioning overwrites; ``!``: set only if the user has not (SNOM-FILES)."""

MAX_NAME = 128
"""Characters of a setting's name; the longest known has about 50."""
MAX_VALUE = 64 * 1024
"""Characters of a value; the longest is a certificate chain with its key."""
MAX_IDX = 9999
"""Function keys of expansion modules go to some hundreds."""

STARS = "********"
"""What a preview has in the place of a secret."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_KEY_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
# What XML 1.0 §2.2 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _check_text(text: str, what: str) -> None:
    if len(text) > MAX_VALUE:
        raise InputError(
            f"{what} has {len(text)} characters, over the limit of {MAX_VALUE}",
            hint="shorten it, or serve it as a document of its own",
        )
    if found := _FORBIDDEN.search(text):
        raise InputError(
            f"{what} holds U+{ord(found.group()):04X}, which no XML document can carry",
            hint="remove the control character",
        )


def _check_idx(idx: int, what: str) -> None:
    if not 0 <= idx <= MAX_IDX:
        raise InputError(
            f"{what} has idx {idx}", hint=f"an idx is a number from 0 to {MAX_IDX}"
        )


def _check_perm(perm: str | None, what: str) -> None:
    if perm is not None and perm not in PERMS:
        raise InputError(
            f"{what} has perm {perm!r}",
            hint="perm is R or & (read-only), RW or $ (overwritten), ! (set once)",
        )


class Mark(StrEnum):
    """The operator's word on a value, kept with it."""

    SECRET = "secret"  # noqa: S105 - a word of the stored form
    """Sealed at rest, shown nowhere, and in no file but its own phone's."""
    PUBLIC = "public"
    """May go into a file for more than one phone although linekey does not know the
    setting, or its name looks like a secret's. What the catalogue calls a secret, and
    a value that holds one, stays one."""


@dataclass(frozen=True, slots=True, repr=False)
class Setting:
    """One phone setting: ``<name idx="N" perm="…">value</name>``.

    ``idx`` is the line or entry it belongs to (``user_name idx="1"``), None for a
    setting of the whole phone. ``perm`` is one of PERMS; None leaves the attribute out.
    ``mark`` is the operator's word, if there was one.
    Raises InputError for a name that is no XML element name, and for text that no XML
    document can carry.
    """

    name: str
    value: str
    idx: int | None = None
    perm: str | None = None
    mark: Mark | None = None

    def __post_init__(self) -> None:
        if len(self.name) > MAX_NAME or not _NAME.fullmatch(self.name):
            raise InputError(
                f"not a setting name: {self.name[:MAX_NAME]!r}",
                hint="letters, digits, '_', '.' and '-', such as user_name",
            )
        what = f"setting {self.name!r}"
        if self.idx is not None:
            _check_idx(self.idx, what)
        _check_perm(self.perm, what)
        _check_text(self.value, what)

    @property
    def secret(self) -> bool:
        """Whether the value is a secret: marked as one, or by its name or content."""
        if self.mark is Mark.SECRET or is_secret_value(self.value):
            return True
        if self.mark is Mark.PUBLIC and find_known(self.name) is None:
            return False
        return is_secret(self.name)

    @property
    def shared(self) -> bool:
        """Whether it may stand in a file for more than one phone."""
        if self.secret:
            return False
        return self.mark is Mark.PUBLIC or find_known(self.name) is not None

    @property
    def slot(self) -> tuple[str, int | None]:
        """What a later layer overwrites: name and idx."""
        return self.name, self.idx

    def __repr__(self) -> str:
        shown = "<secret>" if self.secret else repr(self.value)
        return f"Setting({self.name!r}, {shown}, idx={self.idx}, perm={self.perm!r})"


@dataclass(frozen=True, slots=True, repr=False)
class FunctionKey:
    """One function key: ``<fkey idx context label perm>TYPE VALUE</fkey>``.

    ``type`` is Snom's word (line, speed, dest, blf, url, keyevent, none …), not checked
    against a list since firmware adds to it. Raises InputError as Setting does.
    """

    idx: int
    type: str
    value: str = ""
    context: str = "active"
    label: str = ""
    perm: str | None = None
    mark: Mark | None = None

    def __post_init__(self) -> None:
        what = f"function key {self.idx}"
        _check_idx(self.idx, what)
        if len(self.type) > MAX_NAME or not _KEY_TYPE.fullmatch(self.type):
            raise InputError(
                f"{what} has type {self.type[:MAX_NAME]!r}",
                hint="one word, such as line, speed, dest, blf, url, keyevent or none",
            )
        _check_perm(self.perm, what)
        for text in (self.value, self.context, self.label):
            _check_text(text, what)

    @property
    def secret(self) -> bool:
        """Whether the value is a secret: marked, or such as a URL with a password."""
        return self.mark is Mark.SECRET or is_secret_value(self.text)

    @property
    def slot(self) -> tuple[int, str]:
        """What a later layer overwrites: idx and context."""
        return self.idx, self.context

    @property
    def text(self) -> str:
        """The element's text: type and value."""
        return f"{self.type} {self.value}" if self.value else self.type

    def __repr__(self) -> str:
        shown = "<secret>" if self.secret else repr(self.value)
        return (
            f"FunctionKey({self.idx}, {self.type!r}, {shown}, "
            f"context={self.context!r}, label={self.label!r}, perm={self.perm!r})"
        )


@dataclass(frozen=True, slots=True, repr=False)
class CertificateEntry:
    """One certificate the phone is told to trust (``<certificate>``), as DER.

    Raises CertificateError (an InputError) if ``der`` is not exactly one certificate.
    """

    der: bytes
    certificate: Certificate = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "certificate", Certificate.from_der(self.der))

    def __repr__(self) -> str:
        return f"CertificateEntry({self.certificate.sha256})"

    @classmethod
    def from_file(cls, data: bytes, origin: str) -> "tuple[CertificateEntry, ...]":
        """Read a file the operator names: PEM (one or many), DER, or bare base64.

        ``origin`` is the file's name for the error. Raises InputError for a file that
        holds no certificate, or something else next to them, such as a private key.
        """
        try:
            found = parse_certificates(data)
        except InputError as error:
            raise InputError(
                f"{origin}: {error.message}",
                hint=error.hint or "give a certificate in PEM or DER form",
            ) from error
        return tuple(cls(certificate.der) for certificate in found)


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
        merged: dict[object, Setting] = {s.slot: s for s in self.settings}
        for setting in settings:
            _lay_over(merged, setting, *Mark)
        return replace(self, settings=tuple(merged.values()))

    def without_setting(self, name: str, idx: int | None = None) -> Self:
        """Remove one setting; nothing happens if it is not there."""
        kept = tuple(s for s in self.settings if s.slot != (name, idx))
        return replace(self, settings=kept)

    def with_function_keys(self, *keys: FunctionKey) -> Self:
        """Set these, overwriting what has the same idx and context; marks stay."""
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
        if not any(s.name.lower() in names for s in self.settings):
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
                secrets[_setting_key(s.name, s.idx)] = s.value
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
    r"\s*([A-Za-z_][A-Za-z0-9_.-]*)(?:\[([0-9]{1,4})\])?\s*=(.*)", re.ASCII | re.DOTALL
)


def parse_setting(text: str, perm: str | None = None) -> Setting:
    """Read what an operator types: ``name=value`` or ``name[idx]=value``.

    ``perm`` is one of PERMS. Raises InputError; the message never repeats the text,
    which may hold a password.
    """
    found = _ASSIGNMENT.fullmatch(text)
    if not found:
        raise InputError(
            "not a setting: no name=value in it",
            hint="write name=value or name[idx]=value, such as user_name[1]=4711",
        )
    name, idx, value = found.groups()
    return Setting(name, value, None if idx is None else int(idx), perm)


def parse_slot(text: str) -> tuple[str, int | None]:
    """Read ``name`` or ``name[idx]``. Raises InputError."""
    return parse_setting(f"{text}=").slot


def _setting_key(name: str, idx: int | None) -> str:
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
        raise InputError(f"the secret value of {key!r} cannot be had")
    return _text(secrets, key)


def _read_setting(item: Mapping[str, Any], secrets: Mapping[str, str]) -> Setting:
    name = _text(item, "name")
    idx = None if item.get("idx") is None else _number(item["idx"])
    perm = None if item.get("perm") is None else _text(item, "perm")
    value = _value(item, secrets, _setting_key(name, idx))
    mark = _mark(item)
    sealed_unsaid = item.get("secret") and mark is None and not item.get("guessed")
    if sealed_unsaid and find_known(name) is None:
        # An older linekey did not keep who said so; it may have been the operator.
        mark = Mark.SECRET
    return Setting(name, value, idx, perm, mark)


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
    ("settings", _read_setting, lambda s: _setting_key(s.name, s.idx)),
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
