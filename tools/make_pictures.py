"""Make the README's pictures from the running program: `python tools/make_pictures.py`.

Runs `linekey up` in a new folder, keeps what the terminal shows, and photographs it,
the phone's pages and the status page with Chromium (`make peers`).
"""

import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "images"
LINEKEY = Path(sys.executable).parent / "linekey"
CHROMIUM = [
    "--no-sandbox", "--disable-quic", "--disable-background-networking",
    "--no-first-run",
]  # fmt: skip
END = b"Ctrl-C stops everything."


def start(state: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a lab on a terminal; return it and what it had to say."""
    ours, theirs = pty.openpty()
    lab = subprocess.Popen(
        [LINEKEY, "up", "--state", state, "--port", "0", "--status-port", "0",
         "--web-port", "0", "--sip-port", "0"],
        stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "132", "TERM": "xterm-256color", "TZ": "UTC"},
    )  # fmt: skip
    os.close(theirs)
    told = b""
    while END not in told:
        told += os.read(ours, 65536)
    return lab, told.decode()


def photograph_terminal(browser: Browser, told: str, state: Path) -> None:
    """Show what the terminal showed, without the names of temporary folders."""
    told = told.replace(str(state), "~/.local/state/linekey")
    lines = [line for line in told.splitlines() if "not offered" not in line]
    console = Console(record=True, width=132, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(Text.from_ansi("$ make up\n" + "\n".join(lines)), soft_wrap=True)
    body = console.export_html(
        theme=MONOKAI, inline_styles=True, code_format="<pre>{code}</pre>"
    )
    page = browser.new_page(viewport={"width": 1180, "height": 200})
    page.set_content(
        "<style>body{margin:0;background:#10151b;color:#d7dee6}pre{margin:0;padding:20px;"
        "font:13px/1.45 'DejaVu Sans Mono',monospace;white-space:pre-wrap}</style>"
        + body
    )
    page.screenshot(path=PICTURES / "up.png", full_page=True)


def photograph_pages(browser: Browser, told: str) -> None:
    """The phone's certificates and screen, and the status page."""
    phone = _found(r"https://127\.0\.0\.1:\d+/", told)
    status = _found(r"http://127\.0\.0\.1:\d+/", told)
    context = browser.new_context(
        ignore_https_errors=True, viewport={"width": 1100, "height": 640}
    )
    page = context.new_page()
    page.goto(f"{phone}login")
    page.fill("input[name=password]", "0000")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{phone}status")
    for path, name, full in (
        ("certificates?tab=server", "phone-certificates", True),
        ("screen", "phone-screen", False),
    ):
        page.goto(phone + path)
        page.screenshot(path=PICTURES / f"{name}.png", full_page=full)
    page.goto(status)
    page.screenshot(path=PICTURES / "status.png", full_page=True)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, f"nothing like {pattern} on the terminal"
    return match.group()


def main() -> None:
    """Make them all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        state = Path(folder) / "state"
        lab, told = start(state)
        try:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=CHROMIUM
            )
            photograph_terminal(browser, told, state)
            photograph_pages(browser, told)
            browser.close()
        finally:
            lab.send_signal(signal.SIGINT)
            lab.wait(30)
    print("made:", *sorted(path.name for path in PICTURES.glob("*.png")))


if __name__ == "__main__":
    main()
