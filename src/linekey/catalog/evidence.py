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
    "seed": 'the vendor\'s page "TLS Support", which linekey follows first',
    "facts": "what vendor pages, settings dumps and public systems say beyond it",
}
"""What the first word of a source stands for."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement about a phone: what, from where, how sure."""

    name: str
    """Stable id in dotted words, such as ``server_auth.forced``."""
    statement: str
    """One sentence that a reader understands without the program."""
    source: str
    """Where it is written: a section of the seed, a § of the facts, an RFC §."""
    confidence: Confidence


def weakest(*grades: Confidence) -> Confidence:
    """Return the least sure of the grades: a chain of inference is as weak as that."""
    return max(grades, key="HML".index)
