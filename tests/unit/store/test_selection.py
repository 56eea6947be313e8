from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.selections import (
    ASKED,
    CASES,
    FLEET,
    HALL,
    OWN,
    check_settings_found,
    where,
)

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Setting
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.selection import (
    EVERYTHING,
    MAX_PATTERN,
    Condition,
    Order,
    Selection,
    SortBy,
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
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE devices (mac TEXT, layer TEXT)")
        check_settings_found(connection, rows, asked)
    engine.dispose()
