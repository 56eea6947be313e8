import csv
import io
from collections import Counter

import pytest

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Setting
from linekey.store.device_csv import RECORD_COLUMNS, parse_device_table
from linekey.store.device_export import table_rows

MAC = Mac("000413AABBCC")


def test_columns_are_named_so_that_they_are_read_back() -> None:
    settings = (
        Setting("dns_server1", "a"), Setting("user_name1", "b"), Setting("label", "c"),
        Setting("user_name", "d", 1), Setting("brand", "e"), Setting("plugin", "f"),
        Setting("language", "g\r\nh,\"i\";'j"),
    )  # fmt: skip
    device = Device(MAC, "snom", "D785", label="=x", layer=Layer(settings))
    slots = [s.slot for s in settings]
    text = "".join(table_rows([device], slots))
    table = parse_device_table(text.encode(), allow_unknown=True)
    assert table.problems == ()
    assert table.devices[0].label == "=x"
    assert set(table.devices[0].layer.settings) == set(settings)
    assert all(row.endswith("\r\n") for row in table_rows([device], slots))


def test_what_the_table_cannot_hold_is_counted() -> None:
    left_out = Counter[str]()
    layer = Layer((Setting("language", "x", None, "R"),), (FunctionKey(0, "line"),))
    devices = [Device(MAC, "snom", layer=layer), Device(MAC, "snom")]
    list(table_rows(devices, [("language", None)], left_out=left_out))
    assert +left_out == Counter({"function keys": 1, "a setting's perm": 1})


def test_a_setting_beyond_the_columns_is_never_dropped() -> None:
    device = Device(MAC, "snom", layer=Layer((Setting("language", "x"),)))
    with pytest.raises(InputError, match="was changed while"):
        list(table_rows([device], []))
    with pytest.raises(InputError, match="different settings"):
        next(table_rows([device], [("user_name", n) for n in range(600)]))


def test_an_empty_registry_has_its_header() -> None:
    (header,) = table_rows([], [])
    assert next(csv.reader(io.StringIO(header))) == list(RECORD_COLUMNS)
