"""``linekey log``: which requests were granted or refused, and why."""

import itertools
import json as json_module
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

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
from linekey.cli.output import (
    console,
    emit_json,
    emit_json_list,
    emit_line,
    note,
    say,
)
from linekey.cli.progress import progress
from linekey.cli.when import parse_when
from linekey.mac import parse_mac
from linekey.provisioning.group import parse_group

with on_use():
    from linekey.store.database import Database
    from linekey.store.decisions import (
        LogEntry,
        count_log,
        prune_log,
        read_log,
        walk_log,
    )

FOLLOW_S = 0.5
"""Seconds between two looks for new lines."""

_OVERLAP = 256  # lines looked at again: PostgreSQL may number them before they are seen
_COUNTED_FOR = timedelta(seconds=65)  # then a counted line grows no more

app = make_app(
    """Show which requests were granted or refused, and why.

    Each entry is a request, or a connection that was refused before it sent a request.
    A refusal says why, and what you can do. For example:

        linekey log --refused --since 1h

        linekey log --mac 000413AABBCC --follow
    """,
    no_args_is_help=False,
)


@app.callback(invoke_without_command=True)
def log(
    context: typer.Context,
    mac: Annotated[
        str | None,
        typer.Option(
            metavar="MAC",
            help="Only requests by this phone or for its file.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Only phones that were in this group then."),
    ] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Only refusals.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Only since then: 30m, 2h or 7d (ago), or 2026-01-31T12:00 (local "
            "time, unless +01:00 or Z is added).",
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Keep printing new entries until Ctrl-C."),
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Show at most the newest N entries; 0: all.")
    ] = 100,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Print the newest entries, oldest first. With --follow --json: JSON lines."""
    if context.invoked_subcommand is not None:
        context.obj = state
        return
    wanted = None if mac is None else parse_mac(mac)
    start = None if since is None else parse_when(since, now())
    with opened(state) as database:
        # What is there already, before it is read: what comes meanwhile is new.
        last = max((entry.row_id for entry in read_log(database, limit=1)), default=0)
        asked: dict[str, Any] = {
            "mac": wanted,
            "refused": refused,
            "group": None if group is None else parse_group(group),
        }
        if not follow:
            entries = walk_log(database, limit=limit or None, since=start, **asked)
            with progress("reading the log", shown=not sys.stdout.isatty()):
                count = _print_all(entries, json)
            if not count:
                note("no matching entries")
            if (
                count == limit
                and (total := count_log(database, since=start, **asked)) > count
            ):
                note(f"the newest {count} of {total} entries; --limit 0 prints all")
            return
        newest = read_log(database, limit=limit or None, since=start, **asked)
        for entry in newest:
            _print(entry, json)
        recent = read_log(database, after=last - _OVERLAP)
        seen = {entry.row_id: entry.times for entry in recent if entry.row_id <= last}
        seen.update((entry.row_id, entry.times) for entry in newest)
        try:
            for entry in _new_lines(database, asked, last, seen):
                _print(entry, json)
        except KeyboardInterrupt:
            return


@app.command()
def prune(
    context: typer.Context,
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="AGE", help="Age, such as 90d or 12w."),
    ],
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Delete old entries, such as: linekey log prune --older-than 90d.

    It also works on a full disk: linekey keeps some space in reserve for it. A running
    server deletes entries older than log.keep_days by itself.
    """
    from linekey.store.paths import StateDir
    from linekey.store.reserve import lend_if_short
    from linekey.store.retention import let_go

    state = state or context.obj  # also where it stands before the word "prune"
    before = parse_when(older_than, now())
    # Before the database is opened: that takes room, too.
    lent = lend_if_short(StateDir.open(state, create=False).root)
    with opened(state) as database, progress("deleting"):
        deleted = prune_log(database, before)
        freed = let_go(database, deleted)
    if json:
        emit_json({"deleted": deleted, "before": before, "freed_bytes": freed})
        return
    console.print(
        f"deleted {deleted} {'entry' if deleted == 1 else 'entries'}", markup=False
    )
    if freed > 0:
        note(f"the database is {freed / 1e6:.1f} MB smaller")
    if lent:
        note("the disk was full; a running server restores its reserve by itself")


def log_line(entry: LogEntry) -> str:
    """Write a line of the log for people; a refusal with its cure below.

    Counted refusals are written as the first of them, with their number.
    """
    who = str(entry.mac) if entry.mac else "-"
    what = entry.resource or f"({entry.kind})"
    tls = " ".join(filter(None, (entry.tls_version, entry.suite)))
    parts = [
        f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}",
        f"{entry.outcome:<7}",
        f"{who:<12}",
        printable(what),
        f"from {entry.peer}",
    ]
    if tls:
        parts.append(tls)
    text = f"{'  '.join(parts)}\n    {printable(entry.sentence)}"
    if entry.times > 1 and entry.last_at is not None:
        text += (
            f"\n    {entry.times} times from {entry.network} until "
            f"{entry.last_at.astimezone():%H:%M:%S}; this was the first"
        )
    if entry.outcome != "granted" and entry.remedy:
        text += f"\n    cure: {printable(entry.remedy)}"
    return text


def _new_lines(
    database: Database, asked: dict[str, Any], last: int, seen: dict[int, int]
) -> Iterator[LogEntry]:
    """Yield each new line; a counted one again, once its minute is over, if it grew."""
    while True:
        for entry in read_log(database, after=last - _OVERLAP, **asked):
            before = seen.get(entry.row_id)
            grown = before is not None and entry.times > before
            if before is None or (grown and now() - entry.at > _COUNTED_FOR):
                seen[entry.row_id] = entry.times
                last = max(last, entry.row_id)
                yield entry
        seen = {row: times for row, times in seen.items() if row > last - _OVERLAP}
        time.sleep(FOLLOW_S)


def _print_all(entries: Iterator[LogEntry], json: bool) -> int:
    """Print lines as they come; return how many there were."""
    numbers = itertools.count()
    each = (entry for entry, _ in zip(entries, numbers, strict=False))
    if json:
        emit_json_list(entry.as_json() for entry in each)
    else:
        for entry in each:
            emit_line(log_line(entry))
    return next(numbers)


def _print(entry: LogEntry, json: bool) -> None:
    if json:
        line = json_module.dumps(entry.as_json(), ensure_ascii=False, default=str)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    else:
        say(log_line(entry))
