"""What a phone is told, one thing each: a setting, a function key, a certificate.

Rules: a value is checked when it is made. No ``repr`` shows a secret. Whether a value
is a secret is the operator's word first, and it is kept with the value (``Mark``); a
guess by the name or by what the value says only adds to it (``catalog.secrecy``).

Sources: SNOM-FILES (H) for idx, perm, function keys and certificates; XML 1.0
§2.2 for the characters a document can hold.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

from linekey.catalog.secrecy import is_secret_value
from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_certificates
from linekey.errors import InputError
from linekey.makers.known import is_known, is_secret
from linekey.makers.terms import is_term, problem_of
from linekey.said import say

PERMS = frozenset({"", "R", "&", "RW", "$", "!"})
"""``R``, ``&``, blank: read-only; ``RW``, ``$``: the user may change it and
provisioning overwrites; ``!``: set only if the user has not (SNOM-FILES)."""

MAX_NAME = 128
"""Characters of a setting's name; the longest known has about 50."""
MAX_VALUE = 64 * 1024
"""Characters of a value; the longest is a certificate chain with its key."""
MAX_IDX = 9999
"""Function keys of expansion modules go to some hundreds."""

NAME: Final = r"(?:[a-z]{2,16}:)?[A-Za-z_][A-Za-z0-9_.-]*"
"""A setting's name as a regular expression: an XML element's, perhaps with a maker's
short name and a colon before it (``yealink:account.1.label``)."""
_NAME = re.compile(NAME, re.ASCII)
_KEY_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
# What XML 1.0 §2.2 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@lru_cache(maxsize=8192)
def _is_name(text: str) -> bool:
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def _check_text(text: str, what: str) -> None:
    if len(text) > MAX_VALUE:
        raise InputError(
            say(
                "%(what)s has %(count)s characters, over the limit of %(max_value)s",
                what=what,
                count=len(text),
                max_value=MAX_VALUE,
            ),
            hint=say("shorten it, or serve it as a document of its own"),
        )
    if found := _FORBIDDEN.search(text):
        raise InputError(
            say(
                "%(what)s holds U+%(code)s, which no XML document can carry",
                what=what,
                code=f"{ord(found.group()):04X}",
            ),
            hint=say("remove the control character"),
        )


def _check_idx(idx: int, what: str) -> None:
    if not 0 <= idx <= MAX_IDX:
        raise InputError(
            say("%(what)s has idx %(idx)s", what=what, idx=idx),
            hint=say("an idx is a number from 0 to %(max_idx)s", max_idx=MAX_IDX),
        )


def _check_perm(perm: str | None, what: str) -> None:
    if perm is not None and perm not in PERMS:
        raise InputError(
            say("%(what)s has perm %(perm)s", what=what, perm=repr(perm)),
            hint=say("perm is R or & (read-only), RW or $ (overwritten), ! (set once)"),
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
    Raises InputError for a name that is no XML element name (perhaps with a maker
    before it), for text that no XML document can carry, and for a value that a neutral
    setting (``any.…``) cannot have.
    """

    name: str
    value: str
    idx: int | None = None
    perm: str | None = None
    mark: Mark | None = None
    _secret: bool | None = field(default=None, init=False, compare=False)
    """What ``secret`` found: it costs more than to make the setting."""
    _shared: bool | None = field(default=None, init=False, compare=False)

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise InputError(
                say("not a setting name: %(name)s", name=repr(self.name[:MAX_NAME])),
                hint=say("letters, digits, '_', '.' and '-', such as user_name"),
            )
        # Its words for an error are made where there is one: there are many settings.
        if self.idx is not None and not 0 <= self.idx <= MAX_IDX:
            _check_idx(self.idx, f"setting {self.name!r}")
        if self.perm is not None:
            _check_perm(self.perm, f"setting {self.name!r}")
        if len(self.value) > MAX_VALUE or _FORBIDDEN.search(self.value):
            _check_text(self.value, f"setting {self.name!r}")
        if is_term(self.name) and (odd := problem_of(self.name, self.idx, self.value)):
            raise InputError(
                odd, hint=say("docs/reference/makers.md has all neutral settings")
            )

    @property
    def secret(self) -> bool:
        """Whether the value is a secret: marked as one, or by its name or content."""
        found = self._secret
        if found is None:
            found = self._is_secret()
            object.__setattr__(self, "_secret", found)
        return found

    def _is_secret(self) -> bool:
        if self.mark is Mark.SECRET or is_secret_value(self.value):
            return True
        if self.mark is Mark.PUBLIC and not is_known(self.name):
            return False
        return is_secret(self.name)

    @property
    def shared(self) -> bool:
        """Whether it may stand in a file for more than one phone."""
        found = self._shared
        if found is None:
            public = self.mark is Mark.PUBLIC or is_known(self.name)
            found = public and not self.secret
            object.__setattr__(self, "_shared", found)
        return found

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
                say(
                    "%(what)s has type %(type)s",
                    what=what,
                    type=repr(self.type[:MAX_NAME]),
                ),
                hint=say(
                    "one word, such as line, speed, dest, blf, url, keyevent or none"
                ),
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
                say("%(origin)s: %(message)s", origin=origin, message=error.message),
                hint=error.hint or "give a certificate in PEM or DER form",
            ) from error
        return tuple(cls(certificate.der) for certificate in found)


MAX_KEPT = 64
"""Characters of a value that ``setting_of`` is for: so it keeps some MB at most."""


@lru_cache(maxsize=8192)
def setting_of(
    name: str,
    value: str,
    idx: int | None = None,
    perm: str | None = None,
    mark: Mark | None = None,
) -> Setting:
    """Return a Setting, the same one for the same words: most phones share most.

    Not for secrets, since the last ones are kept. Raises InputError as Setting does.
    """
    return Setting(name, value, idx, perm, mark)
