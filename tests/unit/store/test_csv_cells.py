import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.store.csv_cells import (
    EMPTY,
    KEPT,
    Cell,
    read_cell,
    refuse_broken,
    write_cell,
)

ODD = st.text(alphabet="'=+-@\t\r\n (kept)empty1.E#N\"A＝", max_size=12)


@given(st.one_of(st.text(), ODD))
def test_what_is_written_is_read_back_and_runs_nowhere(value: str) -> None:
    cell = write_cell(value)
    read = read_cell(cell)
    assert read.text == value
    assert not cell.strip().startswith(("=", "+", "-", "@"))
    refuse_broken(read, "column")
    assert read.exact or value not in (KEPT, EMPTY)


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("'=cmd|' /C calc'!A0", Cell("=cmd|' /C calc'!A0", True)),
        ("'tis", Cell("'tis")),
        ("''tis", Cell("''tis")),
        ('="0100"', Cell("0100")),
        ('="a""b"', Cell('a"b')),
        ("'(kept)", Cell("(kept)", True)),
        ("(kept)", Cell("(kept)")),
        ("+49301", Cell("+49301")),
    ],
)
def test_what_a_cell_says(cell: str, meant: Cell) -> None:
    assert read_cell(cell) == meant


@pytest.mark.parametrize("cell", ["4.137E+12", "#NAME?", " #REF! "])
def test_what_a_spreadsheet_broke_is_refused(cell: str) -> None:
    with pytest.raises(InputError, match="column: a spreadsheet"):
        refuse_broken(read_cell(cell), "column")
