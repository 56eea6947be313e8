import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def _make_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_docs", ROOT / "tools" / "make_docs.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_docs = _make_docs()


@pytest.mark.parametrize("page", sorted(make_docs.PAGES))
def test_a_generated_page_is_what_its_code_says(page: str) -> None:
    written = (ROOT / page).read_text(encoding="utf-8")
    assert written == make_docs.render(page), f"{page} is out of date: run make docs"


def test_every_page_that_says_it_is_made_by_make_docs_is_registered() -> None:
    claiming = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "docs").rglob("*.md")
        if "<!-- Made by `make docs`" in path.read_text(encoding="utf-8")
    }
    assert claiming == {page for page in make_docs.PAGES if page.endswith(".md")}


@pytest.mark.parametrize("page", [p for p in make_docs.PAGES if "/howto/" in p])
def test_a_howto_shows_the_lines_that_matter_and_no_whole_file(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert shown
    assert max(block.count("\n") for block in shown) <= 16
