"""Room on the disk that is kept for the day it is full.

SQLite needs room to delete, too: what a transaction changes goes to the write-ahead log
first (sqlite.org/wal.html). So a file of ``LogSettings.reserve_mb`` lies in the state
folder and holds nothing. When a write finds the disk full, the file gives its room
back: decisions about phones go on, ``linekey log prune`` works, and strangers' lines
are no longer kept, until there is room to fill it again.

A folder without that file has no reserve yet: then nothing is held back.

Rule: whether the reserve is whole is asked of the disk, never remembered, so that all
processes see the same.
"""

import contextlib
import os
from pathlib import Path

from linekey.errors import Cause, StorageError

MIB = 1_048_576
FILE = "reserve"


class Reserve:
    """The reserve of one state folder; ``size`` in bytes, 0: none is kept."""

    def __init__(self, root: Path, size: int) -> None:
        self.path = root / FILE
        self.size = size

    @property
    def is_whole(self) -> bool:
        """Whether the room is there; always, if none is to be kept."""
        if not self.size:
            return True
        try:
            return self.path.stat().st_size >= self.size
        except OSError:
            return False

    @property
    def is_lent(self) -> bool:
        """Whether its room was given away and is not there again."""
        if not self.size:
            return False
        try:
            return self.path.stat().st_size < self.size
        except OSError:
            return False

    def fill(self) -> bool:
        """Take the room if that leaves as much again; False if it does not."""
        if self.is_whole:
            return True
        found = os.statvfs(self.path.parent)
        if found.f_bavail * found.f_frsize < 2 * self.size:
            return False
        made = self.path.with_suffix(".new")
        try:
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self.size)
            finally:
                os.close(descriptor)
            made.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                made.unlink()
            return False
        return True

    def lacks_room(self, error: StorageError) -> bool:
        """Whether a write failed because the disk is full.

        SQLite may also call it a broken disk, where not even its small files can grow.
        """
        if error.cause is Cause.DISK and self.size:
            found = os.statvfs(self.path.parent)
            return found.f_bavail * found.f_frsize < MIB
        return error.cause is Cause.FULL

    def lend(self) -> bool:
        """Give the room back to the disk; False if there was none to give."""
        try:
            had = self.path.stat().st_size > 0
            # Cut first: some file systems need room to take a name away.
            os.truncate(self.path, 0)
        except OSError:
            return False
        return had


def lend_if_short(root: Path, least: int = 8 * MIB) -> bool:
    """Lend the reserve of a folder whose disk has less than ``least`` bytes left."""
    try:
        found = os.statvfs(root)
    except OSError:
        return False
    if found.f_bavail * found.f_frsize >= least:
        return False
    return Reserve(root, 0).lend()
