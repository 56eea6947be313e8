"""What ``linekey init`` has to do, from what is there; each step can be said in words.

Rules: everything that stands in the way is found before anything is made. What is there
stays: a file is never written over, but for a unit that an earlier ``linekey init``
wrote and nobody changed. So a second run does nothing. Nothing here looks or makes;
``carry_out`` does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from linekey.errors import InputError, StorageError
from linekey.server.setup.layout import UNITS, Layout, first_settings, is_ours

Kind = Literal["folder", "file", "other"]
RELOAD: Final = ("systemctl", "daemon-reload")


@dataclass(frozen=True, slots=True)
class Seen:
    """What is at a path."""

    kind: Kind
    user: str
    """Its owner, by name; a number where there is none."""
    data: bytes = b""
    """Of a file that ``init`` would write."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was looked at, once, before anything is made."""

    has_user: bool = True
    user_is_root: bool = False
    paths: Mapping[Path, Seen] = field(default_factory=dict)
    has_systemd: bool = False
    """Whether systemd runs here (sd_booted(3))."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator gave for a first configuration."""

    names: tuple[str, ...] = ()
    workers: int = 1
    certificate_pem: bytes | None = field(default=None, repr=False)
    key_pem: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to make; ``data`` of a file, ``command`` of what root has to run.

    Without ``path`` and ``command`` nothing is made: it is there, and stays.
    """

    words: str
    path: Path | None = None
    command: tuple[str, ...] = ()
    data: bytes | None = field(default=None, repr=False)
    mode: int = 0
    theirs: bool = False
    """Whether it is to belong to linekey's user."""
    replaces: bool = False

    @property
    def does(self) -> bool:
        """Whether there is anything to do."""
        return self.path is not None or bool(self.command)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to do, in order, and what the operator should know."""

    steps: tuple[Step, ...]
    warnings: tuple[tuple[str, str], ...] = ()
    """A sentence and its cure, each."""


def plan(
    layout: Layout, machine: Machine, wanted: Wanted, units: Mapping[str, str]
) -> Plan:
    """Say what to do. ``units`` are their texts, by name.

    Raises InputError or StorageError, with the cure, for what stands in the way.
    """
    warnings: list[tuple[str, str]] = []
    steps = list(_user(layout, machine))
    for path, mode, theirs in (
        (layout.configuration, 0o755, False),
        (layout.state, 0o700, True),
        (layout.units, 0o755, False),
    ):
        steps.append(_folder(layout, machine, path, mode, theirs=theirs))
    settings = first_settings(layout, wanted.names, wanted.workers).encode()
    steps.append(_file(machine, layout.settings, settings, 0o600))
    if layout.settings in machine.paths and wanted.names:
        warnings.append(
            (
                f"{layout.settings} stays as it is, without the names you gave",
                f"set names in {layout.settings}, then run linekey serve --check",
            )
        )
    for path, data, mode in (
        (layout.certificate, wanted.certificate_pem, 0o644),
        (layout.key, wanted.key_pem, 0o600),
    ):
        if data is not None:
            steps.append(_given(machine, path, data, mode))
    changed = False
    for name in UNITS:
        step, warning = _unit(machine, layout.units / name, units[name])
        steps.append(step)
        warnings += warning
        changed = changed or step.does
    if changed and machine.has_systemd and layout.is_whole:
        steps.append(Step("let systemd read its units", command=RELOAD))
    return Plan(tuple(steps), tuple(warnings))


def next_commands(layout: Layout, *, has_certificate: bool) -> Iterator[str]:
    """Three commands to run now, in order, as they can be copied.

    Where there is no certificate yet, what puts it there comes before them.
    """
    linekey, state = layout.program, layout.state
    owned = ""
    if layout.is_whole:
        owned = f" -o {layout.account.user} -g {layout.account.group}"
    if not has_certificate:
        yield (
            f"install -m 644 CHAIN.pem {layout.certificate} && "
            f"install -m 600{owned} KEY.pem {layout.key}"
        )
    yield f"{linekey} trust add VENDOR-CAS.pem --state {state}"
    yield f"{linekey} device import PHONES.csv --state {state}"
    if layout.is_whole:
        yield "systemctl enable --now linekey"
    else:
        yield f"{linekey} serve --state {state}"


def _user(layout: Layout, machine: Machine) -> Iterator[Step]:
    user, group = layout.account.user, layout.account.group
    if not layout.is_whole:
        return
    if machine.user_is_root:
        raise InputError(
            f"the user {user!r} is root by another name",
            hint="give another one with --user",
        )
    if machine.has_user:
        yield Step(f"user {user}: is there")
        return
    of_group = ("--user-group",) if user == group else ("--gid", group)
    yield Step(
        f"user {user}, who cannot log in",
        command=(
            "useradd", "--system", *of_group, "--home-dir", str(layout.state),
            "--no-create-home", "--shell", "/usr/sbin/nologin", user,
        ),
    )  # fmt: skip


def _folder(
    layout: Layout, machine: Machine, path: Path, mode: int, *, theirs: bool
) -> Step:
    seen = machine.paths.get(path)
    if seen is None:
        owner = f", of {layout.account.user}" if theirs and layout.is_whole else ""
        words = f"folder {path} (mode {mode:04o}{owner})"
        return Step(words, path=path, mode=mode, theirs=theirs)
    if seen.kind != "folder":
        raise StorageError(
            f"{str(path)!r} is there, and is no folder",
            hint="move it away, then run linekey init again",
        )
    allowed = {layout.account.user} if theirs or not layout.is_whole else {"root"}
    if seen.user not in allowed:
        (owner,) = allowed
        cure = f"chown -R {owner}: {path}"
        if not machine.has_user and theirs:
            cure = f"{' '.join(next(iter(_user(layout, machine))).command)} && {cure}"
        raise StorageError(
            f"the folder {str(path)!r} belongs to {seen.user}, not to {owner}",
            hint=f"if it is linekey's: {cure}; if not, move it away",
        )
    return Step(f"folder {path}: is there")


def _file(machine: Machine, path: Path, data: bytes, mode: int) -> Step:
    seen = machine.paths.get(path)
    if seen is None:
        return Step(f"file {path}", path=path, data=data, mode=mode, theirs=True)
    _must_be_file(seen, path)
    return Step(f"file {path}: is there, and stays")


def _given(machine: Machine, path: Path, data: bytes, mode: int) -> Step:
    seen = machine.paths.get(path)
    if seen is not None:
        _must_be_file(seen, path)
        if seen.data != data:
            raise InputError(
                f"{str(path)!r} is there already, and is another one",
                hint="a renewed certificate replaces the old one with its key, then: "
                "systemctl reload linekey (docs/howto/production.md)",
            )
        return Step(f"file {path}: is there")
    return Step(f"file {path}", path=path, data=data, mode=mode, theirs=mode == 0o600)


def _unit(
    machine: Machine, path: Path, text: str
) -> tuple[Step, list[tuple[str, str]]]:
    seen = machine.paths.get(path)
    new = Step(f"unit {path.name}", path=path, data=text.encode(), mode=0o644)
    if seen is None:
        return new, []
    _must_be_file(seen, path)
    if seen.data == text.encode():
        return Step(f"unit {path.name}: is there"), []
    if is_ours(seen.data.decode("utf-8", "replace")):
        return (
            Step(
                f"unit {path.name}, instead of an earlier linekey's",
                path=path, data=text.encode(), mode=0o644, replaces=True,
            ),
            [],
        )  # fmt: skip
    return Step(f"unit {path.name}: was changed, and stays"), [
        (
            f"{path} is not as linekey init writes it, and stays as it is",
            f"for linekey's own: move it away and run this again; your changes belong "
            f"in `systemctl edit {path.name.removesuffix('.service')}`",
        )
    ]


def _must_be_file(seen: Seen, path: Path) -> None:
    if seen.kind != "file":
        raise StorageError(
            f"{str(path)!r} is there, and is no file",
            hint="move it away, then run linekey init again",
        )
