"""``linekey device import`` and ``export``: the phones as a table.

Rule: what would be done is told by the very code that does it.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from linekey.cli.device_difference import done_json, tell_done
from linekey.cli.device_exported import say_who_still_lets_in
from linekey.cli.device_selection import (
    GroupFilter,
    LabelFilter,
    ModelFilter,
    WhereFilter,
    selection_of,
)
from linekey.cli.many import many_values
from linekey.cli.on_use import on_use
from linekey.cli.opening import (
    AllowUnknownOption,
    JsonOption,
    StateOption,
    now,
    opened,
    printable,
    read_file,
    with_state,
)
from linekey.cli.output import console, emit_json, err_console, note, warn
from linekey.cli.progress import progress
from linekey.errors import InputError
from linekey.words import counted

with on_use():
    from linekey.provisioning.document import parse_slot
    from linekey.store.device_csv import RowProblem, parse_device_table
    from linekey.store.device_export import table_rows
    from linekey.store.device_import import How, ImportRefused, import_table, too_many
    from linekey.store.devices import Devices, Done
    from linekey.store.vendor_cas import VendorCas


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The CSV file.")],
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="Also change phones that are registered already. An empty cell "
            "changes nothing.",
        ),
    ] = False,
    sync: Annotated[
        bool,
        typer.Option(
            "--sync",
            help="Make the registry equal to the file: an empty cell removes a value, "
            "and phones that are not in the file are removed.",
        ),
    ] = False,
    allow_removals: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Let --sync remove up to N phones. Default: a tenth of them.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only report what would be done.")
    ] = False,
    skip_registered: Annotated[
        bool,
        typer.Option(
            "--skip-registered", help="Skip phones that are already registered."
        ),
    ] = False,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="NAME",
            help="Treat this column, a setting or NAME[IDX], as secret. May be "
            "repeated. Passwords are recognised without it.",
        ),
    ] = None,
    allow_unknown: AllowUnknownOption = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Register all phones of a CSV file. If one row is wrong, none is imported.

    The first line names the columns, in any order:

    - `mac` (required), `vendor`, `model`, `firmware`, `label`, `group`, `state` (active
      or revoked), `revoked_reason`, `generations`, `expired`;

    - any phone setting, with its idx in brackets, such as `user_name[1]`,
      `user_pass[1]` or `setting_server`; `user_name1` works, too.

    Any other column is refused, and the nearest known name is suggested. Files exported
    by FusionPBX, wazo or FreePBX are read by their own column names. linekey reports
    what it leaves out of them; a device that is disabled there is revoked here.

    An empty cell sets nothing, `(kept)` leaves a secret as it is, `(empty)` is an empty
    value. What has no column stays as it is. Columns are separated by commas,
    semicolons or tabs; the text is UTF-8 or UTF-16, up to 64 MiB. Each wrong row is
    reported with its line and reason. With `--json`, the answer lists the phones that
    are `added`, `changed` and `removed`. For example:

        linekey device import phones.csv --sync --dry-run
    """
    if [update, sync, skip_registered].count(True) > 1:
        raise InputError(
            "--update, --sync and --skip-registered exclude each other",
            hint="give one of them",
        )
    how = How.SYNC if sync else How.UPDATE if update else How.ADD
    data = read_file(file)
    with many_values(), opened(state, create=True) as database:
        devices = Devices(database)
        table = parse_device_table(
            data,
            VendorCas(database).usual_vendor(),
            allow_unknown=allow_unknown,
            secret=[parse_slot(name) for name in secret or ()],
            vendors={} if how is How.ADD else devices.vendors(),
            in_use=devices.slots,
        )
        before = devices.count()
        try:
            with progress("importing", len(table.rows)) as seen:
                done = import_table(
                    devices,
                    table,
                    how,
                    now(),
                    skip_registered=skip_registered,
                    removals=allow_removals,
                    dry_run=dry_run,
                    seen=seen,
                )
        except ImportRefused as refused:
            _tell_problems(file, refused.problems, json)
            raise
    for text in table.notes:
        note(f"note: {text}")
    removed = sum(1 for one in done if one.action == "remove")
    if dry_run and too_many(removed, before, allow_removals):
        note(
            f"note: {removed} of {counted(before, 'phone')} would be removed: that "
            f"needs --allow-removals {removed}"
        )
    if not dry_run and (shut := sum(map(_is_shut_out, done))):
        say_who_still_lets_in(state, f"the {counted(shut, 'phone')} removed or revoked")
    added = {one.mac for one in done}
    lines = table.lines if skip_registered else {}
    skipped = sorted(mac for mac in lines if mac not in added)
    if json:
        document = done_json(done)
        if how is How.ADD:
            document |= {
                "file": str(file),
                "imported": 0 if dry_run else len(done),
                "would_import": len(done),
                "skipped": [mac.digits for mac in skipped],
                "notes": list(table.notes),
                "errors": [],
            }
        emit_json(document)
        return
    for mac in skipped:
        note(f"{file}:{lines[mac]}: skipped, {mac} is registered already")
    if how is How.ADD:
        verb = "would import" if dry_run else "imported"
        plural = "" if len(done) == 1 else "s"
        console.print(f"{verb} {len(done)} phone{plural}", markup=False)
        return
    tell_done(done, dry_run)


