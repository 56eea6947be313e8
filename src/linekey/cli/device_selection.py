"""Which phones a verb is about: the options, and the agreement to change many."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.device_difference import done_json, tell_done
from linekey.cli.many import many_values
from linekey.cli.on_use import on_use
from linekey.cli.opening import now, opened, read_file
from linekey.cli.output import emit_json, note
from linekey.cli.progress import progress
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.words import counted

with on_use():
    from linekey.provisioning.device import Device
    from linekey.store.devices import Devices, Done
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
GroupFilter = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="Only phones of this group; '' for those in none.",
    ),
]
WhereFilter = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="NAME=VALUE",
        help="Only phones where this column (vendor, firmware, state …) or setting of "
        "their own is so, such as 'user_host[1]=*.example.com'; with nothing after the "
        "=, where it is not set. Or by what visits said: seen=never, "
        "not_seen_since=2026-01-31, refused_since=…, certificate_ends_before=…, "
        "certificate_generation=sha1, last_reason=…, issuer=…. May be repeated: all "
        "must match.",
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
MaybeMac = Annotated[
    str | None,
    typer.Argument(
        metavar="MAC", help="One phone; or select some by the options below."
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="All registered phones.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only report what would be changed.")
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
    group: str | None = None,
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
        group=group,
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


def change_selected(
    wanted: Selection,
    how: Callable[[Device], Device],
    verb: str,
    *,
    yes: bool,
    dry_run: bool,
    state: Path | None,
    json: bool,
    keep: Callable[[Callable[[], list[Done]]], list[Done]] = lambda do: do(),
    same: str = "already so",
) -> list[Done]:
    """Change all phones of a selection, or none, and say what differs.

    More than one has to be agreed to, and nothing is changed if there are more or
    fewer by then. ``keep`` does the change and keeps what comes of it; ``same`` says of
    phones why nothing changes. Raises InputError.
    """
    with many_values(), opened(state) as database:
        devices = Devices(database)
        count = devices.count(wanted)
        if not count:
            raise InputError(
                f"no phone fits {wanted.describe()}",
                hint="linekey device list with the same options shows which phones fit",
            )
        if count > 1 and not dry_run and not yes:
            agree(f"{verb} {count} phones ({wanted.describe()})")
        with progress(verb, count) as seen:
            done = keep(
                lambda: devices.change_all(
                    wanted, how, now(), expected=count, dry_run=dry_run, seen=seen
                )
            )
    if json:
        emit_json({"selected": count, "dry_run": dry_run} | done_json(done))
        return done
    tell_done(done, dry_run, ["change"])
    if len(done) < count:
        note(f"{same}: {count - len(done):,} of {counted(count, 'phone')}")
    return done


def agree(text: str) -> None:
    """Have a change of many confirmed.

    Raises InputError if it is not, or nobody can be asked.
    """
    if not sys.stdin.isatty():
        raise InputError(
            f"this would {text}",
            hint="--yes agrees to it; --dry-run shows what would change",
        )
    if not typer.confirm(f"{text}?", err=True):
        raise InputError("nothing was changed", hint="--dry-run shows what would be")


def which(
    mac: str | None,
    *,
    model: str | None,
    label: str | None,
    group: str | None,
    where: list[str] | None,
    file: Path | None,
    every: bool,
) -> Selection:
    """Say which phones are meant: by a MAC, by what they fit, or every one.

    Raises InputError for nothing at all, and for a MAC beside anything else.
    """
    wanted = selection_of(model=model, label=label, group=group, where=where, file=file)
    ways = [mac is not None, not wanted.is_all, every].count(True)
    if ways > 1:
        raise InputError(
            "phones are named in two ways: by a MAC, a selection, or --all",
            hint="give one of them alone",
        )
    if not ways:
        raise InputError(
            "say which phones: a MAC, or a selection, or --all",
            hint="a selection is --model, --label, --group, --where or --file, or "
            "several of them",
        )
    if mac is not None:
        return Selection(macs=frozenset({parse_mac(mac)}))
    return wanted
