"""openapi-python-client, as ``requirements/client.txt`` pins it, in a place of its own.

It wants an older typer than linekey, so it is no part of the tests' environment. The
environment is named after the file's hash: another pin makes another one, and the old
ones are deleted.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements" / "client.txt"
PLACES = ROOT / ".cache"


def generator() -> Path:
    """Return the environment's Python; make the environment where it is missing.

    Raises CalledProcessError, after pip has said why, if it cannot be made.
    """
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    place = PLACES / f"client-{digest}"
    python = place / "bin" / "python"
    PLACES.mkdir(exist_ok=True)
    with (PLACES / "client.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run side by side
        if (place / "whole").exists():
            return python
        for old in PLACES.glob("client-*"):
            shutil.rmtree(old)
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", str(place)], check=True
        )
        subprocess.run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check",
             "--python", str(python), "install", "--quiet", "--require-hashes",
             "-r", str(REQUIREMENTS)],
            check=True,
        )  # fmt: skip
        (place / "whole").touch()
    return python


if __name__ == "__main__":
    generator()
