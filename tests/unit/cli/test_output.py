"""What goes to the terminal is what was meant."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-c", "from linekey.cli.main import main; main()"]


@pytest.mark.parametrize("mac", ["00:04:13:ab:0g", "root:x:0:0", "a:o:b:m:v"])
def test_no_part_of_an_address_becomes_a_picture(mac: str) -> None:
    done = subprocess.run(
        [*PROGRAM, "phone", "run", "--mac", mac, "--once"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: not a MAC address: {mac!r}\n")


@pytest.mark.parametrize(
    "words",
    [
        ("check", "https://u:s3cr3t/x@localhost:1"),
        ("check", "https://h:x/?access_token=s3cr3t"),
        ("layer", "set", "https://u:s3cr3t@h", "language=x"),
        ("phone", "show", "https://u:s3cr3t@h/"),
    ],
)
def test_an_error_repeats_no_password(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*PROGRAM, *words],
        env={**os.environ, "LINEKEY_STATE": str(tmp_path / "state")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in (2, 3)
    assert "error: " in done.stderr
    assert "s3cr3t" not in done.stdout + done.stderr
