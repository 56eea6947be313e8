"""What every verb prints with: results to stdout, all else to stderr.

Rules: a result is the only thing on stdout; errors are ``error: …`` and
``hint: …`` on stderr; ``--json`` prints one JSON document and nothing else, and an
error then is one, too: the last line of stderr (docs/reference/cli.md).
"""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import typer
from rich.console import Console

from linekey.catalog.secrecy import mask_url
from linekey.errors import LinekeyError, StorageError


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
    # Part by part: the whole text of 100,000 phones is much to hold.
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, default=_plain)
    sys.stdout.writelines(encoder.iterencode(document))
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


_errors = {"as_json": False}


def set_json_errors(wanted: bool) -> None:
    """Say errors from now on as JSON, or in words."""
    _errors["as_json"] = wanted


def fail(error: LinekeyError) -> NoReturn:
    """Print an error with its hint on stderr and leave with its exit code."""
    tell_error(error)
    raise typer.Exit(error.exit_code)


def tell_error(error: LinekeyError) -> None:
    """Print an error with its hint on stderr, and go on."""
    more = {"cause": error.cause} if isinstance(error, StorageError) else {}
    _print_error(error.code, error.message, error.hint, error.exit_code, **more)


def fail_usage(
    message: str,
    hint: str,
    leave: Callable[[int], NoReturn],
    *,
    code: str = "usage",
    exit_code: int = 2,
) -> NoReturn:
    """Print what is wrong with the words that were typed, and leave."""
    _print_error(code, message, hint, exit_code)
    leave(exit_code)


def _print_error(
    code: str, message: str, hint: str, exit_code: int, **more: str
) -> None:
    # It often repeats what was typed; a URL's password is no text for a terminal's log.
    text = mask_url(message)
    if _errors["as_json"]:
        document = {"code": code, "message": text, "hint": hint, "exit": exit_code}
        line = json.dumps({"error": {**document, **more}}, ensure_ascii=False)
        sys.stderr.write(f"{line}\n")
        return
    err_console.print(f"error: {text}", style="red", markup=False, soft_wrap=True)
    if hint:
        err_console.print(f"hint: {hint}", markup=False, soft_wrap=True)
