"""``linekey export --watch``: exports follow the registry.

Rules: a change is waited out for ``QUIET_S``, so that an import of a thousand phones is
one export. A server is told to read its files again only where one of them changed, and
told again, later and later, until its command succeeds. What cannot be written is told
once, stays on record as it was, and is tried at the next change. A database in trouble
is waited for. Nothing of a command's output is kept but what it says when it fails.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Final

from linekey.cli.opening import opened
from linekey.cli.operators_command import failure_of
from linekey.cli.output import note, warn
from linekey.errors import LinekeyError, StorageError
from linekey.store.database import Database
from linekey.store.exported import (
    Exported,
    note_export,
    read_exports,
    registry_revision,
)

LOOK_EVERY_S: Final = 1.0
QUIET_S: Final = 2.0
LONGEST_S: Final = 15.0
"""However long changes go on, an export waits no longer."""
RETRY_S: Final = (5.0, 30.0, 120.0, 300.0)

Write = Callable[[Database, Exported], bool]
"""Writes an export anew; says whether a file changed."""


def usual_reload(peer: str, folder: str) -> tuple[str, ...]:
    """The commands by which a running server reads its files again."""
    if peer == "kamailio":
        told = f"kamcmd -s unixs:{folder}/run/ctl"
        return f"{told} tls.reload", f"{told} htable.reload phones"
    return (f"systemctl reload-or-restart linekey-{peer}",)


@dataclass(slots=True)
class _Due:
    """A server that has to be told, and when."""

    tries: int = 0
    at: float = 0.0


@dataclass(slots=True)
class Follower:
    """Keeps the exports of one state folder up to date until ``stop`` is set."""

    state: Path | None
    write: Write
    stop: Event = field(default_factory=Event)
    _due: dict[str, _Due] = field(default_factory=dict)
    _failed_at: dict[str, int] = field(default_factory=dict)
    """Folder → the registry's counter with which it could not be written."""
    _trouble: str = ""

    def run(self) -> None:
        """Follow. Raises LinekeyError if there is nothing to follow."""
        with opened(self.state) as database:
            followed = read_exports(database.state.root)
            if not followed:
                raise LinekeyError(
                    "nothing was exported yet from this state folder",
                    hint="first: linekey export PEER --out DIR",
                )
            for one in followed:
                note(f"following the registry: {one.folder} for {one.peer}")
            while not self.stop.is_set():
                try:
                    self._look(database)
                    self._trouble = ""
                except StorageError as error:
                    if error.message != self._trouble:
                        warn(error.message, error.hint)
                    self._trouble = error.message
                self.stop.wait(LOOK_EVERY_S)

    def _look(self, database: Database) -> None:
        root = database.state.root
        now_at = registry_revision(database)
        stale = [
            one
            for one in read_exports(root)
            if now_at not in (one.revision, self._failed_at.get(one.folder))
        ]
        if stale:
            now_at = self._settled(database, now_at)
        for one in stale:
            try:
                changed = self.write(database, one)
            except StorageError:
                raise
            except LinekeyError as error:
                warn(f"{one.folder}: {error.message}", error.hint)
                self._failed_at[one.folder] = now_at
                continue
            note_export(root, one.written(now_at, datetime.now(UTC)))
            if changed:
                self._due.setdefault(one.folder, _Due()).at = 0.0
        for one in read_exports(root):
            due = self._due.get(one.folder)
            if due is not None and time.monotonic() >= due.at:
                self._tell(one, due)

    def _settled(self, database: Database, seen: int) -> int:
        """Wait until nothing has changed for a while."""
        began = quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < QUIET_S:
            if self.stop.wait(0.2) or time.monotonic() - began > LONGEST_S:
                break
            if (now_at := registry_revision(database)) != seen:
                seen, quiet_since = now_at, time.monotonic()
        return seen

    def _tell(self, one: Exported, due: _Due) -> None:
        commands = (
            usual_reload(one.peer, one.folder) if one.reload is None else (one.reload,)
        )
        for command in commands:
            if said := failure_of(command):
                wait = RETRY_S[min(due.tries, len(RETRY_S) - 1)]
                due.tries += 1
                due.at = time.monotonic() + wait
                warn(
                    f"{one.peer} was not told of its new files: {command}: {said}",
                    f"it is tried again in {wait:g} s",
                )
                return
        del self._due[one.folder]
        note(f"{one.folder}: written and read by {one.peer}")


def stop_on_signals(stop: Event) -> None:
    """Set ``stop`` on SIGTERM and SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
