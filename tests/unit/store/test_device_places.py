"""A page of phones and the total of its list, asked at once."""

from datetime import datetime, timedelta

import pytest
from tests.selections import CASES, FLEET

from linekey.mac import Mac
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.selection import EVERYTHING, Order, Selection, SortBy


@pytest.fixture
def devices(database: Database, now: datetime) -> Devices:
    found = Devices(database)
    for number, device in enumerate(FLEET):
        found.add(device, now + timedelta(minutes=-number))
    return found


@pytest.mark.parametrize("by", SortBy)
@pytest.mark.parametrize("descending", [False, True])
def test_page_and_total_are_those_of_each_question_alone(
    devices: Devices, by: SortBy, descending: bool
) -> None:
    order = Order(by, descending)
    for wanted, macs in (*CASES, (EVERYTHING, {device.mac for device in FLEET})):
        alone, cursors, cursor = list(devices.all(wanted, order)), [], None
        found = []
        while True:
            page, cursor, total = devices.page_and_total(wanted, order, cursor, 1)
            assert total == len(macs) == devices.count(wanted)
            found += page
            if cursor is None:
                break
            cursors.append(cursor)
        assert found == alone
        assert len(cursors) == max(0, len(macs) - 1)


def test_a_page_beyond_the_end_has_the_total_as_well(devices: Devices) -> None:
    beyond = Order().cursor(["FFFFFFFFFFFF"])
    for wanted in (EVERYTHING, Selection(vendor="snom")):
        found, cursor, total = devices.page_and_total(wanted, Order(), beyond, 5)
        assert (found, cursor, total) == ([], None, devices.count(wanted))
        assert total > 0
    none = devices.page_and_total(
        Selection(macs=frozenset({Mac("FFFFFFFFFFFE")})), Order(), beyond, 5
    )
    assert none == ([], None, 0)
