"""Gigaset's PRO desk phones, as far as sources go."""

from typing import Final

from linekey.catalog.models import Model
from linekey.makers.maker import Fact, FileKind, FileName, Maker
from linekey.makers.models import models_of_maker
from linekey.makers.snom import settings
from linekey.makers.snom.grammar import SNOM
from linekey.makers.snom.maker import GUARDS

_WIKI: Final = "GIGASET-WIKI"
_TANCREDI: Final = "PBX-TANCREDI"
_BOTH: Final = f"{_WIKI}; {_TANCREDI}"

MODELS: Final[tuple[Model, ...]] = models_of_maker("gigaset")

MAKER: Final = Maker(
    id="gigaset",
    title="Gigaset PRO desk phones",
    ouis=(("589EC6", "H"), ("00ACDC", "H"), ("000413", "H")),
    grammars=(SNOM,),
    files=(
        FileName("gigaset{model}-{mac}.htm", FileKind.OWN, "inference", "L"),
        FileName("gigaset{model}.htm", FileKind.COMMON, "inference", "L"),
        FileName("{mac}.xml", FileKind.OWN, _BOTH, "H",
                 note="the MAC in lower case, where the setting server says {mac}"),
    ),
    user_agents=(),
    models=MODELS,
    map=settings.MAP,
    own=settings.own,
    guards=GUARDS,
    snom_like=True,
    sources=(_WIKI, _TANCREDI, "SNOM-FILES"),
    facts=(
        Fact("they have Snom's files, settings and permission flags", _BOTH, "H"),
        Fact("their certificates are taken to be shaped like Snom's", _WIKI, "M"),
        Fact("of Snom's 00:04:13 they have 00:04:13:E2, E3, E5 and E7, most of 80 and"
             " parts of D8; of 00:AC:DC, E3 and E4", _TANCREDI, "M"),
        Fact("P8xx and Snom's D8xx have accounts of their own for the web interface:"
             " webserver_admin_name and _password, webserver_user_name and _password,"
             " in the place of http_user and http_pass", _TANCREDI, "M"),
        Fact("LDAP goes over LDAPS or in clear, not by StartTLS", _TANCREDI, "M"),
        Fact("Maxwell and DECT bases (N510, N610, N670, N870; OUI 7C:2F:80, 14:B3:70,"
             " 00:21:04) are no kin of Snom's: another grammar, <provisioning>",
             f"{_WIKI}; {_TANCREDI}; PBX-FUSION; PBX-WAZO", "H"),
        Fact("Snom's DECT bases of the M series read <settings> with other settings"
             " than desk phones", "PBX-WAZO", "M"),
    ),
    unknown=(
        "which authority issues their certificates",
        "their User-Agent, and which of the .htm names they ask for",
        "the certificates of Snom's D8xx and M series",
    ),
)  # fmt: skip
