"""Other makers' models: what their files and User-Agents call them, and which firmware.

Data, a row a model. No source tells by model and firmware which TLS versions, suites,
key types or hashes any of them has, so no row holds one: ``models.Model.is_known`` is
false for them, and whoever judges says "unknown" (``profile``). What is known of a
maker as a whole, such as whether its phones verify servers out of the box, is in
``MAKERS_DEFAULTS``.

Sources: PBX-WAZO (its plugins name model and firmware together), PBX-FUSION (its
templates, and the numbers in the names of Yealink's model files), PBX-FSPBX. A row's
confidence is that of its file name or User-Agent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from linekey.catalog.evidence import Confidence

YEALINK, POLY, GRANDSTREAM, GIGASET = "yealink", "poly", "grandstream", "gigaset"
_WAZO = "PBX-WAZO"
_FUSION = "PBX-FUSION"
_BOTH = "PBX-FUSION; PBX-WAZO"


@dataclass(frozen=True, slots=True)
class OtherModel:
    """One model of another maker."""

    maker: str
    """Short name as in ``vendors.IDENTITY_RULES``."""
    name: str
    """``T46U``."""
    user_agent_name: str
    """As its User-Agent writes it: ``SIP-T46U``, ``PolycomVVX-VVX_450``."""
    code: str
    """What the maker's file for all phones of the model is called by: Yealink's number
    ``108``, Grandstream's name ``grp2614``; several with blanks between them where
    sources disagree; empty: it has none, or none is known."""
    firmware: str
    """A firmware that a source names with it; else of its maker's numbering (L)."""
    source: str
    confidence: Confidence
    accounts: int | None = None
    line_keys: int | None = None
    shared_certificate: bool = False
    aliases: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()
    """What the sources leave open, or where they disagree."""


@dataclass(frozen=True, slots=True)
class MakerDefaults:
    """How a maker's phones treat servers' certificates out of the box."""

    title: str
    verifies: bool
    """Whether the chain is checked by default."""
    forced: bool
    """True: no setting is known that turns the check off."""
    checks_name: bool
    ca_set: str
    """Which CAs count by default: ``builtin``, ``custom`` or ``all``."""
    statement: str
    source: str
    confidence: Confidence
    told: str = ""
    """What a source tells of their TLS that is too little to judge by; empty: nothing.
    Its source is ``told_by`` (M)."""
    told_by: str = ""


MAKERS_DEFAULTS: Final[dict[str, MakerDefaults]] = {
    YEALINK: MakerDefaults(
        "Yealink", verifies=True, forced=False, checks_name=False, ca_set="builtin",
        statement="verifies the chain by default (static.security.trust_certificates 1)"
        " and does not check the name (static.security.cn_validation 0)",
        source="YEALINK-GUIDE; PBX-FUSION, comments of the vendor's template t56a",
        confidence="M",
        told="guides list suites for several models at once: RSA and DHE with AES-CBC,"
        " 3DES, DES, RC4 and worse, those of the VP59, T58A and CP960 ECDHE as well;"
        " not which of them are offered, nor in which versions",
        told_by="YEALINK-GUIDE T2/T4/T5 p. 938, T58 p. 315",
    ),
    POLY: MakerDefaults(
        "Poly", verifies=True, forced=True, checks_name=True, ca_set="all",
        statement="verifies the chain, and no setting is known that turns that off;"
        " whether it checks the name by default is not known, and read as yes",
        source="PBX-FUSION, pull request 4315, which had to turn the name check off",
        confidence="L",
        told="SoundPoint phones need 4.0.15 for TLS 1.2; a hello of a phone of unknown"
        " model, published in 2015, offers TLS 1.0 and RSA with AES-CBC, 3DES and RC4"
        " alone (check --hello poly-directory-2015)",
        told_by="PBX-TELEPROVISIONER; TLS-PRINTS",
    ),
    GRANDSTREAM: MakerDefaults(
        "Grandstream", verifies=False, forced=False, checks_name=False,
        ca_set="builtin",
        statement="verifies neither chain (P8463) nor name (P22030) by default; the"
        " HT8xx verify the chain",
        source="PBX-FUSION and PBX-FSPBX, the maker's annotated templates",
        confidence="M",
    ),
    GIGASET: MakerDefaults(
        "Gigaset", verifies=True, forced=True, checks_name=True, ca_set="all",
        statement="has Snom's firmware, and is taken to verify chain and name as 10.x"
        " does",
        source="GIGASET-WIKI; inference",
        confidence="L",
    ),
}  # fmt: skip

