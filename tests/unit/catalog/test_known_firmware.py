import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.known_firmware import (
    firmware_doubts,
    named_firmwares,
    near_firmwares,
)
from linekey.catalog.matrix import ROWS
from linekey.catalog.models import MODELS
from linekey.catalog.profile import all_profiles


@pytest.mark.parametrize(
    ("model", "firmware", "says"),
    [
        ("D785", "8.7.5.35", "its branches are 8.9 and later"),
        ("300", "10.1.20.0", "its branches are 8.2 to 8.7"),
        ("760", "10.1.20.0", "its branches are 8.7 to 8.9"),
        ("D717", "8.9.3.60", "its branches are 10.1 and later"),
        ("D785", "1.2.3", "no source names a firmware 1.2"),
        ("D785", "10.2.0.1", "no source names a firmware 10.2"),
        ("D715", "8.7.9.1", "the newest of 8.7"),
        ("D785", "10.1.999.1", "newest of 10.1 is 10.1.226.16; it may exist all the"),
        ("D785", "10.1.300.1", "no source that linekey knows names 10.1.300.1"),
        ("D785", "10.1.33.34", "no source that linekey knows names 10.1.33.34"),
        ("D715", "8.9.3.61", "names 8.9.3.61; it may exist all the same"),
    ],
)
def test_a_firmware_the_model_never_had_is_doubted(
    model: str, firmware: str, says: str
) -> None:
    (doubt,) = firmware_doubts(MODELS[model], Firmware.parse(firmware))
    assert says in doubt
    assert "near it: " in doubt


@pytest.mark.parametrize(
    ("model", "firmware"),
    [("D785", "8.9.3.60"), ("D765", "10.1.20.0"), ("D785", "10.1.226.16")],
)
def test_a_firmware_that_a_source_names_is_not_doubted(
    model: str, firmware: str
) -> None:
    assert firmware_doubts(MODELS[model], Firmware.parse(firmware)) == ()


def test_every_row_of_the_matrix_is_named_and_none_is_doubted() -> None:
    assert {fw for row in ROWS for fw in row.firmwares} <= set(named_firmwares())
    for phone in all_profiles():
        assert firmware_doubts(phone.model, phone.firmware) == ()


def test_near_versions_are_ones_the_model_had() -> None:
    near = near_firmwares(MODELS["D785"], Firmware.parse("10.1.33.3"))
    assert near[0] == "10.1.33.33"
    for text in near:
        assert MODELS["D785"].had_branch(Firmware.parse(text).branch)
