"""Pictures of the console's pages for the documentation: docs/images/console-*.png.

    python tools/pictures.py [NAME …]     all pages, or these

Each page at three widths and in both languages, of a server that runs here for that
long and holds invented phones. Needs Chromium; pngquant takes two thirds off each file.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
IMAGES: Final = ROOT / "docs" / "images"
WIDTHS: Final = (360, 1100, 1440)
LANGUAGES: Final = {"en": "en-GB", "de": "de-DE"}
PAGES: Final = {
    "overview": "console/",
    "phones": "console/phones",
    "phone": "console/phones/000413AABBCC",
    "pending": "console/pending",
    "decisions": "console/decisions",
    "forecast": "console/forecast",
    "layers": "console/layers",
    "authorities": "console/authorities",
    "changes": "console/changes",
    "users": "console/users",
    "status": "",
    "log-in": "console/log-in",
}
"""By name: the path on the listener."""
_HEIGHT, _COLOURS = 900, "32"


def file_of(name: str, width: int, language: str) -> Path:
    """Where a picture is."""
    return IMAGES / f"console-{name}-{width}-{language}.png"


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PAGES, []])
    names = parser.parse_args().names or list(PAGES)
    sys.path.insert(0, str(ROOT))
    from tests.browser.console_world import running

    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "state", evil=False) as console,
        _browser() as browser,
    ):
        for language in LANGUAGES:
            _shoot(browser, console, language, names)
    return 0


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-quic"]
        )
        yield browser
        browser.close()


def _shoot(browser: Any, console: Any, language: str, names: list[str]) -> None:
    from linekey.store.users import Users, link_url

    context = browser.new_context(locale=LANGUAGES[language])
    page = context.new_page()
    token = Users(console.database).new_link("anna", datetime.now(UTC))
    page.goto(link_url(console.url, token))
    page.get_by_role("button").first.click()
    page.wait_for_url(console.url)
    for name in names:
        if name == "log-in":
            context.clear_cookies()
        page.goto(console.url.removesuffix("console/") + PAGES[name])
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": _HEIGHT})
            file = file_of(name, width, language)
            page.screenshot(path=file)
            _make_small(file)
    context.close()


def _make_small(file: Path) -> None:
    if shutil.which("pngquant") is None:
        print(f"note: {file.name} is large: pngquant is not installed", file=sys.stderr)
        return
    subprocess.run(
        ["pngquant", "--force", "--strip", _COLOURS, "--output", file, file], check=True
    )


if __name__ == "__main__":
    sys.exit(main())