_OWN_NUMBERING = (
    "no source names a firmware with this model: the one used is built after the"
    " maker's numbering"
)
_FIRST_CERTIFICATE = (
    "its guide knows a single built-in certificate, read as one for all phones"
)
_WITHOUT_SIP = ("W", "CP", "AX", "VP", "SIP")


def _yealink(
    names: str,
    code: str,
    firmware: str = "",
    confidence: Confidence = "M",
    *,
    accounts: int | None = None,
    keys: int | None = None,
    shared: bool = False,
    agent: str = "",
    readings: tuple[str, ...] = (),
) -> Iterator[OtherModel]:
    """Rows of models that share a number: ``names`` with blanks between them."""
    for name in names.split():
        own = firmware or f"{code}.86.0.1"
        told = readings if firmware else (*readings, _OWN_NUMBERING)
        sip = "" if name.startswith(_WITHOUT_SIP) else "SIP-"
        bare = name.replace("_", "").replace("PE2", "E2")
        yield OtherModel(
            YEALINK,
            name,
            agent or f"{sip}{name}",
            code,
            own,
            _BOTH,
            confidence,
            accounts,
            keys,
            shared,
            (bare,) if bare != name else (),
            (*told, _FIRST_CERTIFICATE) if shared else told,
        )


_56 = ("PBX-FUSION gives its file the number 56, PBX-WAZO 58",)
_80 = ("PBX-FUSION gives its file the number 175, PBX-WAZO 103",)
_53 = ("the number of the T53, as PBX-WAZO's family of firmware has it",)

_YEALINK_ROWS: tuple[OtherModel, ...] = (
    *_yealink("T19P_E2", "53", "53.80.0.95", "H"),
    *_yealink("T20P", "7", "9.73.0.50", "H", readings=(_OWN_NUMBERING,)),
    *_yealink("T21P_E2", "52", "52.80.0.95", "H"),
    *_yealink("T22P", "5", "7.73.0.50", "H", readings=(_OWN_NUMBERING,)),
    *_yealink("T23P T23G", "44", "44.80.0.95", "H"),
    *_yealink("T26P", "4", "6.73.0.50", "H", readings=(_OWN_NUMBERING,)),
    *_yealink("T27P", "45", "45.80.0.95", "H"),
    *_yealink("T27G", "69", "69.86.0.15", "H", accounts=6, keys=21),
    *_yealink("T28P", "0", "2.73.0.50", "H", readings=(_OWN_NUMBERING,)),
    *_yealink("T29G", "46", "46.80.0.95", "H"),
    *_yealink("T30 T30P", "127", "124.86.0.20"),
    *_yealink("T31 T31P T31G", "123", "124.86.0.20", "H", accounts=2, keys=2),
    *_yealink("T31W", "172"),
    *_yealink("T32G", "32", "32.70.0.130", shared=True, readings=(_OWN_NUMBERING,)),
    *_yealink("T33 T33P T33G", "124", "124.86.0.20", "H", accounts=4, keys=12),
    *_yealink("T34W", "171", "124.86.0.75", "H", accounts=4, keys=12),
    *_yealink("T38G", "38", "38.70.0.150", shared=True, readings=(_OWN_NUMBERING,)),
    *_yealink("T40P", "54", "54.80.0.95", "H"),
    *_yealink("T40G", "76", "", "H"),
    *_yealink("T41P", "36", "36.80.0.95", "H", accounts=6, keys=15),
    *_yealink("T41S", "68", "66.86.0.15", "H", accounts=6, keys=15),
    *_yealink("T41U", "108", "108.86.0.45", accounts=6, keys=15, readings=(
        "PBX-WAZO gives all of the T4xU the number 108; no other source names its own",
    )),
    *_yealink("T42G", "29", "29.80.0.95", "H", accounts=12, keys=15),
    *_yealink("T42S", "67", "66.86.0.15", "H", accounts=12, keys=15),
    *_yealink("T42U", "116", "108.86.0.45", accounts=12, keys=15),
    *_yealink("T43U", "107", "108.86.0.45", accounts=12, keys=15),
    *_yealink("T44W", "174", accounts=12, keys=24),
    *_yealink("T46G", "28", "28.80.0.95", "H", accounts=16, keys=27),
    *_yealink("T46S", "66", "66.86.0.15", "H", accounts=16, keys=27),
    *_yealink("T46U", "108", "108.86.0.45", "H", accounts=16, keys=27),
    *_yealink("T48G", "35", "35.80.0.95", "H", accounts=16, keys=29),
    *_yealink("T48S", "65", "66.86.0.15", "H", accounts=16, keys=29),
    *_yealink("T48U", "109", "108.86.0.45", accounts=16, keys=29),
    *_yealink("T49G", "51", "51.80.0.100", "H", agent="SIP VP-T49G"),
    *_yealink("T52S", "74"),
    *_yealink("T53 T53C", "95", "96.86.0.45", "H", accounts=12, keys=21),
    *_yealink("T53W", "95", "96.86.0.45", accounts=12, keys=21, readings=_53),
    *_yealink("T54S", "70", "", "H", accounts=16, keys=27),
    *_yealink("T54W", "96", "96.86.0.45", "H", accounts=16, keys=27),
    *_yealink("T56A", "56 58", "58.86.0.20", "M", readings=_56),
    *_yealink("T57W", "97", "96.86.0.45", "H", accounts=16, keys=29),
    *_yealink("T58A T58V", "58", "58.86.0.20", "H", accounts=16, keys=27),
    *_yealink("T58W", "150", "150.86.0.11", "H", accounts=16, keys=27),
    *_yealink("T73W", "183", "185.87.0.1", readings=(_OWN_NUMBERING,)),
    *_yealink("T74W", "184", "185.87.0.1", readings=(_OWN_NUMBERING,)),
    *_yealink("T73U", "186", "185.87.0.1", readings=(_OWN_NUMBERING,)),
    *_yealink("T74U", "187", "185.87.0.1", readings=(_OWN_NUMBERING,)),
    *_yealink("T77U", "188", "185.87.0.1", readings=(_OWN_NUMBERING,)),
    *_yealink("T85W", "196", "185.87.0.1", readings=(_OWN_NUMBERING,)),
    *_yealink("T87W", "197", "185.87.0.1", readings=(_OWN_NUMBERING,)),
    *_yealink("T88", "192", "185.87.0.1", readings=(_OWN_NUMBERING,)),
    *_yealink("VP59", "91"),
    *_yealink("CP920", "78", "78.86.0.15", "H"),
    *_yealink("CP925", "148", "", "H"),
    *_yealink("CP960", "73", "73.85.0.5", "H"),
    *_yealink("W52P W56P", "25", "25.80.0.15", "H"),
    *_yealink("W60B", "77", "77.85.0.25", "H"),
    *_yealink("W70B", "146", "146.85.0.37"),
    *_yealink("W80B", "175 103", "103.83.0.80", "M", readings=(*_80, _OWN_NUMBERING)),
    *_yealink("AX83H", "180"),
    *_yealink("AX86R", "182"),
)  # fmt: skip


