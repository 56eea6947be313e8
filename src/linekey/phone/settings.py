"""The phone's settings, as one immutable value.

Rules (SNOM-FILES; the SNOM-FILES, Permission Flags, H):

- ``R``, ``&`` or one blank: read-only; nobody changes it on the phone.
- ``RW``, ``$``, an empty ``perm`` (and none at all, M): the user may change it, and
  provisioning overwrites what the user set.
- ``!``: provisioning sets it only while the user has not.
- ``V`` (from 10.1.79.0), also combined with the others: volatile, gone at a reboot.
  Alone it also write-protects.

Every setting is kept, also one that nobody knows (``catalog.known_settings`` has the
known ones). A name is compared in lower case; ``idx`` None is the setting of the whole
phone. No repr shows a secret.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self

from linekey.catalog.secrecy import is_secret, is_secret_value
from linekey.errors import StorageError
from linekey.phone.typed import untypable

MAX_SETTINGS: Final = 20_000
"""A limit of linekey's: a full settings dump of a desk phone has some 2,500 entries."""
MAX_VALUE: Final = 64 * 1024
"""Characters of one value. The longest known are a certificate with its key (6 kB)."""

_READ_ONLY: Final = frozenset({"R", "&", " ", "V"})
_KEEPS_USERS: Final = "!"
PERMS: Final = frozenset({"", "R", "&", " ", "RW", "$", "!"})


class Origin(StrEnum):
    """Who set a value."""

    PROVISIONED = "provisioned"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting as it stands."""

    name: str
    idx: int | None
    value: str
    perm: str
    origin: Origin

    @property
    def read_only(self) -> bool:
        """Whether it may not be changed on the phone."""
        return (self.perm.replace("V", "") or self.perm) in _READ_ONLY

    @property
    def volatile(self) -> bool:
        """Whether a reboot forgets it."""
        return "V" in self.perm

    @property
    def secret(self) -> bool:
        """Whether its value may be shown nowhere."""
        return is_secret(self.name) or is_secret_value(self.value)

    @property
    def label(self) -> str:
        """``user_name`` with idx 1 is ``user_name1``, as the vendor writes it."""
        return self.name if self.idx is None else f"{self.name}{self.idx}"

    @property
    def shown(self) -> str:
        """The value for pages and logs: stars for a secret."""
        return "********" if self.secret and self.value else self.value

    def __repr__(self) -> str:
        return (
            f"Entry({self.label!r}, {self.shown!r}, perm={self.perm!r}, "
            f"origin={self.origin.value!r})"
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What came of an attempt to set something.

    ``settings`` is what holds afterwards (the same value if ``applied`` is false);
    ``reason`` a clause for the log, empty where there is nothing to say.
    """

    settings: "PhoneSettings"
    applied: bool
    reason: str = ""


