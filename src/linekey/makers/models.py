"""Phones of other makers: names, file numbers, how many accounts and keys they have.

What they can do in TLS is not here, since hardly any source tells it: what is not told
is unknown, and nothing is concluded from a sister model.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from linekey.catalog.evidence import Confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneModel:
    """One model of another maker than Snom."""

    maker: str
    """The maker's short name: ``yealink``."""
    name: str
    """As the maker writes it: ``T46U``, ``VVX450``, ``GRP2614``."""
    title: str
    """For people: ``Yealink SIP-T46U``."""
    user_agent_name: str
    """As the phone's User-Agent has it: ``SIP-T46U``, ``VVX_450``."""
    source: str
    confidence: Confidence
    aliases: tuple[str, ...] = ()
    file_numbers: tuple[int, ...] = ()
    """Yealink: the number in its model file, ``y000000000108.cfg``; several where
    sources disagree."""
    accounts: int | None = None
    keys: int | None = None
    """Line keys of the phone itself, on all pages."""
    counts_confidence: Confidence = "M"
    firmware: str = ""
    """A firmware that it is known to have had; empty: none is known."""
    readings: tuple[str, ...] = ()
    """What sources leave open, or where they disagree."""


def spelling(text: str) -> str:
    """Fold spelling: case, blanks, hyphens and underscores do not count."""
    return re.sub(r"[\s_-]", "", text).casefold()


def by_spelling(models: Iterable[PhoneModel]) -> Mapping[str, PhoneModel]:
    """Every spelling of every model; two models never share one."""
    found: dict[str, PhoneModel] = {}
    for model in models:
        names = (model.name, model.title, model.user_agent_name, *model.aliases)
        for text in names:
            other = found.setdefault(spelling(text), model)
            assert other is model, f"{text!r} is {other.name} and {model.name}"
    return found


def near(text: str, known: Mapping[str, PhoneModel]) -> list[str]:
    """Names of models that are spelt nearly so, the nearest first, at most five."""
    keys = difflib.get_close_matches(spelling(text), known, n=8, cutoff=0.6)
    return list(dict.fromkeys(known[key].name for key in keys))[:5]
