"""Which phones a verb is about: the options, and the agreement to change many."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.opening import read_file
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.store.selection import Condition, Selection

ModelFilter = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="Only phones of this model; * and ? stand for any characters.",
    ),
]
LabelFilter = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="LABEL",
        help="Only phones with this label, such as 'Hall*'.",
    ),
]
WhereFilter = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="NAME=VALUE",
        help="Only phones where this column (vendor, firmware, state …) or setting of "
        "their own is so, such as 'user_host[1]=*.example.com'; with nothing after the "
        "=, where it is not set. May be repeated: all must match.",
    ),
]
FileFilter = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="Only phones whose MACs are in this file, one per line (or the first "
        "column of a table).",
    ),
]
SearchFilter = Annotated[
    str | None,
    typer.Option(
        "--search", metavar="TEXT", help="Only phones with this in MAC, label or model."
    ),
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Change more than one phone unasked.")
]


def selection_of(
    *,
    model: str | None = None,
    label: str | None = None,
    where: list[str] | None = None,
    file: Path | None = None,
    search: str | None = None,
    revoked: bool = False,
) -> Selection:
    """Make a selection of what was given. Raises InputError."""
    return Selection(
        macs=None if file is None else read_macs(file),
        model=model,
        label=label,
        state="revoked" if revoked else None,
        search=search or "",
        where=tuple(map(Condition.parse, where or ())),
    )


def read_macs(path: Path) -> frozenset[Mac]:
    """Read a list of MACs, one a line; a table's first column will do.

    Empty lines, what follows a # and a first line that begins with the word mac do not
    count. Raises InputError for a line that is no MAC, and for none at all.
    """
    found: set[Mac] = set()
    text = read_file(path).decode("utf-8-sig", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].replace(",", " ").replace(";", " ").split()
        if not words or (number == 1 and words[0].strip('"').lower() == "mac"):
            continue
        try:
            found.add(parse_mac(words[0].strip('"')))
        except InputError as error:
            raise InputError(
                f"{path}:{number}: {error.message}", hint=error.hint
            ) from None
    if not found:
        raise InputError(f"{path} has no MAC", hint="write one MAC per line")
    return frozenset(found)


def refuse_none(wanted: Selection) -> InputError:
    """What to say where no phone fits."""
    return InputError(
        f"no phone fits {wanted.describe()}",
        hint="linekey device list with the same options shows what fits",
    )


def agree(count: int, what: str, wanted: Selection, yes: bool) -> None:
    """Have it confirmed that more than one phone is meant.

    Raises InputError if nobody can be asked, and leaves if the answer is no.
    """
    if count == 1 or yes:
        return
    text = f"{what} {count} phones ({wanted.describe()})"
    if not sys.stdin.isatty():
        raise InputError(
            f"would {text}",
            hint="--yes agrees to it; --dry-run shows what would change",
        )
    typer.confirm(f"{text}?", abort=True, err=True)