Key = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class PhoneSettings:
    """All settings that were ever set, by (name in lower case, idx)."""

    entries: Mapping[Key, Entry] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        """Every entry, by name and idx."""
        order = sorted(self.entries, key=lambda k: (k[0], -1 if k[1] is None else k[1]))
        return (self.entries[key] for key in order)

    def __repr__(self) -> str:
        return f"PhoneSettings({len(self.entries)} entries)"

    def entry(self, name: str, idx: int | None = None) -> Entry | None:
        """The entry, or None if nobody set it.

        ``user_name1`` finds ``user_name`` with idx 1, too: the vendor's spelling in
        action URLs and settings dumps.
        """
        key = name.lower()
        found = self.entries.get((key, idx))
        if found is None and idx is None:
            bare = key.rstrip("0123456789")
            if bare != key and len(key) - len(bare) <= 4:
                found = self.entries.get((bare, int(key[len(bare) :])))
        return found

    def get(self, name: str, idx: int | None = None, default: str = "") -> str:
        """The value, or ``default`` if nobody set it."""
        found = self.entry(name, idx)
        return default if found is None else found.value

    def is_on(
        self, name: str, idx: int | None = None, *, default: bool = False
    ) -> bool:
        """An on/off setting; ``default`` where it is unset or neither of both."""
        value = self.get(name, idx).strip().lower()
        if value in ("on", "true", "1", "yes"):
            return True
        if value in ("off", "false", "0", "no"):
            return False
        return default

    def provision(
        self, name: str, value: str, *, idx: int | None = None, perm: str = ""
    ) -> Change:
        """Set what a document says, by the rule of its ``perm``."""
        problem = _problem(name, value, perm)
        key = (name.lower(), idx)
        before = self.entries.get(key)
        if not problem and before is None and len(self.entries) >= MAX_SETTINGS:
            problem = f"the phone has {MAX_SETTINGS} settings already"
        if problem:
            return Change(self, False, problem)
        keeps = _KEEPS_USERS in perm
        if keeps and before is not None and before.origin is Origin.USER:
            kept = replace(before, perm=perm)
            return Change(
                self._with(key, kept), False, "the user has set it, and perm is !"
            )
        entry = Entry(name, idx, value, perm, Origin.PROVISIONED)
        return Change(self._with(key, entry), True)

    def set_by_user(self, name: str, value: str, *, idx: int | None = None) -> Change:
        """Set what somebody entered on the phone or its pages."""
        problem = _problem(name, value, "") or _misspelt(name)
        key = (name.lower(), idx)
        before = self.entries.get(key)
        if not problem and before is None and len(self.entries) >= MAX_SETTINGS:
            problem = f"the phone has {MAX_SETTINGS} settings already"
        if problem:
            return Change(self, False, problem)
        if before is not None and before.read_only:
            return Change(
                self, False, f"{before.label} is read-only (perm {before.perm!r})"
            )
        perm = "" if before is None else before.perm
        entry = Entry(name, idx, value, perm, Origin.USER)
        return Change(self._with(key, entry), True)

    def without_volatile(self) -> Self:
        """What is left after a reboot."""
        kept = {k: e for k, e in self.entries.items() if not e.volatile}
        return replace(self, entries=kept)

    def _with(self, key: Key, entry: Entry) -> Self:
        return replace(self, entries={**self.entries, key: entry})

    def as_list(self) -> list[dict[str, Any]]:
        """For the phone's own state file: everything, secrets in the clear."""
        return [
            {
                "name": e.name,
                "idx": e.idx,
                "value": e.value,
                "perm": e.perm,
                "origin": e.origin.value,
            }
            for e in self
        ]

    @classmethod
    def from_list(cls, rows: Any) -> Self:
        """Read what ``as_list`` wrote. Raises StorageError for anything else."""
        try:
            entries = {
                (str(row["name"]).lower(), _idx(row["idx"])): Entry(
                    str(row["name"]),
                    _idx(row["idx"]),
                    str(row["value"]),
                    str(row["perm"]),
                    Origin(row["origin"]),
                )
                for row in rows
            }
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(
                f"the phone's settings cannot be read: {type(error).__name__}",
                hint="restore the state folder, or reset the phone to factory defaults",
            ) from None
        return cls(entries)


def _idx(value: Any) -> int | None:
    return None if value is None else int(value)


def is_perm(perm: str) -> bool:
    """Whether ``perm`` is one of the vendor's flags."""
    return perm == "V" or perm.replace("V", "", 1) in PERMS


def _misspelt(name: str) -> str:
    """A person's typing error: no XML element, so no setting, has such a name."""
    if name.isascii() and name.replace("_", "").replace("-", "").isalnum():
        return ""
    return "a setting's name has letters, digits, _ and - only"


def _problem(name: str, value: str, perm: str) -> str:
    if not name or len(name) > 128 or not name.isprintable():
        return "its name is empty, too long or not printable"
    if len(value) > MAX_VALUE:
        return f"its value has {len(value)} characters; at most {MAX_VALUE} are kept"
    if odd := untypable(value, lines=True):
        return f"its value holds the character {odd}, which nobody can type"
    if not is_perm(perm):
        return f"perm {perm!r} is none of the flags R, &, RW, $, !, V"
    return ""
