import io

import pytest
from rich.console import Console

from linekey.cli import progress as module
from linekey.cli.progress import progress


def shown(monkeypatch: pytest.MonkeyPatch, terminal: bool, after_s: float) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=80)
    monkeypatch.setattr(module, "err_console", console)
    monkeypatch.setattr(module, "_AFTER_S", after_s)
    with progress("importing", 1000) as seen:
        seen(500)
        seen(500)
    return text.getvalue()


def test_what_takes_long_has_a_bar_at_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bar = shown(monkeypatch, True, -1.0)
    assert "importing" in bar
    assert "1000/1000" in bar
    assert "importing" not in shown(monkeypatch, True, 1000.0), "nothing that is quick"
    assert shown(monkeypatch, False, -1.0) == ""