def _is_shut_out(one: Done) -> bool:
    return one.action == "remove" or any(
        d.what == "state" and d.after == "revoked" for d in one.details
    )


def _tell_problems(file: Path, problems: Iterable[RowProblem], json: bool) -> None:
    if json:
        emit_json(
            {
                "file": str(file),
                "imported": 0,
                "errors": [
                    {"line": p.line, "reason": p.reason, "cure": p.cure}
                    for p in problems
                ],
            }
        )
    for problem in problems:
        cure = f" — {problem.cure}" if problem.cure else ""
        text = f"{file}:{problem.line}: {problem.reason}{cure}"
        err_console.print(printable(text), markup=False, soft_wrap=True)


def export(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file; an older one is replaced. Default: stdout.",
        ),
    ] = None,
    with_secrets: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write to this new file, secrets included; only you can read it.",
        ),
    ] = None,
    model: ModelFilter = None,
    label: LabelFilter = None,
    group: GroupFilter = None,
    where: WhereFilter = None,
    state: StateOption = None,
) -> None:
    """Write the phones as a CSV file that `linekey device import` reads back.

    One row per phone, and one column for each setting that any of them has of its own.
    Secrets are written as `(kept)`, which `import` leaves as they are. A value that a
    spreadsheet program would run as a formula gets an apostrophe before it, which
    `import` removes.

    Function keys, certificates, digest users and one-time tokens are not in the file;
    linekey reports how many phones have some. For example:

        linekey device export -o phones.csv
    """
    if output is not None and with_secrets is not None:
        raise InputError("two files to write into", hint="give -o or --with-secrets")
    wanted = selection_of(model=model, label=label, group=group, where=where)
    left_out = Counter[str]()
    with opened(state) as database:
        devices = Devices(database)
        total = devices.count(wanted)
        path = with_secrets or output
        # On a terminal the rows themselves show how far it is.
        hidden = path is None and sys.stdout.isatty()
        with progress("exporting", total, shown=not hidden) as seen:
            rows = table_rows(
                devices.all(wanted),
                devices.slots(wanted),
                secrets=with_secrets is not None,
                left_out=left_out,
            )
            if path is None:
                sys.stdout.writelines(_told(rows, seen))
                sys.stdout.flush()
            else:
                write_file(path, _told(rows, seen), new=with_secrets is not None)
    for what, count in left_out.items():
        if count:
            note(f"note: {what}: {counted(count, 'phone')} with some; not in the table")
    note(f"{counted(total, 'phone')} in the table")
    if with_secrets is not None:
        warn(f"{with_secrets} holds secrets in plain", "delete it when it has served")
    elif output is not None:
        words = f"linekey device import {quote(str(output))} --sync --dry-run"
        note(f"next: {with_state(words, state)}")


def _told(rows: Iterable[str], seen: Callable[[int], None]) -> Iterator[str]:
    for row in rows:
        yield row
        seen(1)


def write_file(path: Path, rows: Iterable[str], *, new: bool) -> None:
    """Write a table: a ``new`` one is its owner's alone, and takes no other's place.

    Another one is written beside its place first, so that what is there is whole.
    """
    written = path if new else path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(written, flags, 0o600 if new else 0o666)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.writelines(rows)
            if not new:
                written.replace(path)
        except BaseException:
            written.unlink()
            raise
    except OSError as error:
        raise InputError(
            f"cannot write {str(path)!r}: {(error.strerror or str(error)).lower()}",
            hint="name another file, or a folder that you may write in",
        ) from None
