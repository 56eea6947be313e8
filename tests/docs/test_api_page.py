"""docs/howto/api.md has every code of a problem, and no path that there is not."""

import re
from pathlib import Path

from linekey.console.api.app import api_app
from linekey.console.api.problems import PROBLEMS

PAGE = (Path(__file__).parents[2] / "docs/howto/api.md").read_text(encoding="utf-8")


def test_the_page_has_every_code() -> None:
    _, _, table = PAGE.partition("## When it says no")
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z…]+)?)`", table.partition("## From")[0]))
    codes = {re.sub(r"^storage\..*", "storage.…", code) for code in PROBLEMS}
    assert codes <= named


def test_the_paths_are_those_of_the_api() -> None:
    paths = api_app(desk=None).openapi()["paths"]  # type: ignore[arg-type]
    for path in re.findall(r'\$API(/[^"?]*)', PAGE):
        template = path.replace("000413AABBCC", "{mac}")
        assert template in paths, path
