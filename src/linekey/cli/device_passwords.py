"""``linekey device rotate-passwords``: new SIP passwords for phones.

Rule: none is printed. They are in the phones' next files, and in a file that only its
owner can read, if one is asked for.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.device_exported import say_who_has_old_passwords
from linekey.cli.device_selection import (
    AllOption,
    DryRunOption,
    FileFilter,
    GroupFilter,
    LabelFilter,
    MaybeMac,
    ModelFilter,
    WhereFilter,
    YesOption,
    change_selected,
    which,
)
from linekey.cli.device_tables import write_file
from linekey.cli.on_use import on_use
from linekey.cli.opening import JsonOption, StateOption
from linekey.cli.output import note, warn
from linekey.errors import InputError
from linekey.store.csv_cells import write_cell

with on_use():
    from linekey.provisioning.device import Device
    from linekey.store.devices import Done
    from linekey.store.passwords import PASSWORD, USERS, with_new_passwords

_HEADER = ("mac", "label", "idx", "user_name")


def rotate_passwords(
    mac: MaybeMac = None,
    idx: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            max=9999,
            metavar="IDX",
            help="Only of this account. May be repeated.",
        ),
    ] = None,
    model: ModelFilter = None,
    label: LabelFilter = None,
    group: GroupFilter = None,
    where: WhereFilter = None,
    file: FileFilter = None,
    every: AllOption = False,
    with_secrets: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the new passwords to this new file, one line for each account; "
            "only you can read it.",
        ),
    ] = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Give a phone, or a selection, new random SIP passwords (user_pass).

    Each account that has a password in the phone's own layer gets another one. A phone
    has it with its next file; its PBX needs it by then, such as from the file of
    --with-secrets. For example:

        linekey device rotate-passwords --group acme --with-secrets passwords.csv
    """
    wanted = which(
        mac, model=model, label=label, group=group, where=where, file=file, every=every
    )
    if with_secrets is not None and dry_run:
        raise InputError(
            "--dry-run makes no passwords", hint="leave out --with-secrets"
        )
    rows: list[tuple[str, ...]] = []

    def change(device: Device) -> Device:
        after = with_new_passwords(device, idx or ())
        rows.extend(_rows(device, after))
        return after

    def keep(do: Callable[[], list[Done]]) -> list[Done]:
        done: list[Done] = []

        def lines() -> Iterator[str]:
            done.extend(do())
            yield _line((*_HEADER, PASSWORD))
            yield from map(_line, rows)

        if with_secrets is None:
            return do()
        write_file(with_secrets, lines(), new=True)
        return done

    done = change_selected(
        wanted, change, "give new passwords to", yes=yes, dry_run=dry_run,
        state=state, json=json, keep=keep, same="without such a password",
    )  # fmt: skip
    if dry_run or not done:
        return
    if with_secrets is not None:
        warn(f"{with_secrets} holds secrets in plain", "delete it when it has served")
    else:
        note("next: linekey device export --with-secrets FILE has them for the PBX")
    say_who_has_old_passwords(state)


def _rows(before: Device, after: Device) -> Iterator[tuple[str, ...]]:
    if before == after:
        return
    old = {s.slot: s.value for s in before.layer.settings}
    names = {s.idx: s.value for s in after.layer.settings if s.name in USERS}
    told: set[int | None] = set()
    for setting in after.layer.settings:
        if setting.value != old.get(setting.slot) and setting.idx not in told:
            told.add(setting.idx)
            idx = "" if setting.idx is None else str(setting.idx)
            name = names.get(setting.idx, "")
            yield after.mac.digits, after.label, idx, name, setting.value


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(map(write_cell, cells))
    return text.getvalue()
