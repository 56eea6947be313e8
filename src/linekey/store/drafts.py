"""Files and folders in the making, beside what they become, and what a kill leaves.

A process that is killed cleans nothing up, and what it leaves may hold every phone's
secrets; so whoever makes a draft in that folder next deletes what nobody makes now.

Rule: a folder's drafts are made under its shared lock, and deleted as left behind only
under its exclusive one, by the user who has them. Where a file system has no such lock
(some of NFS), they stay.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from linekey.store.paths import file_error

_WAIT_S = 2.0


@contextlib.contextmanager
def draft_name(folder: Path, kind: str) -> Iterator[str]:
    """Give a name for drafts in ``folder`` that no other process uses.

    Further names may begin with it. What a killed process left there, of this ``kind``,
    is deleted first. Raises StorageError if the folder cannot be read or written.
    """
    prefix = f".linekey-{kind}."
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise file_error("read", folder, error) from error
    try:
        if _lock(descriptor, fcntl.LOCK_EX):
            _delete(folder, prefix)
        until = time.monotonic() + _WAIT_S
        while not _lock(descriptor, fcntl.LOCK_SH) and time.monotonic() < until:
            time.sleep(0.05)  # while another deletes
        yield f"{prefix}{secrets.token_hex(4)}"
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError:  # held by another, or the file system has none
        return False
    return True


def _delete(folder: Path, prefix: str) -> None:
    ours = os.geteuid()
    for left in folder.glob(f"{prefix}*"):
        try:
            if ours not in (0, left.lstat().st_uid):
                continue
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()
        except OSError as error:
            raise file_error("delete", left, error) from error
