"""``linekey audit``: who changed what, when, and from where."""

from typing import Annotated

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_app,
    now,
    opened,
    printable,
)
from linekey.cli.output import emit_json, note, say
from linekey.cli.when import parse_when
from linekey.mac import parse_mac
from linekey.provisioning.group import parse_group
from linekey.words import counted

with on_use():
    from linekey.store.changes import (
        ChangeLine,
        ChangeSearch,
        count_changes,
        read_changes,
    )

app = make_app(
    "Show who changed what, when, and from where.\n\n"
    "For example: `linekey audit --mac 000413AABBCC --since 7d`.",
    no_args_is_help=False,
)

_TimeOption = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="2h or 7d (ago), or a time: 2026-01-31T12:00."),
]


@app.callback(invoke_without_command=True)
def audit(
    who: Annotated[
        str, typer.Option(help="Only changes by this system account or API token.")
    ] = "",
    mac: Annotated[
        str | None, typer.Option(metavar="MAC", help="Only changes of this phone.")
    ] = None,
    subject: Annotated[
        str,
        typer.Option(
            help="Only changes of 'layer fleet', 'vendor-ca SHA256' or 'token NAME'."
        ),
    ] = "",
    group: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP", help="Only changes of this group's phones and layer."
        ),
    ] = None,
    since: _TimeOption = None,
    until: _TimeOption = None,
    limit: Annotated[
        int, typer.Option(min=0, help="Show at most the newest N changes; 0: all.")
    ] = 100,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Print changes by commands and by the API, oldest first. No secret is in them."""
    at = now()
    search = ChangeSearch(
        who=who,
        subject=subject if mac is None else f"device {parse_mac(mac)}",
        since=None if since is None else parse_when(since, at),
        until=None if until is None else parse_when(until, at),
        group="" if group is None else parse_group(group),
    )
    with opened(state) as database, database.read() as connection:
        total = count_changes(connection, search)
        lines = read_changes(connection, search, limit=limit or None)
    lines.reverse()
    if json:
        emit_json({"items": [line.as_json() for line in lines], "total": total})
        return
    for line in lines:
        say(printable_line(line))
    if total > len(lines):
        note(f"{len(lines):,} of {counted(total, 'change')}; --limit 0 shows all")
    if not total:
        note("no matching entries")


def printable_line(line: ChangeLine) -> str:
    """Write a change for people, a line for each thing that differs below it."""
    head = (
        f"{line.at.astimezone():%Y-%m-%d %H:%M:%S}  {line.who} ({line.place})  "
        + " ".join((line.action, line.subject))
    )
    rest = [
        f"    {one.what}: {_shown(one.before)} → {_shown(one.after)}"
        for one in line.details
    ]
    return "\n".join(printable(text) for text in (head, *rest))


def _shown(text: str | None) -> str:
    return "nothing" if text is None else text
