"""``linekey restore``: put a backup back, whole or not at all."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linekey.cli.opening import JsonOption, StateOption, make_verb, now, with_state
from linekey.cli.output import emit_json, note, say
from linekey.cli.progress import progress
from linekey.cli.serve import load_settings
from linekey.errors import Cause, StorageError
from linekey.store.paths import StateDir, default_state_path
from linekey.words import counted

if TYPE_CHECKING:
    from linekey.store.backup import Content

app = make_verb()


@app.command()
def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `linekey backup` wrote.")
    ],
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Move what is in the state folder into a folder replaced-… there.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only check that the file is whole and can be restored."
        ),
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Put a backup's registry, log, settings and keys into a state folder.

    Stop linekey first. The folder must be new, or have nothing of linekey in it, unless
    --replace is given. The file is checked before anything is changed. Where its
    settings name a PostgreSQL database, that must be empty, and is filled.
    """
    from linekey.store.database import files_locked
    from linekey.store.restoring import (
        check_unpacked,
        place_files,
        refuse_replacing,
        set_aside,
        unpacked,
    )

    aside = None
    if dry_run:
        # Beside the file, and no folder is made; a key that was kept apart is looked
        # for where it would be.
        folder = StateDir(default_state_path() if state is None else state)
        with unpacked(file, file.absolute().parent) as (content, place):
            check_unpacked(place, content, folder)
    else:
        folder = StateDir.open(state)
        with files_locked(folder), unpacked(file, folder.root) as (content, place):
            check_unpacked(place, content, folder)
            url = load_settings(StateDir(place), {}).database_url
            if not replace:
                refuse_replacing(folder, content)
            elif folder.database_file.is_file():
                _refuse_in_use(folder)
            if url is not None:
                _fill(url.get_secret_value(), folder, place, content)
            if replace:
                aside = set_aside(folder, content, now())
            place_files(folder, place, content)
    if json:
        emit_json(
            {
                "restored": not dry_run,
                "state": str(folder.root),
                "replaced": str(aside) if aside else None,
                **content.as_json(),
            }
        )
        return
    what = "can be restored" if dry_run else f"restored into {folder.root}"
    phones = content.rows.get("devices", 0)
    say(
        f"{file}: {what}: {counted(phones, 'phone')} as of "
        f"{content.made_at} (linekey {content.linekey}, schema {content.schema})"
    )
    if aside:
        note(f"what was there is in {aside}: delete it when all is well")
    if not dry_run:
        note(with_state("next: linekey serve --check", state))


def _fill(url: str, folder: StateDir, place: Path, content: "Content") -> None:
    """Copy what was unpacked into PostgreSQL, and leave no file to be placed."""
    from linekey.store.copying import copy_database
    from linekey.store.secrets import KEY_FILE

    unpacked_state = StateDir.open(place)
    if not content.has_keys:
        key = folder.read_key(KEY_FILE)
        assert key is not None  # it was tried
        unpacked_state.write_key(KEY_FILE, key)
    copy_database(
        unpacked_state, None, url, lambda total: progress("copying rows", total),
        cure="rename it (ALTER DATABASE … RENAME TO before) and make an empty one of "
        "its name (createdb), then restore again",
    )  # fmt: skip
    for left in place.glob("linekey.db*"):
        left.unlink()


def _refuse_in_use(folder: StateDir) -> None:
    """Refuse while another process has the database open; it may be damaged."""
    from linekey.store.copying import alone

    try:
        with alone(folder.database_file):
            pass
    except StorageError as error:
        if error.cause is not Cause.DAMAGED:
            raise
