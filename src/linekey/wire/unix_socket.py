"""A listening Unix socket that one group may connect to, and its file's whole life.

Rules: who may connect is settled before anybody can (a bound socket that does not
listen yet refuses everybody). A file is only ever taken away if it is a socket that
nobody listens on, or the one that was made here.
"""

import errno
import grp
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from linekey.errors import InputError, LinekeyError

MODE = 0o660
"""Owner and group may connect (on Linux that takes the right to write, unix(7))."""
MAX_PATH_BYTES = 107
"""Of a socket's path on Linux: sun_path has 108, with a NUL at its end (unix(7))."""


@contextmanager
def unix_listener(
    path: Path, *, group: str = "", backlog: int = 2048
) -> Iterator[socket.socket]:
    """Listen on ``path`` while inside; non-blocking. The file goes at the end.

    ``group`` is the name of the group that may connect besides this process's user;
    empty: the process's own group. Raises InputError for a path that is too long and a
    group that is not there, LinekeyError, with the cure, if the socket cannot be had.
    """
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise InputError(
            f"the path of a Unix socket has at most {MAX_PATH_BYTES} bytes: "
            f"{str(path)!r}",
            hint="choose a shorter one, such as /run/linekey/linekey.sock",
        )
    group_id = _group_id(group) if group else -1
    _clear(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        made = None
        try:
            listener.bind(str(path))
            made = os.lstat(path)
            os.chown(path, -1, group_id)
            path.chmod(MODE)
            listener.listen(backlog)
        except OSError as error:
            if made is not None:
                _remove(path, made)
            raise _cannot_listen(path, group, error) from error
        listener.setblocking(False)
        try:
            yield listener
        finally:
            _remove(path, made)


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Return a bound socket's host and port; of a Unix socket its path and 0."""
    name = listener.getsockname()
    return (name, 0) if isinstance(name, str) else name[:2]


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise InputError(
            f"no group is called {name!r} on this machine",
            hint="name the group that the proxy runs as: www-data (nginx, Apache) or "
            "haproxy, in Debian",
        ) from None


def _clear(path: Path) -> None:
    """Take away a socket that a process left when it was killed."""
    try:
        there = os.lstat(path)
    except OSError:
        return  # nothing there; what else may be wrong, bind says
    if not stat.S_ISSOCK(there.st_mode):
        raise InputError(
            f"{str(path)!r} is there and is no socket", hint="give another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            _remove(path, there)
            return
        except OSError as error:
            raise _cannot_listen(path, "", error) from error
    raise LinekeyError(
        f"cannot listen on {str(path)!r}: another process does",
        hint=f"see who has it with 'ss -lxp src {path}', or give another path",
    )


def _remove(path: Path, expected: os.stat_result) -> None:
    with suppress(FileNotFoundError):
        there = os.lstat(path)
        if (there.st_dev, there.st_ino) == (expected.st_dev, expected.st_ino):
            path.unlink()


def _cannot_listen(path: Path, group: str, error: OSError) -> LinekeyError:
    what = f"cannot listen on {str(path)!r}: {(error.strerror or str(error)).lower()}"
    if error.errno == errno.EPERM and group:
        return LinekeyError(
            f"{what} (group {group!r})",
            hint="linekey's user must be in that group: "
            f"SupplementaryGroups={group} in the unit, or usermod -aG",
        )
    return LinekeyError(
        what, hint="its folder must be there, and linekey's user may write into it"
    )
