"""Every maker whose files linekey writes and reads, and every model of theirs."""

from typing import Any, Final

from linekey.catalog.evidence import sources_in
from linekey.catalog.models import MODELS as SNOM_MODELS
from linekey.catalog.models import SNOM as SNOM_ID
from linekey.catalog.models import Model, find_model
from linekey.errors import InputError
from linekey.makers.gigaset.maker import MAKER as GIGASET
from linekey.makers.grandstream.maker import MAKER as GRANDSTREAM
from linekey.makers.maker import Maker
from linekey.makers.models import file_numbers
from linekey.makers.poly.maker import MAKER as POLY
from linekey.makers.snom.maker import MAKER as SNOM
from linekey.makers.yealink.maker import MAKER as YEALINK

MAKERS: Final[dict[str, Maker]] = {
    maker.id: maker for maker in (SNOM, YEALINK, POLY, GRANDSTREAM, GIGASET)
}
NOT_YET: Final = ("audiocodes", "cisco", "fanvil", "htek", "mitel", "panasonic")
"""Makers whose phones are known by certificate or name, and whose files are not."""
_LAB: Final = "lab-"


def maker_of(vendor: str | None) -> Maker | None:
    """The maker by a vendor's short name, the lab's too; None: none that is known."""
    return None if not vendor else MAKERS.get(vendor.removeprefix(_LAB))


def find_other(text: str) -> Model | None:
    """Another maker's model by any spelling of its name; None: there is none.

    ``T46U``, ``SIP-T46U``, ``Yealink T46U``, ``VVX 450`` and ``vvx_450`` all do.
    """
    try:
        found = find_model(text)
    except InputError:
        return None
    return None if found.maker == SNOM_ID else found


def other_model_json(model: Model) -> dict[str, Any]:
    """What is known of another maker's model whatever its firmware, as JSON values."""
    if model.maker == SNOM_ID:
        raise TypeError(f"{model.name} is a Snom: catalog.describe has it")
    return {
        "model": model.name,
        "maker": model.maker,
        "title": model.title,
        "user_agent_name": model.user_agent_name,
        "aliases": list(model.aliases),
        "file_numbers": list(file_numbers(model)),
        "accounts": model.accounts,
        "keys": model.line_keys,
        "source": model.source,
        "sources": sources_in(model.source),
        "confidence": model.confidence,
        "readings": list(model.readings),
    }


def models_of(maker: str) -> tuple[Model, ...]:
    """All models of a maker. Raises InputError for one that is not known."""
    if maker == "snom":
        return tuple(SNOM_MODELS.values())
    found = MAKERS.get(maker.lower())
    if found is None:
        known = ", ".join(MAKERS)
        more = f"; {maker.lower()} comes later" if maker.lower() in NOT_YET else ""
        raise InputError(f"unknown maker: {maker[:40]!r}", hint=f"one of {known}{more}")
    return found.models
