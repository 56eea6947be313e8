"""What a help does not need is not imported for it, and is there when a command runs."""

import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from linekey.cli import on_use
from linekey.cli.on_use import bring

HEAVY = (
    "OpenSSL", "alembic", "argon2", "asyncio", "authlib", "babel", "cryptography",
    "email", "fastapi", "h11", "httpx2", "jinja2", "lxml", "prometheus_client",
    "psycopg", "pyasn1", "pydantic", "sipmessage", "sqlalchemy", "ssl", "starlette",
    "structlog", "uvicorn", "uvloop",
)  # fmt: skip
"""Each takes some 20 ms or more, or brings one that does."""

ALL_HELP = f"""
import contextlib, io, sys
from importlib import import_module
import typer
from linekey.cli.main import VERBS, app

def each(command, words):
    for param in command.params:
        read = repr((param.type_descriptor.annotation, param.default))
        assert "_Later" not in read, (words, param.name)
    yield words
    for name, below in getattr(command, "commands", {{}}).items():
        yield from each(below, [*words, name])

root, seen = typer.main.get_command(app), set()
for verb, (module, _) in VERBS.items():
    for words in each(typer.main.get_command(import_module(module).app), [verb]):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            root.main([*words, "--help"], standalone_mode=False)
        assert "Usage" in out.getvalue(), words
        for heavy in set({HEAVY!r}) & sys.modules.keys() - seen:
            seen.add(heavy)
            print(*words, "imports", heavy)
"""
TYPERS_OWN = ("log prune imports pydantic", "log prune imports email")
"""`linekey log` has options of its own, whose values Typer converts by Pydantic before
it reads the next word."""


@pytest.fixture
def _loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before any command ran."""
    monkeypatch.setattr(on_use, "_brought", threading.Event())


def module_of(folder: Path, text: str) -> ModuleType:
    made = ModuleType("made")
    exec(compile(text, str(folder / "made.py"), "exec"), vars(made))
    return made


def test_no_help_imports_what_only_a_run_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALL_HELP],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    assert set(done.stdout.splitlines()) == set(TYPERS_OWN)


def test_the_words_of_a_completion_import_no_more_than_a_help() -> None:
    done = subprocess.run(
        [
            sys.executable, "-X", "importtime", "-c",
            "from linekey.cli.main import main; main()",
        ],
        env={
            "_LINEKEY_COMPLETE": "complete_bash",
            "COMP_WORDS": "linekey device re",
            "COMP_CWORD": "2",
        },
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["revoke", "restore", "remove", "replace"]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & set(HEAVY)


@pytest.mark.usefixtures("_loading")
def test_a_name_is_brought_once_and_is_then_what_was_imported(tmp_path: Path) -> None:
    made = module_of(
        tmp_path,
        "from linekey.cli.on_use import on_use\n"
        "with on_use():\n"
        "    import wave\n"
        "    from colorsys import hls_to_rgb as colour\n"
        "    from wsgiref import headers\n"
        "def half(x: 'colour | None' = None, y: headers | None = None): return colour\n",
    )
    assert type(made.wave).__name__ == type(made.colour).__name__ == "_Later"
    bring()
    import colorsys
    import wave
    from wsgiref import headers

    assert (made.wave, made.half(), made.headers) == (
        wave,
        colorsys.hls_to_rgb,
        headers,
    )


@pytest.mark.usefixtures("_loading")
def test_a_module_that_is_loaded_while_a_command_runs_waits_for_nothing(
    tmp_path: Path,
) -> None:
    bring()
    made = module_of(
        tmp_path,
        "from linekey.cli.on_use import on_use\n"
        "with on_use():\n"
        "    from colorsys import hls_to_rgb\n",
    )
    assert callable(made.hls_to_rgb)


@pytest.mark.usefixtures("_loading")
def test_other_imports_wait_for_nobody(tmp_path: Path) -> None:
    made = module_of(
        tmp_path,
        "from linekey.cli.on_use import on_use\n"
        "with on_use():\n"
        "    from colorsys import rgb_to_hls\n"
        "from colorsys import rgb_to_yiq\n",
    )
    assert callable(made.rgb_to_yiq)
    bring()


@pytest.mark.usefixtures("_loading")
@pytest.mark.parametrize("line", ["import os.path", "from colorsys import *"])
def test_what_cannot_wait_is_refused(line: str, tmp_path: Path) -> None:
    text = f"from linekey.cli.on_use import on_use\nwith on_use():\n    {line}\n"
    with pytest.raises(ImportError, match="from module import name"):
        module_of(tmp_path, text)


@pytest.mark.usefixtures("_loading")
def test_an_import_that_fails_says_so_each_time(tmp_path: Path) -> None:
    made = module_of(
        tmp_path,
        "from linekey.cli.on_use import on_use\n"
        "with on_use():\n"
        "    from colorsys import no_such_colour\n",
    )
    for _ in range(2):
        with pytest.raises(AttributeError, match="no_such_colour"):
            bring()
    del made.no_such_colour
    bring()