def _poly(
    names: str,
    firmware: str,
    agent: str,
    confidence: Confidence = "M",
    *,
    source: str = _WAZO,
    readings: tuple[str, ...] = (),
) -> Iterator[OtherModel]:
    """Rows of one series: ``agent`` is the User-Agent's name, ``{}`` the number."""
    for name in names.split():
        number = name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        series = name[: len(name) - len(number)]
        aliases = {
            "SPIP": (f"IP{number}", f"SoundPoint IP {number}", f"SoundPointIP{number}"),
            "SSIP": (f"SoundStation IP {number}", f"SoundStationIP{number}"),
            "EdgeE": (f"E{number}", f"Edge E{number}"),
        }.get(series, ())
        yield OtherModel(
            POLY,
            name,
            agent.format(number),
            "",
            firmware,
            source,
            confidence,
            aliases=aliases,
            readings=readings,
        )


_AGENT_READ_ON = "its User-Agent is read on from that of its series"

_POLY_ROWS: tuple[OtherModel, ...] = (
    *_poly(
        "VVX101 VVX150 VVX201 VVX250 VVX300 VVX301 VVX310 VVX311 VVX350 VVX400 VVX401"
        " VVX410 VVX411 VVX450 VVX500 VVX501 VVX600 VVX601 VVX1500",
        "5.9.1.0615",
        "PolycomVVX-VVX_{}",
        "H",
    ),
    *_poly(
        "SPIP320 SPIP321 SPIP330 SPIP331 SPIP335 SPIP430 SPIP450 SPIP550 SPIP560"
        " SPIP650 SPIP670",
        "3.2.4.0267",
        "PolycomSoundPointIP-SPIP_{}",
        readings=(_AGENT_READ_ON,),
    ),
    *_poly(
        "SSIP5000 SSIP6000 SSIP7000",
        "3.2.4.0267",
        "PolycomSoundStationIP-SSIP_{}",
        readings=(_AGENT_READ_ON,),
    ),
    *_poly("EdgeE350 EdgeE450", "8.0.0.15602", "PolyEdge-Edge_E{}", "H"),
    *_poly(
        "EdgeE100 EdgeE220 EdgeE300 EdgeE320 EdgeE400 EdgeE500 EdgeE550",
        "8.0.0.15602",
        "PolyEdge-Edge_E{}",
        readings=(_AGENT_READ_ON,),
    ),
    *_poly(
        "CCX350 CCX400 CCX500 CCX505 CCX600 CCX700",
        "7.1.0.1",
        "PolycomCCX-CCX_{}",
        "L",
        readings=(_AGENT_READ_ON, _OWN_NUMBERING),
    ),
)


