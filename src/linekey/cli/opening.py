"""What the verbs that look into the state folder have in common.

Rules: a secret is asked for without echo, or read from a pipe, and never taken from
the command line; what a peer once sent is printed without its control characters.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linekey.catalog.known_settings import INSIST
from linekey.cli.command import App, Verbs
from linekey.errors import InputError

if TYPE_CHECKING:
    from linekey.store.database import Database

STATE_HELP = (
    "State folder. Default: the user's state folder (~/.local/state/linekey on Linux)."
)
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        envvar="LINEKEY_STATE",
        show_envvar=True,
        help=STATE_HELP,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text.")
]
PORTS = {"min": 0, "max": 65535}
"""What a port to listen on may be, for options; 0 takes a free one."""
AllowUnknownOption = Annotated[
    bool,
    typer.Option(
        INSIST,
        help="Accept settings that linekey does not know, such as another vendor's.",
    ),
]


_USUAL: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": "markdown",
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def make_verb() -> App:
    """Return the Typer app of a verb that is one command, of class ``Verb``."""
    return App(**_USUAL)


def make_app(help_text: str, **options: Any) -> App:
    """Return the Typer app of one verb; ``help_text`` is for a first-time user."""
    return App(
        cls=Verbs,
        help=help_text,
        no_args_is_help=options.pop("no_args_is_help", True),
        **_USUAL,
        **options,
    )


@contextmanager
def opened(state: Path | None, *, create: bool = False) -> Iterator["Database"]:
    """Open the state folder's database for one command."""
    from linekey.store.opening import open_store  # 0.3 s that not every verb needs

    with open_store(state, create=create) as database:
        yield database


def with_state(command: str, state: Path | None) -> str:
    """Return a command that may be copied as it is: it names a folder of one's own."""
    if state is None:
        return command
    from platformdirs import user_state_path

    root = state.absolute()
    named = os.environ.get("LINEKEY_STATE")
    usual = user_state_path("linekey") if named is None else Path(named).absolute()
    if root == usual:
        return command
    return f"{command} --state {shlex.quote(str(root))}"


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


MAX_FILE_BYTES = 67_108_864
"""Of a file that is read whole: a table of 100,000 phones has some 20 MB."""


def read_file(path: Path) -> bytes:
    """Read a file the operator named, of up to MAX_FILE_BYTES.

    Raises InputError if that cannot be done.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"cannot read {str(path)!r}: {(error.strerror or str(error)).lower()}",
            hint="check the file's name, and that this user may read it",
        ) from None
    if len(data) > MAX_FILE_BYTES:
        raise InputError(
            f"{str(path)!r} is larger than {MAX_FILE_BYTES // 1_048_576} MiB",
            hint="check the file's name, or split the file",
        )
    return data


def write_text(path: Path, text: str) -> None:
    """Write a file the operator named. Raises InputError if that cannot be done."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot write {str(path)!r}: {(error.strerror or str(error)).lower()}",
            hint="give a file in a folder that this user may write to",
        ) from None


def read_secret(what: str) -> str:
    """Ask for a secret twice without echo; from a pipe, read one line.

    A line that begins PEM begins a value of many lines, which goes to the pipe's end.
    Raises InputError if it is empty.
    """
    if sys.stdin.isatty():
        value = str(
            typer.prompt(what, hide_input=True, confirmation_prompt=True, err=True)
        )
    else:
        value = sys.stdin.readline().rstrip("\r\n")
        if value.startswith("-----BEGIN "):
            value = f"{value}\n{sys.stdin.read()}"
    if not value:
        raise InputError(
            f"no value for {what}", hint="type it, or pipe one line for each secret"
        )
    return value


def printable(text: str) -> str:
    """Return ``text`` with control and other unprintable characters escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
