"""Phones to select from, and what each selection finds: for both databases."""

import re

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from linekey.catalog.firmware import Firmware
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Mark, Setting
from linekey.store.records import dump
from linekey.store.schema import devices
from linekey.store.selection import (
    EVERYTHING,
    Condition,
    Selection,
    _in_entries,
    _setting,
)

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


OWN = st.builds(
    Setting,
    st.sampled_from(["language", "Language", "user_name", "user_name1", "zzyzx"]),
    st.text(alphabet='aA1"\\*?[]{}%_\n\u00e9 ', max_size=5)
    | st.sampled_from(["English", "english", '{"name":"language","value":"english"}']),
    st.sampled_from([None, 1, 11]),
    st.sampled_from([None, None, "R"]),
    st.sampled_from([None, None, Mark.PUBLIC, Mark.SECRET]),
)
ASKED = st.builds(
    Condition,
    st.sampled_from(["language", "Language", "user_name", "user_name1", "zzyzx"]),
    st.sampled_from([None, 1, 11]),
    st.text(alphabet='aA1"\\*?[]{}%_\u00e9 ', max_size=4)
    | st.sampled_from(["", "ENGLISH", "eng*", "*lish", "*", "e?glish", "engli"]),
)


def check_settings_found(
    connection: Connection, rows: list[list[Setting]], asked: list[Condition]
) -> None:
    """Put phones with these settings into an empty table, and ask both ways, and in
    Python."""
    sqlite = connection.dialect.name == "sqlite"
    layers = {f"{n:012X}": Layer().with_settings(*its) for n, its in enumerate(rows)}
    for mac, layer in layers.items():
        connection.execute(
            sa.text("INSERT INTO devices (mac, layer) VALUES (:mac, :layer)"),
            {"mac": mac, "layer": dump(layer.to_plain()[0])},
        )

    def found(where: sa.ColumnElement[bool]) -> set[str]:
        return set(connection.execute(sa.select(devices.c.mac).where(where)).scalars())

    for condition in asked:
        quick = found(_setting(condition, sqlite))
        assert quick == found(_in_entries(condition, sqlite))
        assert quick == {mac for mac, its in layers.items() if _fits(its, condition)}


def _fits(layer: Layer, condition: Condition) -> bool:
    """The slow definition."""
    its = [s for s in layer.settings if s.slot == (condition.name, condition.idx)]
    if not condition.pattern:
        return not its
    pattern = "".join(
        {"*": ".*", "?": "."}.get(c) or re.escape(c) for c in condition.pattern
    )
    flags = re.DOTALL | re.ASCII | re.IGNORECASE
    return any(not s.secret and re.fullmatch(pattern, s.value, flags) for s in its)
