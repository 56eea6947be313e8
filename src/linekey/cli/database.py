"""``linekey database``: where the registry and the log are, and how to move them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from linekey.cli.opening import JsonOption, StateOption, make_app, with_state
from linekey.cli.output import emit_json, note, say
from linekey.cli.progress import progress
from linekey.store.paths import StateDir
from linekey.words import counted

if TYPE_CHECKING:
    from linekey.store.copying import Copied
    from linekey.store.look import Look

app = make_app(
    "Show the database, and copy it to PostgreSQL or back.\n\n"
    "For example: `linekey database copy --to postgresql+psycopg://linekey@/linekey`."
)
SQLITE = "sqlite"
_URL = "sqlite|URL"


@app.command()
def status(state: StateOption = None, json: JsonOption = False) -> None:
    """Show which database is in use, its schema, and how many rows it has.

    Nothing is changed: a database of an older linekey is not brought up to date.
    """
    from linekey.store.look import look
    from linekey.store.opening import database_url

    folder = StateDir.open(state, create=False)
    found = look(folder, database_url(folder))
    if json:
        emit_json(
            {
                "database": found.name,
                "schema": found.schema,
                "newest_schema": found.newest,
                "rows": found.rows,
            }
        )
        return
    say(f"database  {found.name}")
    say(f"schema    {found.schema} ({_age(found)})")
    for table, count in found.rows.items():
        say(f"  {table:<16} {count:>12,}")


def _age(found: "Look") -> str:
    if found.schema == found.newest:
        return "of this linekey"
    return f"the next command or start brings it to {found.newest}"


@app.command("copy")
def copy_(
    to: Annotated[
        str,
        typer.Option(
            metavar=_URL,
            help="Where to: an empty database of PostgreSQL, or sqlite: linekey.db in "
            "the state folder.",
        ),
    ],
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar=_URL,
            help="Where from. Default: the database that linekey.toml names, else "
            "sqlite.",
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Copy registry, log and all else into another database, which must be empty.

    Stop linekey first, on every machine. All is copied, or nothing: a copy that is
    interrupted leaves the target as it was. The key file keys/database.key stays and
    is the target's, too. Passwords belong into ~/.pgpass or PGPASSFILE and not into
    the URL, where other users of the machine can see them.
    """
    from linekey.store.copying import copy_database
    from linekey.store.opening import database_url

    folder = StateDir.open(state, create=False)
    source = database_url(folder) if from_ is None else _url(from_)
    copied = copy_database(
        folder, source, _url(to), lambda total: progress("copying rows", total)
    )
    if json:
        emit_json(_copied_json(copied))
        return
    for table, count in copied.rows.items():
        say(f"  {table:<16} {count:>12,}")
    total = counted(copied.total, "row")
    say(f"copied {total} from {copied.source} to {copied.target}")
    if _url(to) is None:
        note("next: take database_url out of linekey.toml, then start linekey")
    else:
        note(
            f'next: set database_url = "{copied.target}" in linekey.toml (and the '
            "password as above), then start linekey"
        )
    note(with_state("check it: linekey database status", state))


def _url(text: str) -> str | None:
    return None if text == SQLITE else text


def _copied_json(copied: "Copied") -> dict[str, Any]:
    return {
        "from": copied.source,
        "to": copied.target,
        "rows": copied.rows,
        "total": copied.total,
    }
