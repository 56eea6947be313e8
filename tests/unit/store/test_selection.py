import re
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.selections import CASES, FLEET, HALL, where

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Mark, Setting
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.records import dump
from linekey.store.schema import devices as table
from linekey.store.selection import (
    EVERYTHING,
    MAX_PATTERN,
    Condition,
    Order,
    Selection,
    SortBy,
    _in_entries,
    _setting,
)


@pytest.fixture
def devices(database: Database, now: datetime) -> Devices:
    found = Devices(database)
    for number, device in enumerate(FLEET):
        found.add(device, now + timedelta(minutes=-number))
    return found


@pytest.mark.parametrize(("wanted", "macs"), CASES)
def test_what_is_asked_for_is_found(
    devices: Devices, wanted: Selection, macs: set[Mac]
) -> None:
    assert {device.mac for device in devices.all(wanted)} == macs
    assert devices.count(wanted) == len(macs)


@pytest.mark.parametrize("by", SortBy)
@pytest.mark.parametrize("descending", [False, True])
def test_pages_join_to_the_whole_list_in_order(
    devices: Devices, by: SortBy, descending: bool
) -> None:
    order = Order(by, descending)
    whole = list(devices.all(order=order))
    assert len(whole) == len(FLEET)
    pages: list[Device] = []
    cursor: str | None = None
    while True:
        found, cursor = devices.page(EVERYTHING, order, cursor, 1)
        pages += found
        if cursor is None:
            break
    assert pages == whole
    assert list(devices.all(order=order, limit=3)) == whole[:3]
    opposite = list(devices.all(order=Order(by, not descending)))
    assert opposite == whole[::-1]


def test_labels_are_ordered_by_no_locale(devices: Devices) -> None:
    labels = [device.label for device in devices.all(order=Order.parse("label"))]
    assert labels == ["100% room_1", "Hall", "hallway", "ÖFFICE"]


def test_a_cursor_of_another_order_is_refused(devices: Devices) -> None:
    _, cursor = devices.page(EVERYTHING, Order.parse("label"), None, 1)
    assert cursor is not None
    for order, text in (
        (Order(), cursor), (Order.parse("-label"), cursor), (Order(), "!"),
        (Order(), ""), (Order(), "W10"), (Order(), "ÄÖ"), (Order(), "bnVsbA"),
        (Order(), Order().cursor(["a", "b"])), (Order(), Order().cursor([1])),
        (Order.parse("changed"), Order.parse("changed").cursor(["x", "y"])),
    ):  # fmt: skip
        with pytest.raises(InputError, match="cursor"):
            devices.page(EVERYTHING, order, text, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("usr_name[1]=4711", "did you mean user_name"),
        ("modell=D785", "did you mean model"),
        ("user_pass[1]=guess", "is a secret"),
        ("nothing", "not a setting"),
    ],
)
def test_a_misspelt_or_secret_name_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        Condition.parse(text)
    assert "guess" not in str(caught.value)


@pytest.mark.parametrize(
    "wanted",
    [
        Selection(search="x" * 10_000),
        Selection(label="*a" * 20),
        Selection(label="x" * (MAX_PATTERN + 1)),
        Selection(model="a\0b"),
        where("language=" + "x" * 10_000),
    ],
)
def test_patterns_are_bounded(devices: Devices, wanted: Selection) -> None:
    with pytest.raises(InputError, match="pattern"):
        devices.count(wanted)


def test_an_unknown_order_names_those_there_are() -> None:
    with pytest.raises(InputError) as caught:
        Order.parse("colour")
    assert "label" in caught.value.hint


def test_more_macs_than_a_statement_has_room_for(devices: Devices) -> None:
    many = frozenset(Mac(f"{number:012X}") for number in range(40_000))
    assert [d.mac for d in devices.all(Selection(macs=many | {HALL}))] == [HALL]


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


@settings(max_examples=40)
@given(
    st.lists(st.lists(OWN, max_size=4), min_size=1, max_size=6),
    st.lists(ASKED, min_size=1),
)
def test_settings_are_found_as_by_their_entries(
    rows: list[list[Setting]], asked: list[Condition]
) -> None:
    """Whether it is asked of the text, or of what the text says; and in Python."""
    engine = sa.create_engine("sqlite://")
    layers = {f"{n:012X}": Layer().with_settings(*its) for n, its in enumerate(rows)}
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE devices (mac TEXT, layer TEXT)")
        for mac, layer in layers.items():
            connection.exec_driver_sql(
                "INSERT INTO devices VALUES (?, ?)", (mac, dump(layer.to_plain()[0]))
            )

        def found(where: sa.ColumnElement[bool]) -> set[str]:
            return set(
                connection.execute(sa.select(table.c.mac).where(where)).scalars()
            )

        for condition in asked:
            quick = found(_setting(condition, sqlite=True))
            assert quick == found(_in_entries(condition, sqlite=True))
            assert quick == {
                mac for mac, layer in layers.items() if fits(layer, condition)
            }
    engine.dispose()


def fits(layer: Layer, condition: Condition) -> bool:
    """The slow definition."""
    its = [s for s in layer.settings if s.slot == (condition.name, condition.idx)]
    if not condition.pattern:
        return not its
    pattern = "".join(
        {"*": ".*", "?": "."}.get(c) or re.escape(c) for c in condition.pattern
    )
    flags = re.DOTALL | re.ASCII | re.IGNORECASE
    return any(not s.secret and re.fullmatch(pattern, s.value, flags) for s in its)
