"""``linekey backup``: one file with all that must not be lost."""

from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.opening import JsonOption, StateOption, make_verb, now
from linekey.cli.output import emit_json, note, say
from linekey.cli.progress import progress
from linekey.cli.serve import load_settings
from linekey.store.paths import StateDir
from linekey.words import counted

app = make_verb()


@app.command()
def backup(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The file to write, or a folder: then its name has the time in it.",
        ),
    ],
    without_keys: Annotated[
        bool,
        typer.Option(
            "--without-keys",
            help="Leave out keys/, to keep it apart: without it nobody can read the "
            "secrets in the backup.",
        ),
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Write registry, log, settings and keys into one file, while the server runs.

    Whoever has that file (and the keys) has every phone's passwords: it is mode 0600,
    and should be kept like the state folder itself. `linekey restore` puts it back. For
    example:

        linekey backup /var/backups/linekey/
    """
    from linekey.store.backup import write_backup

    folder = StateDir.open(state, create=False)
    settings = load_settings(folder, {})
    at = now()
    path = file / f"linekey-{at:%Y%m%dT%H%M%SZ}.tar" if file.is_dir() else file
    url = settings.database_url
    named = [
        p
        for p in (
            *settings.certificate, *settings.key,
            settings.status.certificate, settings.status.key,
        )
        if p is not None
    ]  # fmt: skip
    with progress("copying"):
        content = write_backup(
            folder, url.get_secret_value() if url else None, path, at,
            named=named, with_keys=not without_keys,
        )  # fmt: skip
    if json:
        emit_json({"file": str(path), **content.as_json()})
        return
    phones = content.rows.get("devices", 0)
    lines = content.rows.get("decision_log", 0)
    say(
        f"wrote {path}: {counted(phones, 'phone')}, {counted(lines, 'line')} of the log"
    )
    if without_keys:
        note(
            f"its secrets need the key {content.key}: keep "
            f"{folder.keys} apart from it, and keep it safe"
        )
    else:
        note("it holds the keys, too: keep it where nobody else can read it")
    outside = [p for p in named if not (folder.root / p).is_relative_to(folder.root)]
    for p in outside:
        note(f"not in it: {p}, which lies outside the state folder")
