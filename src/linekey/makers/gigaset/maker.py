"""Gigaset's PRO desk phones, as far as sources go."""

from typing import Final

from linekey.makers.maker import Fact, FileKind, FileName, Maker
from linekey.makers.models import PhoneModel
from linekey.makers.snom import settings
from linekey.makers.snom.grammar import SNOM
from linekey.makers.snom.maker import GUARDS

_WIKI: Final = "GIGASET-WIKI"


def _model(name: str) -> PhoneModel:
    return PhoneModel(
        maker="gigaset", name=name, title=f"Gigaset {name} PRO",
        user_agent_name=f"Gigaset{name}", source=_WIKI, confidence="M",
        aliases=(f"{name} PRO", f"{name}PRO"),
    )  # fmt: skip


MODELS: Final[tuple[PhoneModel, ...]] = tuple(map(_model, ("P710", "P810", "P850")))

MAKER: Final = Maker(
    id="gigaset",
    title="Gigaset PRO desk phones",
    ouis=(("589EC6", "M"), ("00ACDC", "M"), ("000413", "M")),
    grammars=(SNOM,),
    files=(
        FileName("gigaset{model}-{mac}.htm", FileKind.OWN, "inference", "L"),
        FileName("gigaset{model}.htm", FileKind.COMMON, "inference", "L"),
        FileName("{mac}.xml", FileKind.OWN, _WIKI, "M"),
    ),
    user_agents=(),
    models=MODELS,
    map=settings.MAP,
    own=settings.own,
    guards=GUARDS,
    snom_like=True,
    sources=(_WIKI, "SNOM-FILES"),
    facts=(
        Fact("they have Snom's files, settings and permission flags", _WIKI, "M"),
        Fact("their certificates are taken to be shaped like Snom's", _WIKI, "M"),
    ),
    unknown=(
        "which authority issues their certificates",
        "their User-Agent, and the names of the files they ask for",
        "anything of the D8xx and M series",
    ),
)
