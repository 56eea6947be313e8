"""Grandstream's models, as their User-Agents name them.

Sources: PBX-WAZO (User-Agents, and how many virtual keys the GRP models have, M) and
PBX-FUSION's folders. Accounts are in no source that was read.
"""

from typing import Final

from linekey.makers.models import PhoneModel

_KEYS: Final = {
    "GRP2612": 16, "GRP2613": 24, "GRP2614": 16, "GRP2615": 40, "GRP2616": 16,
    "GXP2135": 32,
}  # fmt: skip
_FIRMWARE: Final = {
    "GRP2614": "1.0.5.15", "GXP1405": "1.0.4.23", "GXP1628": "1.0.4.138",
    "GXP2200": "1.0.1.33", "GXV3240": "1.0.1.27", "GXV3350": "1.0.1.8",
    "HT801": "1.0.17.5",
}  # fmt: skip
"""Of User-Agents in PBX-WAZO (H)."""


def _model(name: str) -> PhoneModel:
    seen = name in _FIRMWARE or name in _KEYS
    return PhoneModel(
        maker="grandstream", name=name, title=f"Grandstream {name}",
        user_agent_name=name, source="PBX-WAZO" if seen else "PBX-FUSION",
        confidence="H" if seen else "M", keys=_KEYS.get(name),
        firmware=_FIRMWARE.get(name, ""),
    )  # fmt: skip


MODELS: Final[tuple[PhoneModel, ...]] = tuple(
    map(
        _model,
        "GRP2612 GRP2612W GRP2613 GRP2614 GRP2615 GRP2616 GRP2624 GRP2634"
        " GXP1405 GXP1450 GXP1610 GXP1625 GXP1628 GXP1630 GXP1760 GXP1780 GXP1782"
        " GXP2100 GXP2124 GXP2130 GXP2135 GXP2140 GXP2160 GXP2170 GXP2200"
        " GXV3240 GXV3275 GXV3350 GXV3370 GXV3380 GXV3480"
        " HT502 HT503 HT701 HT702 HT801 HT802 HT812 HT813 HT814 HT818 DP750"
        "".split(),
    )
)