def _grandstream(
    names: str,
    firmware: str,
    confidence: Confidence = "H",
    *,
    keys: int | None = None,
    source: str = _WAZO,
    readings: tuple[str, ...] = (),
) -> Iterator[OtherModel]:
    for name in names.split():
        yield OtherModel(
            GRANDSTREAM,
            name,
            name,
            name.lower(),
            firmware,
            source,
            confidence,
            line_keys=keys,
            readings=readings,
        )


_GRANDSTREAM_ROWS: tuple[OtherModel, ...] = (
    *_grandstream("GRP2612 GRP2612W", "1.0.5.48", keys=16),
    *_grandstream("GRP2613", "1.0.5.48", keys=24),
    *_grandstream("GRP2614", "1.0.5.48", keys=16),
    *_grandstream("GRP2615", "1.0.5.48", keys=40),
    *_grandstream("GRP2616", "1.0.5.48", keys=16),
    *_grandstream("GXP1100 GXP1105 GXP2100 GXP2110 GXP2120 GXP2124", "1.0.8.6"),
    *_grandstream("GXP1160 GXP1165 GXP1400 GXP1405 GXP1450", "1.0.8.9"),
    *_grandstream("GXP1610 GXP1615 GXP1620 GXP1625 GXP1628 GXP1630", "1.0.7.13"),
    *_grandstream("GXP1760 GXP1780 GXP1782", "1.0.1.133", "M", source="PBX-FSPBX"),
    *_grandstream("GXP2130 GXP2135 GXP2140 GXP2160 GXP2170", "1.0.9.135"),
    *_grandstream("GXP2200", "1.0.3.27"),
    *_grandstream("GXV3240", "1.0.1.27"),
    *_grandstream("GXV3350 GXV3370 GXV3380", "1.0.3.2"),
    *_grandstream("HT801 HT802 HT812 HT813 HT814 HT818", "1.0.17.5", "M"),
    *_grandstream(
        "GRP2624 GRP2634", "1.0.5.48", "M", source=_FUSION, readings=(_OWN_NUMBERING,)
    ),
    *_grandstream(
        "GXV3275 GXV3480", "1.0.3.2", "M", source=_FUSION, readings=(_OWN_NUMBERING,)
    ),
    *_grandstream(
        "HT502 HT503 HT701 HT702 DP750", "1.0.17.5", "M",
        source=_FUSION, readings=(_OWN_NUMBERING,),
    ),
)  # fmt: skip

_WIKI_TOO = "GIGASET-WIKI; PBX-TANCREDI"
_GIGASETS: tuple[tuple[str, int, str, Confidence], ...] = (
    ("P710", 4, _WIKI_TOO, "H"),
    ("P810", 4, _WIKI_TOO, "H"),
    ("P820", 28, "PBX-TANCREDI", "M"),
    ("P825", 28, "PBX-TANCREDI", "M"),
    ("P850", 36, _WIKI_TOO, "H"),
    ("P855", 36, "PBX-TANCREDI", "M"),
)
"""Models, their line keys (PBX-TANCREDI, M), who names them, how sure that is."""

_GIGASET_ROWS: tuple[OtherModel, ...] = tuple(
    OtherModel(
        GIGASET,
        name,
        f"Gigaset{name}",
        "",
        "10.1.33.33",
        source,
        sure,
        line_keys=keys,
        aliases=(f"{name} PRO",),
        readings=(
            "its User-Agent and the numbers of its firmware are not known: they are"
            " read on from Snom's",
        ),
    )
    for name, keys, source, sure in _GIGASETS
)

OTHER_MODELS: tuple[OtherModel, ...] = (
    *_YEALINK_ROWS,
    *_POLY_ROWS,
    *_GRANDSTREAM_ROWS,
    *_GIGASET_ROWS,
)
"""Every row, a maker after the other."""
VERIFY_BY_DEFAULT: Final = ("HT801", "HT802", "HT813", "HT814", "HT818")
"""Grandstream's that verify the chain by default (PBX-FUSION and PBX-FSPBX agree)."""
