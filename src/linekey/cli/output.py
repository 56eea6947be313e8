"""What every verb prints with: results to stdout, all else to stderr.

Rules: a result is the only thing on stdout; errors are ``error: …`` and
``hint: …`` on stderr; ``--json`` prints one JSON document and nothing else.
"""

import json
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

import typer
from rich.console import Console

from linekey.catalog.secrecy import mask_url
from linekey.errors import LinekeyError


class _Results(Console):
    def on_broken_pipe(self) -> None:
        # Rich would exit with 1, which says "findings" here; main knows better.
        self.quiet = True
        raise BrokenPipeError


console = _Results(highlight=False, emoji=False)
"""Results, for people (stdout). Emoji codes are off: a MAC may hold ``:ab:``."""
err_console = Console(stderr=True, highlight=False, emoji=False)
"""Progress, notes, warnings and errors (stderr)."""


def emit_json(document: Any) -> None:
    """Print one JSON document to stdout, dates in ISO 8601, other values by ``str``."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=_plain))
    sys.stdout.write("\n")
    sys.stdout.flush()


def emit_json_list(items: Iterable[Any]) -> None:
    """Print a JSON list as its items come, one a line: it never is in memory."""
    # Without an indent the encoder is C's, and ten times as fast.
    encode = json.JSONEncoder(ensure_ascii=False, default=_plain).encode
    before = "[\n"
    for item in items:
        sys.stdout.write(f"{before}{encode(item)}")
        before = ",\n"
    sys.stdout.write("[]\n" if before == "[\n" else "\n]\n")
    sys.stdout.flush()


def emit_line(line: str) -> None:
    """Print a line of a long result as it is."""
    sys.stdout.write(f"{line}\n")


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(value, key=str) if not isinstance(value, tuple) else list(value)
    return str(value)


def say(text: str) -> None:
    """Print a line of the result, for people: as it stands, however wide it is."""
    console.print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """Say something that is no result, on stderr."""
    err_console.print(text, markup=False, soft_wrap=True)


def warn(text: str, hint: str = "") -> None:
    """Warn on stderr, with the cure where there is one."""
    err_console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)
    if hint:
        err_console.print(f"hint: {hint}", markup=False, soft_wrap=True)


def fail(error: LinekeyError) -> NoReturn:
    """Print an error with its hint on stderr and leave with its exit code.

    It often repeats what was typed; a URL's password is no text for a terminal's log.
    """
    text = mask_url(error.message)
    err_console.print(f"error: {text}", style="red", markup=False, soft_wrap=True)
    if error.hint:
        err_console.print(f"hint: {error.hint}", markup=False, soft_wrap=True)
    raise typer.Exit(error.exit_code)
