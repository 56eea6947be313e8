"""Let the installed ``linekey`` print the help of every command; for bare environments.

    BARE/bin/python -I tools/every_help.py

Rule: nothing of this repository is imported, only what that Python has installed; so a
module that a command needs and the package does not ask for ends this with its name.
"""

import contextlib
import io
from typing import Any

import typer

from linekey.cli.main import app


def helps(command: Any, *words: str) -> dict[str, str]:
    """Return what every command prints for ``--help``, by its words."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        root.main([*words, "--help"], standalone_mode=False)
    found = {" ".join(("linekey", *words)): printed.getvalue()}
    if list_commands := getattr(command, "list_commands", None):
        context = typer.Context(command, info_name=words[-1] if words else "linekey")
        for name in list_commands(context):
            root.calling = True  # the whole command, not its line in the help
            found |= helps(command.get_command(context, name), *words, name)
    return found


root: Any = typer.main.get_command(app)

if __name__ == "__main__":
    said = helps(root)
    silent = [words for words, text in said.items() if words not in text]
    if silent:
        raise SystemExit(f"error: no help of {', '.join(silent)}")
    print(f"{len(said)} commands print their help")
