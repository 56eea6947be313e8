"""Rows of a table: each word is judged once, and means the same in every row."""

import pytest

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.document import Setting
from linekey.store.device_rows import Column, RowReader

SNOM, POLY = Mac("000413000001"), Mac("000413000002")


def reader(*columns: str | Column | None, **vendors: str) -> RowReader:
    """A reader of these columns: names of the record's, settings, or None."""
    those = [Column(c) if isinstance(c, str) else c for c in columns]
    return RowReader(those, "snom", {Mac(mac): name for mac, name in vendors.items()})


def test_a_word_means_the_same_however_many_words_there_are() -> None:
    """More than are kept, and each twice."""
    rows = reader("mac", "firmware", Column(None, "language"))
    for n in (*range(3000), *range(3000)):
        row = rows.read(2, [f"000413{n:06x}", f"10.1.{n}.1", f"L{n}"])
        assert str(row.device.firmware) == f"10.1.{n}.1"
        assert row.device.layer.settings == (Setting("language", f"L{n}"),)


def test_the_same_cell_is_another_lines_setting_in_another_row() -> None:
    rows = reader("mac", "line", Column(None, "user_name", of_line=True))
    one = rows.read(2, ["000413000001", "1", "4711"]).device.layer
    two = rows.read(3, ["000413000001", "2", "4711"]).device.layer
    assert [s.slot for s in (*one.settings, *two.settings)] == [
        ("user_name", 1), ("user_name", 2),
    ]  # fmt: skip


def test_the_same_record_is_another_makers_for_a_phone_that_is_registered() -> None:
    rows = reader("mac", "model", "server", "line", **{POLY.digits: "poly"})
    snom = rows.read(2, [SNOM.digits, "D785", "pbx.example", "2"]).device
    poly = rows.read(3, [POLY.digits, "D785", "pbx.example", "2"]).device
    assert (snom.vendor, poly.vendor) == ("snom", "poly")
    assert snom.layer.settings == (Setting("user_host", "pbx.example", 2),)
    assert poly.layer.settings == (Setting("any.account.registrar", "pbx.example", 2),)


def test_a_bad_word_is_refused_in_every_row() -> None:
    rows = reader("mac", "state")
    for _ in range(2):
        with pytest.raises(InputError, match="not a state"):
            rows.read(2, [SNOM.digits, "lost"])
    assert rows.read(2, [SNOM.digits, "revoked"]).device.state == "revoked"


def test_a_lines_server_overrides_the_same_settings_column() -> None:
    rows = reader("mac", "server", Column(None, "user_host", 1))
    row = rows.read(2, [SNOM.digits, "pbx.example", "other.example"])
    assert row.device.layer.settings == (Setting("user_host", "pbx.example", 1),)


def test_kept_and_labels_are_told_of_the_row() -> None:
    rows = reader("mac", "label", "label", Column(None, "user_pass", 1), None)
    row = rows.read(7, [SNOM.digits, "Hall", "left", "(kept)"])
    assert (row.line, row.device.label) == (7, "Hall, left")
    assert row.said == {"mac", "label"}
    assert row.kept == {("user_pass", 1)}
    with pytest.raises(InputError, match="without a name"):
        rows.read(8, [SNOM.digits, "", "", "", "x"])
    with pytest.raises(InputError, match="6 cells, but 5"):
        rows.read(9, [SNOM.digits, "", "", "", "", "x"])
