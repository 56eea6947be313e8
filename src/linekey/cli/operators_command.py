"""A command that the operator gave, such as what reloads a server."""

import shlex
import subprocess
from typing import Final

from linekey.cli.opening import printable

COMMAND_S: Final = 60.0
"""How long a command may take."""


def failure_of(command: str) -> str:
    """Run a command, by no shell; return what it says if it fails, else nothing."""
    try:
        ran = subprocess.run(  # noqa: S603 - the operator's own command, by no shell
            shlex.split(command), capture_output=True, text=True, errors="replace",
            timeout=COMMAND_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no end within {COMMAND_S:g} s"
    except (OSError, ValueError) as error:
        return str(error).lower()
    if ran.returncode == 0:
        return ""
    said = (ran.stderr or ran.stdout).strip().splitlines()
    return printable(said[-1])[:200] if said else f"exit status {ran.returncode}"
