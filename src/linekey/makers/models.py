"""Phones of other makers: names, file numbers, how many accounts and keys they have.

The rows are the catalogue's (``catalog.other_models``), which finds them by any
spelling. What they can do in TLS is not here, since hardly any source tells it: what is
not told is unknown, and nothing is concluded from a sister model.
"""

from dataclasses import dataclass

from linekey.catalog.evidence import Confidence
from linekey.catalog.models import OTHERS, Model


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
    firmware: str = ""
    """A firmware that it is known to have had; empty: none is known."""
    readings: tuple[str, ...] = ()
    """What sources leave open, or where they disagree."""


def models_of_maker(maker: str) -> tuple[PhoneModel, ...]:
    """Every model of a maker that the catalogue has."""
    return tuple(_phone(model) for model in OTHERS.values() if model.maker == maker)


def _phone(model: Model) -> PhoneModel:
    return PhoneModel(
        maker=model.maker,
        name=model.name,
        title=model.title,
        user_agent_name=model.user_agent_name,
        source=model.source,
        confidence=model.confidence,
        aliases=model.aliases,
        file_numbers=tuple(int(n) for n in model.code.split() if n.isdecimal()),
        accounts=model.accounts,
        keys=model.line_keys,
        firmware=model.usual_firmware,
        readings=model.readings,
    )
