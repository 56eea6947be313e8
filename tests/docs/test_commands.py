"""Every `linekey …` line in the documentation is one that the program understands.

Verbs and options are looked up in the command tree itself; nothing is run.
"""

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import typer

from linekey.cli.main import VERBS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if path.name != "CHANGELOG.md"
)
LINE = re.compile(r"^\s*(?:\$ |sudo )?(?:\.venv/bin/)?linekey +(?P<rest>[a-z-].*)$")


def commands(page: Path) -> Iterator[tuple[int, str]]:
    """Lines of code blocks (fenced or indented) that call linekey."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif (fenced or line.startswith("    ")) and (found := LINE.match(line)):
            yield number, found["rest"]


CASES = [
    pytest.param(rest, id=f"{page.relative_to(ROOT)}:{number}")
    for page in PAGES
    for number, rest in commands(page)
]


@pytest.mark.parametrize("line", CASES)
def test_a_documented_command_exists_with_its_options(line: str) -> None:
    line = re.split(r"\s[|>&#]|\s{2,}|;", line)[0]
    words = shlex.split(re.sub(r"[\[\]…]", " ", line))
    verb, *rest = words
    assert verb in VERBS, f"no such verb: {verb}"
    command = typer.main.get_command(import_module(VERBS[verb][0]).app)
    while (
        rest
        and not rest[0].startswith("-")
        and rest[0] in getattr(command, "commands", {})
    ):
        command = command.commands[rest.pop(0)]
    known = {o for p in command.params for o in [*p.opts, *p.secondary_opts]} | {
        "--help"
    }
    for word in rest:
        if re.match(r"--?[a-z]", word):
            option = word.split("=")[0]
            assert option in known, (
                f"{verb} has no option {option}; it has {sorted(known)}"
            )


def test_there_are_documented_commands_to_check() -> None:
    assert len(CASES) >= 10
