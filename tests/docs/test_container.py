"""The Containerfile says what is there: files, settings, a user that is not root."""

import re
from pathlib import Path

import pytest

from linekey.settings import parse_settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Containerfile").read_text("utf-8").replace("\\\n", " ")
PAGE = (
    (ROOT / "docs" / "howto" / "container.md").read_text("utf-8").replace("\\\n", " ")
)


def words_of(instruction: str) -> list[list[str]]:
    return [line.split() for line in re.findall(rf"(?m)^{instruction} (.+)$", TEXT)]


def test_what_it_copies_is_in_a_clone_with_a_wheel() -> None:
    (copied, made) = words_of("COPY")
    assert made[0] == "--from=build"
    *sources, _ = copied
    assert sources == ["requirements/run.txt", "dist/linekey-*.whl"]
    assert (ROOT / sources[0]).is_file()


def test_it_runs_as_nobody_who_is_root() -> None:
    ((user,),) = words_of("USER")
    assert all(int(part) >= 10_000 for part in user.split(":"))
    assert TEXT.index("\nUSER ") < TEXT.index("\nENTRYPOINT ")


@pytest.mark.parametrize("text", [TEXT, PAGE])
def test_its_variables_are_settings(text: str) -> None:
    found = dict(re.findall(r"\b(LINEKEY_[A-Z_]+)=(\S+)", text))
    assert len(found) >= 2
    parse_settings(environment=found)


def test_its_port_is_the_one_that_linekey_has() -> None:
    assert words_of("EXPOSE") == [[str(parse_settings().port)]]
    assert f"443:{parse_settings().port}" in PAGE
    assert f":{parse_settings().status.port}/readyz" in TEXT
