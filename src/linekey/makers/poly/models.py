"""Poly's models, as User-Agents and the macro ``[PHONE_MODEL]`` name them.

Sources: PBX-WAZO's plugins and User-Agents in public logs (H for the form, M for a
model that only a list names). How many lines and keys each has is in no source that
was read.
"""

from typing import Final

from linekey.makers.models import PhoneModel


def _vvx(number: str, *aliases: str) -> PhoneModel:
    return PhoneModel(
        maker="poly", name=f"VVX{number}", title=f"Poly VVX {number}",
        user_agent_name=f"PolycomVVX-VVX_{number}", source="PBX-WAZO",
        confidence="H", aliases=(f"VVX_{number}", *aliases),
        firmware="5.9.1.0615" if number == "450" else "",
    )  # fmt: skip


def _edge(number: str) -> PhoneModel:
    return PhoneModel(
        maker="poly", name=f"EdgeE{number}", title=f"Poly Edge E{number}",
        user_agent_name=f"PolyEdge-Edge_E{number}", source="PBX-WAZO",
        confidence="M", aliases=(f"E{number}", f"Edge_E{number}"),
        firmware="8.0.0.15602" if number == "450" else "",
    )  # fmt: skip


def _ccx(number: str) -> PhoneModel:
    return PhoneModel(
        maker="poly", name=f"CCX{number}", title=f"Poly CCX {number}",
        user_agent_name=f"PolycomCCX-CCX_{number}", source="PBX-WAZO",
        confidence="M", aliases=(f"CCX_{number}",),
    )  # fmt: skip


def _soundpoint(number: str) -> PhoneModel:
    return PhoneModel(
        maker="poly", name=f"SPIP{number}", title=f"Polycom SoundPoint IP {number}",
        user_agent_name=f"PolycomSoundPointIP-SPIP_{number}", source="PBX-WAZO",
        confidence="M", aliases=(f"SPIP_{number}", f"IP{number}"),
        readings=("TLS 1.2 needs 4.0.15 (PBX-TELEPROVISIONER, M)",),
        firmware="4.0.15.1047" if number == "550" else "",
    )  # fmt: skip


MODELS: Final[tuple[PhoneModel, ...]] = (
    *map(_vvx, "101 150 201 250 300 301 310 311 350 400 401 410 411 450".split()),
    *map(_vvx, "500 501 600 601 1500".split()),
    *map(_edge, "100 220 300 320 350 400 450 500 550".split()),
    *map(_ccx, "350 400 500 505 600 700".split()),
    *map(_soundpoint, "321 331 335 450 550 560 650 670".split()),
)
