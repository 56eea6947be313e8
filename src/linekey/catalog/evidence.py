"""How a statement of the catalogue is backed: its source and its confidence."""

from dataclasses import dataclass
from typing import Literal

Confidence = Literal["H", "M", "L"]
"""H: vendor page, source code or certificate bytes. M: one good secondary source, or
a rule applied to a nearby row. L: inference."""

CONFIDENCE_MEANING: dict[Confidence, str] = {
    "H": "vendor page, source code or certificate bytes",
    "M": "one good secondary source, or a nearby row",
    "L": "inference",
}


SOURCES_MEANING: dict[str, str] = {
    "SNOM-TLS": 'Snom\'s page "TLS Support", which linekey follows first',
    "SNOM-SETTING": "Snom's pages of single settings",
    "SNOM-FILES": "Snom's pages on the files that phones fetch",
    "SNOM-CA": "the certificates of Snom's authorities, read from their bytes",
    "PBX-…": "public provisioning systems",
}
"""What the identifiers of sources stand for; docs/reference/sources.md has them all."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement about a phone: what, from where, how sure."""

    name: str
    """Stable id in dotted words, such as ``server_auth.forced``."""
    statement: str
    """One sentence that a reader understands without the program."""
    source: str
    """Where it is written: identifiers of docs/reference/sources.md, with the
    section."""
    confidence: Confidence


def sources_in(source: str) -> list[str]:
    """Several sources of one row, which a semicolon sets apart, one by one."""
    return [one.strip() for one in source.split(";")]


def weakest(*grades: Confidence) -> Confidence:
    """Return the least sure of the grades: a chain of inference is as weak as that."""
    return max(grades, key="HML".index)
