"""Rows and what they stand for; what is sealed is in ``test_devices``."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.mac import Mac
from linekey.provisioning.device import REALM, Device, DigestCredential
from linekey.provisioning.document import Layer, Setting
from linekey.store.records import (
    DEVICE_COLUMNS,
    device_row,
    differing_columns,
    dump,
    load,
    read_device,
)
from linekey.store.secrets import KeyRing

KEYS = KeyRing([b"k" * 32])
PLAIN = Device(Mac("000413AABBCC"), "snom")
CHANGES = {
    "vendor": "yealink", "model": "D785", "firmware": Firmware.parse("10.1.33.33"),
    "state": "revoked", "revoked_reason": "stolen", "label": "Zürich",
    "generations": frozenset({Generation.SHA1}), "token_sha256": "a" * 64,
    "digest": DigestCredential.create("phone", REALM, "canary"), "group": "acme",
    "layer": Layer((Setting("user_pass", "canary", 1), Setting("language", "x"))),
    "version": 7,
}  # fmt: skip


@given(
    st.sets(st.sampled_from(sorted(CHANGES))), st.sets(st.sampled_from(sorted(CHANGES)))
)
def test_the_columns_that_differ_make_one_row_the_other(
    one: set[str], two: set[str]
) -> None:
    before, after = (
        replace(PLAIN, **{name: CHANGES[name] for name in names})
        for names in (one, two)
    )
    names = differing_columns([(PLAIN, PLAIN), (before, after)])
    row = dict(
        zip(DEVICE_COLUMNS, device_row(before, DEVICE_COLUMNS, KEYS), strict=True)
    )
    row |= dict(zip(names, device_row(after, names, KEYS), strict=True))
    assert read_device([row[name] for name in DEVICE_COLUMNS], KEYS) == after
    assert (names == []) is (before == after)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_json_is_written_and_read_as_the_standard_library_does(plain: dict) -> None:
    written = dump(plain)
    assert written == json.dumps(plain, separators=(",", ":"), ensure_ascii=False)
    assert load(written) == json.loads(written) == plain


@pytest.mark.parametrize(
    "text", ['{"a":"\\ud800"}', '{"a":NaN}', '{"a":1e999}', '{"a":1,"a":2}']
)
def test_odd_json_is_read_as_the_standard_library_does(text: str) -> None:
    assert repr(load(text)) == repr(json.loads(text))


def test_half_a_character_is_written_as_it_is() -> None:
    assert dump({"a": "\ud800"}) == '{"a":"\ud800"}'


@pytest.mark.parametrize("text", ["", "{", '{"a":}', "\x00"])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        load(text)
