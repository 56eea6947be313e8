"""Every verb that looks into the database says the same of one that is lost."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from linekey.cli.main import VERBS
from linekey.store.database import open_database
from linekey.store.paths import StateDir
from linekey.store.secrets import KEY_FILE

MAC = "000413AABBCC"
OPENING: dict[str, list[list[str]]] = {
    "up": [["--once", "--json"]],
    "serve": [["--check", "--certificate", "x.pem", "--key", "x.key"]],
    "device": [
        ["list"], ["show", MAC], ["add", MAC], ["set", MAC, "--label", "x"],
        ["revoke", MAC, "--reason", "stolen"], ["remove", MAC], ["token", MAC],
    ],
    "pending": [
        ["list"], ["show", MAC], ["approve", MAC], ["refuse", "--all"], ["forget", MAC],
        ["rules", "list"], ["rules", "add", "x", MAC], ["rules", "remove", "x"],
    ],
    "layer": [["show", "fleet"], ["set", "fleet", "language=English"], ["rotate-key"]],
    "group": [["list"], ["show", "acme"], ["add", "acme"], ["remove", "acme"]],
    "trust": [["list"], ["remove", "ab" * 32]],
    "user": [["list"], ["link", "anna"], ["revoke", "anna"]],
    "token": [["list"], ["add", "pbx", "--scope", "read"], ["revoke", "pbx"]],
    "audit": [[], ["--json"]],
    "log": [[], ["--json"], ["prune", "--older-than", "90d"]],
    "backup": [["/nonexistent/backup.tar"]],
    "certificate": [["deploy", "--chain", "x.pem", "--key", "x.key"]],
    "database": [["status"], ["copy", "--to", "postgresql://nobody@/nowhere"]],
    "check": [["localhost:1", "--fleet"]],
    "forecast": [[], ["--json"]],
    "alert": [["list"], ["retry", "--all"]],
    "export": [["nginx", "--name", "phones.example.com"]],
}  # fmt: skip
"""Verb → how it is called to look into the database."""
APART = {
    "init",
    "lint",
    "models",
    "restore",
    "phone",
    "test-servers",
    "lab",
    "monitoring",
    "plan",
    "load",
    "completion",
}
"""Verbs that never do."""


def run(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = "from linekey.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "LINEKEY_STATE": str(state), "NO_COLOR": "1"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_no_verb_is_forgotten() -> None:
    assert set(VERBS) == set(OPENING) | APART


@pytest.mark.parametrize(
    "words",
    [[verb, *words] for verb, calls in OPENING.items() for words in calls],
    ids=" ".join,
)
def test_a_lost_database_is_told_with_its_cure(
    tmp_path: Path, words: list[str]
) -> None:
    state = StateDir.open(tmp_path / "state")
    open_database(state).close()
    for path in state.root.glob("linekey.db*"):
        path.unlink()
    before = sorted(state.root.rglob("*"))
    ran = run(state.root, *words)
    said = ran.stdout + ran.stderr
    assert ran.returncode == 3, said
    assert "is gone, but its key" in said
    assert "restore linekey.db from backup" in said
    assert "Traceback" not in said
    assert sorted(state.root.rglob("*")) == before


def lose_key(state: StateDir) -> None:
    state.key_path(KEY_FILE).unlink()


def put_folder(state: StateDir) -> None:
    state.database_file.unlink()
    state.database_file.mkdir()


def put_junk(state: StateDir) -> None:
    state.database_file.write_bytes(b"no database at all" * 100)


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lose_key, "key is missing"),
        (put_folder, "is no file"),
        (put_junk, "not a database"),
    ],
)
@pytest.mark.parametrize("words", [["up", "--once"], ["device", "list"], ["log"]])
def test_its_brothers_are_told_too(
    tmp_path: Path, words: list[str], harm: Callable[[StateDir], None], what: str
) -> None:
    state = StateDir.open(tmp_path / "state")
    open_database(state).close()
    harm(state)
    ran = run(state.root, *words)
    said = ran.stdout + ran.stderr
    assert ran.returncode == 3, said
    assert what in said
    assert "hint: " in said
    assert "backup" in said
    assert "Traceback" not in said
