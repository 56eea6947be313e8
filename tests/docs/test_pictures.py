"""The console's pages are shown: each at three widths, in both languages."""

import struct

import pytest
from tools.pictures import IMAGES, LANGUAGES, PAGES, ROOT, WIDTHS, file_of

PAGE = ROOT / "docs" / "howto" / "console-pictures.md"


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_shown_at_each_width_in_each_language(name: str) -> None:
    shown = PAGE.read_text(encoding="utf-8")
    for language in LANGUAGES:
        for width in WIDTHS:
            file = file_of(name, width, language)
            head = file.read_bytes()[:24]
            assert head[:8] == b"\x89PNG\r\n\x1a\n"
            assert struct.unpack(">I", head[16:20]) == (width,)
            assert f"../images/{file.name}" in shown


def test_no_picture_is_of_a_page_that_is_gone() -> None:
    kept = {file.name for file in IMAGES.glob("console-*.png")}
    assert kept == {
        file_of(name, width, language).name
        for name in PAGES
        for width in WIDTHS
        for language in LANGUAGES
    }


def test_they_are_small() -> None:
    size = sum(file.stat().st_size for file in IMAGES.glob("console-*.png"))
    assert size < 3_000_000
