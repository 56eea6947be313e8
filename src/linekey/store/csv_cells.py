"""One cell of a table of phones: what it says, and how a value is written into one.

A cell that a spreadsheet program would run as a formula (``=cmd|…``, ``+``, ``-``,
``@``; OWASP, *CSV Injection*), and one that would not be read back as it is, is written
with an apostrophe before it; such an apostrophe is taken away when it is read.

``(kept)`` stands for a secret that is not told: what is there stays. ``(empty)`` is a
setting whose value is the empty text; an empty cell sets nothing. ``="0100"`` is read
as 0100, which is how people keep zeros in a spreadsheet.

Rule: ``read_cell(write_cell(value))`` is the value, whatever it holds.
"""

import re
from typing import Final, NamedTuple

from linekey.errors import InputError

KEPT: Final = "(kept)"
EMPTY: Final = "(empty)"
AS_TEXT: Final = (
    "mark the column as text before the table is opened, and export it again from "
    "where it came from: the digits are lost here"
)

_BEGINS_FORMULA = frozenset("=+-@＝＋－＠")
_TEXT_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
_ROUNDED = re.compile(r"[0-9][.,][0-9]+E[+-]?[0-9]{1,3}", re.IGNORECASE)
_ERROR = re.compile(r"#(?:NAME|REF|VALUE|NUM|NULL|N/A|DIV/0|WERT|BEZUG|NV)[!?]?")


class Cell(NamedTuple):
    """What a cell says; ``exact``: it was written to be taken as it is."""

    text: str
    exact: bool = False


def write_cell(value: str) -> str:
    """Write a value so that no program runs it, and it is read back equal."""
    return f"'{value}" if _needs_apostrophe(value) else value


def read_cell(cell: str) -> Cell:
    """Read what a spreadsheet program, or ``write_cell``, wrote."""
    if cell.startswith("'") and _needs_apostrophe(cell):
        return Cell(cell[1:], True)
    if "=" not in cell:  # nearly all of them
        return Cell(cell)
    found = _TEXT_FORMULA.fullmatch(cell.strip())
    return Cell(cell if found is None else found[1].replace('""', '"'))


def refuse_broken(cell: Cell, column: str) -> None:
    """Refuse what a spreadsheet program made of a value, which is never repeated."""
    text = cell.text.strip()
    if cell.exact or not text or text[0] not in "#0123456789":
        return
    if _ROUNDED.fullmatch(text):
        raise InputError(
            f"{column}: a spreadsheet has written a number as 4.137E+12", hint=AS_TEXT
        )
    if _ERROR.fullmatch(text):
        raise InputError(
            f"{column}: a spreadsheet has taken the value for a formula", hint=AS_TEXT
        )


def _needs_apostrophe(value: str) -> bool:
    bare = value.lstrip("'")  # so that one more or less makes no difference
    text = bare.strip()
    return (
        bare != text
        or (bare != "" and bare[0] in _BEGINS_FORMULA)
        or bare in (KEPT, EMPTY)
        or _ROUNDED.fullmatch(text) is not None
        or _ERROR.fullmatch(text) is not None
    )
