"""Other makers' models are found by any spelling, and nothing is said of their TLS."""

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import MODELS, OTHERS, find_model
from linekey.catalog.other_models import MAKERS_DEFAULTS, OTHER_MODELS
from linekey.catalog.vendors import KNOWN_VENDORS
from linekey.errors import InputError
from linekey.makers.all import MAKERS


@pytest.mark.parametrize(
    ("text", "name", "maker"),
    [
        ("T46U", "T46U", "yealink"),
        ("SIP-T46U", "T46U", "yealink"),
        ("yealink sip-t46u", "T46U", "yealink"),
        ("T19P E2", "T19P_E2", "yealink"),
        ("T19 E2", "T19P_E2", "yealink"),
        ("VVX450", "VVX450", "poly"),
        ("VVX 450", "VVX450", "poly"),
        ("vvx_450", "VVX450", "poly"),
        ("Polycom VVX 450", "VVX450", "poly"),
        ("Edge E450", "EdgeE450", "poly"),
        ("SoundPoint IP 335", "SPIP335", "poly"),
        ("GRP2614", "GRP2614", "grandstream"),
        ("Grandstream GRP2614", "GRP2614", "grandstream"),
        ("P850 PRO", "P850", "gigaset"),
    ],
)
def test_a_model_is_found_by_what_people_call_it(
    text: str, name: str, maker: str
) -> None:
    model = find_model(text)
    assert (model.name, model.maker) == (name, maker)
    assert not model.is_known


@pytest.mark.parametrize("row", OTHER_MODELS, ids=lambda row: row.name)
def test_a_row_is_whole(row) -> None:
    model = OTHERS[row.name]
    assert row.maker in MAKERS
    assert row.maker in MAKERS_DEFAULTS
    assert row.maker in KNOWN_VENDORS
    assert row.source
    assert Firmware.parse(row.firmware)
    assert find_model(row.name) is model
    assert all(find_model(alias) is model for alias in row.aliases)
    if row.maker == "yealink":
        assert all(number.isdecimal() for number in row.code.split())


@pytest.mark.parametrize("model", OTHERS.values(), ids=lambda model: model.name)
def test_no_row_says_what_a_phone_can_do_in_tls(model) -> None:
    assert model.builtin is None
    assert model.key_bits is None
    assert model.hashes == ()
    assert model.generations_at(None) == frozenset()
    assert model.sha2_since is None


def test_snoms_table_has_none_of_them() -> None:
    assert not MODELS.keys() & OTHERS.keys()
    assert all(model.is_known for model in MODELS.values())
    assert find_model("785").name == "D785"


def test_a_near_miss_is_cured_by_another_makers_name() -> None:
    with pytest.raises(InputError) as error:
        find_model("T46X")
    assert "T46U" in error.value.hint


def test_what_two_sources_call_differently_is_said() -> None:
    assert OTHERS["T56A"].code.split() == ["56", "58"]
    assert "56" in OTHERS["T56A"].readings[0]
