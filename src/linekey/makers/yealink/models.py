"""Yealink's models: names, numbers of their model files, accounts and line keys.

The number is what a model file is called by (``y000000000108.cfg`` for the T46U). It
does not tell one model from another: sources disagree on some, and one number serves
several. Whatever ``y`` file is asked for is answered alike.

Sources: PBX-FUSION and PBX-WAZO agree on the first list (H); the second is in one of
them (M). Accounts and keys: PBX-WAZO (M).
"""

from typing import Final

from linekey.makers.models import PhoneModel

_BOTH: Final = "PBX-FUSION; PBX-WAZO"
_ONE: Final = "PBX-WAZO or PBX-FUSION"

# name: file number, in both sources
_SURE: Final = {
    "T19E2": 53, "T20P": 7, "T21E2": 52, "T22P": 5, "T23": 44, "T26P": 4, "T27P": 45,
    "T27G": 69, "T28P": 0, "T29G": 46, "T31": 123, "T33": 124, "T34W": 171,
    "T40P": 54, "T40G": 76, "T41P": 36, "T41S": 68, "T42G": 29, "T42S": 67,
    "T46G": 28, "T46S": 66, "T46U": 108, "T48G": 35, "T48S": 65, "T49G": 51,
    "T53": 95, "T54S": 70, "T54W": 96, "T57W": 97, "T58A": 58, "T58W": 150,
    "CP920": 78, "CP925": 148, "CP960": 73, "W52P": 25, "W56P": 25, "W60B": 77,
}  # fmt: skip
_LIKELY: Final = {
    "T30": 127, "T31W": 172, "T32G": 32, "T38G": 38, "T42U": 116, "T43U": 107,
    "T44W": 174, "T48U": 109, "T52S": 74, "VP59": 91, "W70B": 146, "T73W": 183,
    "T74W": 184, "T73U": 186, "T74U": 187, "T77U": 188, "T88": 192, "T85W": 196,
    "T87W": 197, "AX83H": 180, "AX86R": 182,
}  # fmt: skip
_SEVERAL: Final = {"T56A": (56, 58), "W80B": (175, 103)}
_ALIASES: Final = {
    "T19E2": ("T19P E2", "T19P_E2"), "T21E2": ("T21P E2", "T21P_E2"),
    "T23": ("T23P", "T23G"), "T31": ("T31P", "T31G"), "T33": ("T33P", "T33G"),
    "T30": ("T30P",), "T53": ("T53W",), "T58A": ("T58V",),
}  # fmt: skip
_ACCOUNTS: Final = {
    "T31": 2, "T33": 4, "T34W": 4, "T27G": 6, "T41P": 6, "T41S": 6, "T42G": 12,
    "T42S": 12, "T42U": 12, "T43U": 12, "T44W": 12, "T53": 12, "T46G": 16,
    "T46S": 16, "T46U": 16, "T48G": 16, "T48S": 16, "T48U": 16, "T54S": 16,
    "T54W": 16, "T57W": 16, "T58A": 16, "T58W": 16,
}  # fmt: skip
_KEYS: Final = {
    "T31": 2, "T33": 12, "T34W": 12, "T41P": 15, "T41S": 15, "T42G": 15, "T42S": 15,
    "T42U": 15, "T43U": 15, "T27G": 21, "T53": 21, "T44W": 24, "T46G": 27, "T46S": 27,
    "T46U": 27, "T54S": 27, "T54W": 27, "T58A": 27, "T58W": 27, "T48G": 29,
    "T48S": 29, "T48U": 29, "T57W": 29,
}  # fmt: skip
_FIRMWARE: Final = {"T34W": "124.86.0.75", "T46G": "28.71.0.81"}
"""Of User-Agents that were seen (PBX-WAZO, PBX-FUSION, H)."""


def _agent(name: str) -> str:
    """As its User-Agent has it: desk phones of the T series have ``SIP-`` (H)."""
    return f"SIP-{name}" if name.startswith("T") else name


def _model(name: str, numbers: tuple[int, ...], source: str, sure: bool) -> PhoneModel:
    readings: tuple[str, ...] = ()
    if len(numbers) > 1:
        readings = (
            "its model file has another number in each source:"
            f" {' or '.join(map(str, numbers))}",
        )
    return PhoneModel(
        maker="yealink",
        name=name,
        title=f"Yealink {_agent(name)}",
        user_agent_name=_agent(name),
        source=source,
        confidence="H" if sure else "M",
        aliases=_ALIASES.get(name, ()),
        file_numbers=numbers,
        accounts=_ACCOUNTS.get(name),
        keys=_KEYS.get(name),
        firmware=_FIRMWARE.get(name, ""),
        readings=readings,
    )


MODELS: Final[tuple[PhoneModel, ...]] = (
    *(_model(name, (number,), _BOTH, True) for name, number in _SURE.items()),
    *(_model(name, (number,), _ONE, False) for name, number in _LIKELY.items()),
    *(_model(name, numbers, _BOTH, False) for name, numbers in _SEVERAL.items()),
)
