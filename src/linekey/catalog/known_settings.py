"""The settings of Snom desk phones that linekey knows by name, some 1,050.

Each row says whether the setting belongs to an account or another entry (``idx``),
whether it is a secret, on whose word, and, where linekey or its users meet it, what it
means. A phone has some 2,500 settings, so a name that is not here need not be wrong;
``why_unknown`` says what is odd about it and which known name is near, and whoever sets
it has to insist. Other makers' settings are not here.

The rows lie in ``data/known_settings.tsv``, which says what its columns are.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final, cast

from linekey.catalog.evidence import Confidence
from linekey.errors import InputError
from linekey.said import joined, say

_COLUMNS: Final = 6
_NEAR: Final = 0.72
"""Likeness of difflib's from which a name is offered: ``lable`` is 0.8 of ``label``."""


_SYNONYMS: Final = MappingProxyType(
    dict.fromkeys(("password", "passwort", "kennwort", "secret"), "user_pass")
    | dict.fromkeys(("user", "username", "extension", "nebenstelle"), "user_name")
    | dict.fromkeys(("displayname", "display_name", "anzeigename"), "user_realname")
    | dict.fromkeys(("registrar", "sip_server"), "user_host")
)
"""What tables of people call the settings of an account."""


class Secrecy(StrEnum):
    """Whether a setting's value is a secret."""

    NONE = "-"
    VALUE = "value"
    """By what stands in it: a URL may hold a password."""
    SECRET = "secret"  # noqa: S105 - a word of the data file


@dataclass(frozen=True, slots=True)
class KnownSetting:
    """One setting: what it is, on whose word. ``meaning`` is empty for most."""

    name: str
    indexed: bool
    """Whether it belongs to an account or another entry, and so needs an idx."""
    secrecy: Secrecy
    confidence: Confidence
    source: str
    meaning: str = ""

    @property
    def written(self) -> str:
        """The name as an operator writes it: ``user_name[1]``, ``language``."""
        return f"{self.name}[1]" if self.indexed else self.name


@cache
def known_settings() -> Mapping[str, KnownSetting]:
    """All rows by their name in lower case, in the data's order."""
    data = files("linekey.catalog").joinpath("data/known_settings.tsv")
    rows: dict[str, KnownSetting] = {}
    for line in data.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        cells += [""] * (_COLUMNS - len(cells))
        name, idx, secrecy, confidence, source, meaning = cells
        rows[name.lower()] = KnownSetting(
            name,
            idx == "idx",
            Secrecy(secrecy),
            cast(Confidence, confidence),
            source,
            meaning,
        )
    return MappingProxyType(rows)


@lru_cache(maxsize=8192)
def find_known(name: str) -> KnownSetting | None:
    """The row for a setting; None if unknown.

    Case makes no difference, and an idx may stand at the end of the name of a setting
    that has one (``user_name1``): phones and their dumps write it so.
    """
    rows = known_settings()
    lower = name.lower()
    if row := rows.get(lower):
        return row
    row = rows.get(lower.rstrip("0123456789"))
    return row if row is not None and row.indexed else None


def written_with_idx(text: str) -> tuple[str, int] | None:
    """Read ``user_name1`` as name and idx; None if it is no such spelling."""
    if text.lower() in known_settings():
        return None
    found = re.fullmatch(r"(\w*[a-z_])([0-9]{1,3})", text, re.ASCII | re.IGNORECASE)
    if found is None:
        return None
    row = known_settings().get(found[1].lower())
    return (found[1], int(found[2])) if row is not None and row.indexed else None


def near_name(text: str, more: Iterable[str] = ()) -> str:
    """The known name most like ``text``, as written; empty if none is.

    ``more`` are other words that could have been meant, such as a table's columns.
    """
    candidates = {word: word for word in more}
    for lower, row in known_settings().items():
        candidates.setdefault(lower, row.written)
    bare = re.sub(r"\[.*|[0-9]+$", "", text.strip().lower())
    if synonym := _SYNONYMS.get(bare):
        return known_settings()[synonym].written
    found = difflib.get_close_matches(bare, candidates, n=1, cutoff=_NEAR)
    return candidates[found[0]] if found else ""


