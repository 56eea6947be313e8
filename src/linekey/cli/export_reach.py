"""Whether an exported server, run as its own user, reaches what it must read.

linekey changes no rights of a file that it did not make: a key may be shared with
other servers in a way it does not know. It looks, and says what would help.
"""

import grp
import pwd
import stat
from pathlib import Path

from linekey.export.account import Account


def key_advice(key: Path, account: Account) -> str | None:
    """What to do about a private key that ``account`` cannot read; None: nothing.

    Where the file or the account is not on this machine, the advice is given, since
    nothing is known.
    """
    try:
        if _may_read(key, account):
            return None
    except (OSError, KeyError):
        pass
    return (
        f"the group {account.group} must be able to read the key: "
        f"chgrp {account.group} {key}; chmod 640 {key}"
    )


def is_filled(folder: Path) -> bool:
    """Whether something is in ``folder``. One that may not be read is handed over."""
    try:
        return any(folder.iterdir())
    except FileNotFoundError:
        return False
    except PermissionError:
        return True


def _may_read(key: Path, account: Account) -> bool:
    """As the kernel does: owner, else group, else the others (path_resolution(7)).

    Raises OSError where the file is not there, KeyError for no such account.
    """
    status = key.stat()
    user = pwd.getpwnam(account.user)
    groups = {grp.getgrnam(account.group).gr_gid, user.pw_gid}
    groups |= {g.gr_gid for g in grp.getgrall() if account.user in g.gr_mem}
    if status.st_uid == user.pw_uid:
        return bool(status.st_mode & stat.S_IRUSR)
    if status.st_gid in groups:
        return bool(status.st_mode & stat.S_IRGRP)
    return bool(status.st_mode & stat.S_IROTH)
