"""What goes to the terminal is what was meant."""

import subprocess
import sys

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
