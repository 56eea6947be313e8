"""Looking at a machine before ``linekey init``, and carrying its plan out.

Rules: a link is never followed to where something would be written; each file is there
whole or not at all, with its owner and mode from its first byte.
"""

import os
import pwd
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from linekey.errors import LinekeyError, StorageError
from linekey.export.account import Account
from linekey.server.setup.layout import UNITS, Layout
from linekey.server.setup.steps import Machine, Seen, Step
from linekey.store.paths import file_error

_MOST_BYTES = 1_000_000
_COMMAND_S = 60.0
_BOOTED = Path("/run/systemd/system")
"""Is there where systemd runs as the first process (sd_booted(3))."""


def me() -> Account:
    """Return who runs this."""
    user, group = os.geteuid(), os.getegid()
    return Account(_user_name(user), str(group))


def look(layout: Layout) -> Machine:
    """Look at everything that ``init`` would make. Raises StorageError."""
    paths = {}
    for path in (
        layout.configuration, layout.state, layout.units, layout.settings,
        layout.certificate, layout.key, *(layout.units / name for name in UNITS),
    ):  # fmt: skip
        found = _seen(path)
        if found is not None:
            paths[path] = found
    try:
        uid: int | None = pwd.getpwnam(layout.account.user).pw_uid
    except KeyError:
        uid = None
    return Machine(
        has_user=uid is not None,
        user_is_root=uid == 0,
        paths=paths,
        has_systemd=_BOOTED.is_dir(),
    )


def _seen(path: Path) -> Seen | None:
    try:
        found = path.lstat()
        user = _user_name(found.st_uid)
        if stat.S_ISDIR(found.st_mode):
            return Seen("folder", user)
        if not stat.S_ISREG(found.st_mode):
            return Seen("other", user)
        with path.open("rb") as file:
            return Seen("file", user, file.read(_MOST_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error("look at", path, error) from error


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def carry_out(layout: Layout, steps: Iterable[Step]) -> None:
    """Do what is to be done. Raises LinekeyError for the first thing that fails."""
    for step in steps:
        if step.command:
            _run(step.command)
        elif step.path is not None:
            try:
                if step.data is None:
                    _make_folder(layout, step.path, step)
                else:
                    _write(layout, step.path, step.data, step)
            except OSError as error:
                raise file_error("make", step.path, error) from error


def _make_folder(layout: Layout, path: Path, step: Step) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _hand_over(layout, descriptor, step)
    finally:
        os.close(descriptor)


def _write(layout: Layout, path: Path, data: bytes, step: Step) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            _hand_over(layout, file.fileno(), step)
            file.flush()
            os.fsync(file.fileno())
        if step.replaces:
            draft.replace(path)
        else:
            # It fails if somebody was quicker.
            os.link(draft, path, follow_symlinks=False)
    finally:
        draft.unlink(missing_ok=True)


def _hand_over(layout: Layout, descriptor: int, step: Step) -> None:
    # Not by its path: linekey's user owns the folder, and could put a link there.
    if step.theirs and layout.is_whole:
        found = pwd.getpwnam(layout.account.user)
        os.fchown(descriptor, found.pw_uid, found.pw_gid)
    os.fchmod(descriptor, step.mode)


def _run(command: tuple[str, ...]) -> None:
    try:
        ran = subprocess.run(  # noqa: S603 - words of our own, by no shell
            command, capture_output=True, text=True, errors="replace",
            timeout=_COMMAND_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise LinekeyError(
            f"there is no program {command[0]!r} here",
            hint=f"do it by hand, then run linekey init again: {' '.join(command)}",
        ) from None
    except subprocess.TimeoutExpired:
        raise LinekeyError(
            f"{command[0]} did not end within {_COMMAND_S:g} s",
            hint=f"run it by hand, then linekey init again: {' '.join(command)}",
        ) from None
    if ran.returncode != 0:
        said = (ran.stderr or ran.stdout).strip().splitlines()
        raise LinekeyError(
            f"{' '.join(command)}: {said[-1] if said else f'exit {ran.returncode}'}",
            hint="mend that, then run linekey init again: it goes on where it stopped",
        )


def check_program(layout: Layout) -> None:
    """Make sure that linekey's user can run the program. Raises StorageError."""
    found = pwd.getpwnam(layout.account.user)
    try:
        ran = subprocess.run(  # noqa: S603 - our own program
            (str(layout.program), "--version"), user=found.pw_uid, group=found.pw_gid,
            extra_groups=[], cwd="/", capture_output=True, timeout=_COMMAND_S,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        said = ran.stderr.decode("utf-8", "replace").strip() if ran.returncode else ""
        failed = ran.returncode != 0
    except (OSError, subprocess.TimeoutExpired) as error:
        said, failed = str(error), True
    if failed:
        last = said.splitlines()[-1] if said else "it fails"
        raise StorageError(
            f"the user {layout.account.user} cannot run {layout.program}: {last}",
            hint=f"let every user read it: chmod -R a+rX {layout.program.parents[1]}; "
            "and its Python must not lie in a home folder",
        )