_KEYS: Final = ("fkey", "gui_fkey", "speed")
"""Settings of keys, which count from 0."""
_MOST_KEY: Final = 127
"""A limit of linekey's; with side cars the largest phones have some 80 keys (L)."""
_MOST_CONTEXT_KEY: Final = 3
"""Four keys below the display (facts/snom-more.md F, M)."""
_ACCOUNTS: Final = 12
"""Accounts of a desk phone (vendor, M)."""
_ENTRIES: Final = (
    "callrecord_", "chars_in_", "dfks", "general_purpose_xml", "internal_ringer",
    "mc_address", "multicast_relay", "server_directories", "tbook_", "tr369_",
)  # fmt: skip
"""Beginnings of settings whose idx is an entry's of some list, not an account's (L)."""
_MOST_ENTRY: Final = 9999
"""A limit of linekey's: how long these lists are is not known."""


def idx_bounds(name: str) -> tuple[int, int]:
    """The least and the greatest idx of a setting; wide where it is not known."""
    lower = name.lower()
    if lower.startswith("context_key"):
        return 0, _MOST_CONTEXT_KEY
    if lower.startswith(_KEYS):
        return 0, _MOST_KEY
    row = known_settings().get(lower)
    if row is None or not row.indexed or lower.startswith(_ENTRIES):
        return 0, _MOST_ENTRY
    return 1, _ACCOUNTS


def _fitting(name: str, idx: int | None) -> str:
    """The setting with the nearest idx that it may have: ``user_name[12]``."""
    least, most = idx_bounds(name)
    return f"{name}[{min(max(idx or 0, least), most)}]"


def odd_idx(name: str, idx: int | None) -> str:
    """Why the setting has no such idx, a clause; empty where it may have it."""
    least, most = idx_bounds(name)
    if idx is None or least <= idx <= most:
        return ""
    return say(
        "%(name)s has no idx %(idx)s: it is %(least)s to %(most)s for this setting",
        name=repr(name[:48]),
        idx=idx,
        least=least,
        most=most,
    )


@dataclass(frozen=True, slots=True)
class UnknownSetting:
    """What is odd about a setting's name: a clause, and what to write instead."""

    written: str
    reason: str
    instead: str = ""

    def __str__(self) -> str:
        return str(self.sentence)

    @property
    def sentence(self) -> str:
        """Both in one."""
        if not self.instead:
            return self.reason
        return say(
            "%(reason)s; did you mean %(near)s?", reason=self.reason, near=self.instead
        )


def why_unknown(
    name: str, idx: int | None, more: Iterable[str] = ()
) -> UnknownSetting | None:
    """Why no phone is known to have this setting; None: it is known just so.

    Also told: an idx that is missing (``user_name`` sets no account's name), one where
    there is none or that is out of bounds, and another spelling by case, which a phone
    does not know.
    """
    written = name if idx is None else f"{name}[{idx}]"
    row = known_settings().get(name.lower())
    if row is None or row.name != name:
        with_idx = written_with_idx(name) if idx is None else None
        if with_idx is not None:
            near = _fitting(with_idx[0].lower(), with_idx[1])
        elif row is not None:
            near = row.name if idx is None else _fitting(row.name, idx)
        else:
            near = near_name(name, more).replace("[1]", f"[{idx or 1}]")
        unknown = say("%(name)s is no known setting", name=repr(written))
        return UnknownSetting(written, unknown, near)
    if row.indexed and idx is None:
        return UnknownSetting(
            written,
            say(
                "%(name)s belongs to an account or another entry and needs its idx",
                name=repr(written),
            ),
            f"{name}[1]",
        )
    if idx is not None and not row.indexed:
        return UnknownSetting(
            written,
            say(
                "%(name)s is a setting of the whole phone and has no idx",
                name=repr(name),
            ),
            name,
        )
    if odd := odd_idx(name, idx):
        return UnknownSetting(written, odd, _fitting(name, idx))
    return None


INSIST: Final = "--allow-unknown"
PUBLIC: Final = "--public"


def refuse_unknown(
    slots: Iterable[tuple[str, int | None]],
    marked: Collection[tuple[str, int | None]] = (),
    why: Callable[[str, int | None], UnknownSetting | None] = why_unknown,
) -> None:
    """Raise InputError if any (name, idx) is not a known setting; all are told.

    ``why`` says what is odd about one, where other makers' settings count, too. Those
    that the operator marks as secret or public are known by that word, unless a known
    name is near: then it is a misspelling of that one until he insists.
    """
    unknown = [
        odd
        for name, idx in slots
        if (odd := why(name, idx)) and ((name, idx) not in marked or odd.instead)
    ]
    if not unknown:
        return
    raise InputError(
        joined([odd.sentence for odd in unknown]),
        hint=say(
            "correct the name; %(insist)s sets it as it is, and a "
            "common file leaves such a setting out unless %(public)s "
            "names it",
            insist=INSIST,
            public=PUBLIC,
        ),
    )
