"""``linekey layer rotate-key``: a new key for the database's secrets.

Rule: ``store.rotation`` refuses a step that is out of order, and says which is next.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import JsonOption, StateOption, now, opened
from linekey.cli.output import console, emit_json, note, say
from linekey.errors import InputError

with on_use():
    from linekey.store.rotation import (
        Rotation,
        cancel,
        finish,
        forget_key,
        prepare,
        rotate_key,
        rotation,
    )
    from linekey.store.secrets import KEY_FILE

if TYPE_CHECKING:
    from linekey.store.database import Database
    from linekey.store.servers import KnownServer


def rotate_key_(
    prepare_: Annotated[
        bool,
        typer.Option(
            "--prepare", help="Step 1: make a new key, and say where to copy it."
        ),
    ] = False,
    finish_: Annotated[
        bool,
        typer.Option(
            "--finish",
            help="Step 2: encrypt all secrets with the new key. Refused while a server "
            "lacks it. If it was interrupted, run it again.",
        ),
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SERVER",
            help="With --finish: do not wait for this server, which is gone for good. "
            "May be repeated.",
        ),
    ] = None,
    status: Annotated[
        bool,
        typer.Option("--status", help="List the keys and which servers have them."),
    ] = False,
    cancel_: Annotated[
        bool, typer.Option("--cancel", help="Discard the prepared key.")
    ] = False,
    forget: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Delete an old key from this machine's key file. Older backups of the "
            "database cannot be read without it.",
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Encrypt all secrets in the database with a new key, while servers run.

    If only one server uses the database, this is enough:

        linekey layer rotate-key

    If several servers share it, each needs the new key before it is used:

        linekey layer rotate-key --prepare

        (copy keys/database.key to the servers that it names)

        linekey layer rotate-key --finish

    With --status the exit status is 1 while a step is left to do.
    """
    steps = [prepare_, finish_, status, cancel_, forget is not None]
    if sum(steps) > 1:
        raise InputError(
            "only one step can be done at a time",
            hint="give one of --prepare, --finish, --status, --cancel, --forget",
        )
    if without and not finish_:
        raise InputError(
            "--without needs --finish", hint="give --finish --without SERVER"
        )
    with opened(state) as database:
        if status:
            _status(database, json)
        elif prepare_:
            _say_prepared(database, prepare(database), json)
        elif cancel_:
            _say(database, json, "cancelled", cancel(database))
        elif forget is not None:
            forget_key(database, forget)
            _say(database, json, "forgotten", forget)
        elif finish_:
            count = finish(database, now(), without=without or ())
            _say_sealed(database, count, json)
        else:
            _say_sealed(database, rotate_key(database), json)


def _say_sealed(database: "Database", count: int, json: bool) -> None:
    found = rotation(database)
    if json:
        emit_json({"sealed": count, **rotation_json(found, database, now())})
        return
    plural = "" if count == 1 else "s"
    console.print(
        f"encrypted {count} record{plural} with the key {found.in_use}", markup=False
    )
    old = [key for key in found.file_ids if key != found.in_use]
    note(f"the key is in {_path(database)}; back up this file now")
    if old:
        note(
            f"older keys stay in it, to read older backups: {', '.join(old)}. When "
            "all backups from before today are deleted, run on each server: linekey "
            f"layer rotate-key --forget {old[0]}"
        )


def _say_prepared(database: "Database", key_id: str, json: bool) -> None:
    found = rotation(database)
    if json:
        emit_json({"key": key_id, **rotation_json(found, database, now())})
        return
    console.print(f"prepared the key {key_id}; nothing is encrypted with it yet")
    path = _path(database)
    if found.lacking:
        note(f"copy {path} (mode 0600, owned by the server's user) to:")
        for server in found.lacking:
            say(f"  {server.name}")
        note("running servers read it within seconds; then run --status and --finish")
    else:
        note(
            f"every listed server has it. A server that has never started with this "
            f"database needs a copy of {path}, too; then run --finish"
        )


def _say(database: "Database", json: bool, what: str, key_id: str) -> None:
    if json:
        found = rotation(database)
        emit_json({what: key_id, **rotation_json(found, database, now())})
    else:
        console.print(f"{what} the key {key_id}", markup=False)
        note(f"it is no longer in {_path(database)}; other machines may still have it")


def _status(database: "Database", json: bool) -> None:
    found, at = rotation(database), now()
    if json:
        emit_json(rotation_json(found, database, at))
    else:
        _print_status(found, database, at)
    if not found.done:
        raise typer.Exit(1)


def _print_status(found: Rotation, database: "Database", at: datetime) -> None:
    say(f"keys in {_path(database)}")
    for key in _all_keys(found):
        here = "" if key in found.file_ids else "  NOT IN THIS FILE"
        rows = found.sealed[key]
        said = f"  {key}  {_role(found, key)}, {rows} row{'' if rows == 1 else 's'}"
        say(said + here)
    console.print("servers", markup=False)
    for server in found.servers:
        lacks = f"  LACKS {found.wanted}" if server in found.lacking else ""
        alive = "alive" if server.lives(at) else "not seen"
        say(
            f"  {server.name}  {' '.join(found.keys_of(server))}  {alive} "
            f"{server.seen_at:%Y-%m-%d %H:%M:%S} UTC{lacks}"
        )
    if not found.servers:
        console.print("  none has started yet", markup=False)
    if found.lacking:
        note(f"next: copy keys/{KEY_FILE} to those that lack {found.wanted}")
    elif found.prepared or found.left:
        note("next: linekey layer rotate-key --finish")


def rotation_json(
    found: Rotation, database: "Database", at: datetime
) -> dict[str, Any]:
    """Return how it stands as JSON values; ids only."""
    return {
        "key_file": _path(database),
        "in_use": found.in_use,
        "prepared": found.prepared,
        "done": found.done,
        "keys": [
            {
                "id": key,
                "role": _role(found, key),
                "rows": found.sealed[key],
                "in_file": key in found.file_ids,
            }
            for key in _all_keys(found)
        ],
        "servers": [_server_json(found, server, at) for server in found.servers],
    }


def _server_json(
    found: Rotation, server: "KnownServer", at: datetime
) -> dict[str, Any]:
    return {
        "name": server.name,
        "place": server.place,
        "keys": list(found.keys_of(server)),
        "alive": server.lives(at),
        "seen_at": server.seen_at.isoformat(),
        "started_at": server.started_at.isoformat(),
        "lacks": found.wanted if server in found.lacking else None,
    }


def _all_keys(found: Rotation) -> list[str]:
    known = [*found.file_ids, found.in_use, *found.sealed]
    if found.prepared:
        known.append(found.prepared)
    return list(dict.fromkeys(known))


def _role(found: Rotation, key: str) -> str:
    if key == found.in_use:
        return "in use"
    return "prepared" if key == found.prepared else "old"


def _path(database: "Database") -> str:
    return str(database.state.key_path(KEY_FILE))
