"""Phones to select from, and what each selection finds: for both databases."""

from linekey.catalog.firmware import Firmware
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Mark, Setting
from linekey.store.selection import EVERYTHING, Condition, Selection

HALL = Mac("000413AABBC1")
ROOM = Mac("000413AABBC2")
OLD = Mac("000413AABBC3")
POLY = Mac("0004F2AABBC4")
FLEET = (
    Device(
        HALL, "snom", "D785", Firmware.parse("10.1.33.33"), label="Hall",
        layer=Layer((Setting("user_name", "4711", 1), Setting("language", "Deutsch"),
                     Setting("user_pass", "canary", 1))),
    ),
    Device(
        ROOM, "snom", "D785", label="100% room_1",
        layer=Layer((Setting("user_name", "4712", 1, "R"),
                     Setting("zzyzx", "a=b", None, None, Mark.PUBLIC))),
    ),
    Device(OLD, "snom", "D710", state="revoked", label="hallway"),
    Device(POLY, "poly", label="ÖFFICE"),
)  # fmt: skip


def where(*texts: str) -> Selection:
    return Selection(where=tuple(map(Condition.parse, texts)))


CASES = [
    (EVERYTHING, {HALL, ROOM, OLD, POLY}),
    (Selection(model="D785"), {HALL, ROOM}),
    (Selection(model="d7*"), {HALL, ROOM, OLD}),
    (Selection(model=""), {POLY}),
    (Selection(vendor="poly"), {POLY}),
    (Selection(label="hall"), {HALL}),
    (Selection(label="hall*"), {HALL, OLD}),
    (Selection(label="100% room_?"), {ROOM}),
    (Selection(label="100%*"), {ROOM}),
    (Selection(label="%"), set()),
    (Selection(label="ÖFF*"), {POLY}),
    (Selection(state="revoked"), {OLD}),
    (Selection(search="aa:bb:c1"), {HALL}),
    (Selection(search="HALL"), {HALL, OLD}),
    (Selection(search="%"), {ROOM}),
    (Selection(search="10.1"), {HALL}),
    (Selection(macs=frozenset({HALL, POLY})), {HALL, POLY}),
    (Selection(macs=frozenset({HALL, POLY}), model="D785"), {HALL}),
    (Selection(macs=frozenset()), set()),
    (where("user_name[1]=4711"), {HALL}),
    (where("user_name[1]=471?"), {HALL, ROOM}),
    (where("user_name[1]=47*", "language=deutsch"), {HALL}),
    (where("user_name[2]=4711"), set()),
    (where("language="), {ROOM, OLD, POLY}),
    (where("user_pass[1]="), {ROOM, OLD, POLY}),
    (where("zzyzx=a=b"), {ROOM}),
    (where("model=D785", "label=Hall"), {HALL}),
    (where("mac=00:04:13*"), {HALL, ROOM, OLD}),
    (where("firmware="), {ROOM, OLD, POLY}),
]
