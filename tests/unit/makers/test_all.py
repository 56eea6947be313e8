"""Every maker, and every model by any spelling."""

import pytest

from linekey.catalog.models import find_model
from linekey.errors import InputError
from linekey.makers.all import (
    MAKERS,
    NOT_YET,
    find_other,
    maker_of,
    models_of,
)


@pytest.mark.parametrize(
    ("text", "maker", "name"),
    [
        ("T46U", "yealink", "T46U"), ("t46u", "yealink", "T46U"),
        ("SIP-T46U", "yealink", "T46U"),
        ("VVX450", "poly", "VVX450"), ("VVX 450", "poly", "VVX450"),
        ("vvx_450", "poly", "VVX450"), ("EdgeE450", "poly", "EdgeE450"),
        ("GRP2614", "grandstream", "GRP2614"), ("grp2614", "grandstream", "GRP2614"),
    ],
)  # fmt: skip
def test_a_model_is_found_by_any_spelling(text: str, maker: str, name: str) -> None:
    found = find_other(text)
    assert found is not None
    assert (found.maker, found.name) == (maker, name)
    assert find_model(text) == found


def test_snoms_are_found_too_and_are_no_others() -> None:
    assert find_model("snomD785").name == "D785"
    assert find_other("D785") is None
    with pytest.raises(InputError) as caught:
        find_model("T46X")
    assert "T46" in caught.value.hint


def test_makers_by_vendor() -> None:
    assert maker_of("yealink") is maker_of("lab-yealink") is MAKERS["yealink"]
    assert maker_of(None) is maker_of("") is maker_of("cisco") is None
    assert not set(MAKERS) & set(NOT_YET)


def test_models_of_a_maker() -> None:
    assert {m.name for m in models_of("yealink")} >= {"T46U", "T54W"}
    assert "D785" in {m.name for m in models_of("snom")}
    with pytest.raises(InputError) as caught:
        models_of("cisco")
    assert "later" in caught.value.hint
