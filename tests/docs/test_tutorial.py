"""The tutorial "your first 100 phones" is run to the letter, in a shell."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-100-phones.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def steps() -> Iterator[tuple[str, list[str]]]:
    """Each command, and the lines that the page says it prints."""
    for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = step.splitlines()
            yield command, lines


def test_the_tutorial_is_what_happens(tmp_path: Path) -> None:
    commands = list(steps())
    assert len(commands) > 15
    script = "".join(
        f"{{ {command}\n}} > out.{n} 2>&1 < /dev/null || exit {n + 1}\n"
        for n, (command, _) in enumerate(commands)
    )
    beside = str(Path(sys.executable).parent)
    environment = {
        "PATH": f"{beside}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, timeout=300, check=False
    )
    for n, (command, lines) in enumerate(commands):
        printed = (tmp_path / f"out.{n}").read_text(encoding="utf-8").splitlines()
        cut = "…" in lines  # the page leaves lines out there
        told = [line for line in lines if line != "…"]
        missing = [line for line in told if line not in printed]
        assert missing == [], f"{command}\nprints: {printed}"
        assert cut or len(printed) == len(told), f"{command}\nprints: {printed}"
    assert done.returncode == 0
