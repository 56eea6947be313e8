"""``linekey init`` in a folder of one's own, and what it refuses."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.cli import init as module
from linekey.cli.main import app
from linekey.cli.serve import load_settings
from linekey.lab.authority import LabAuthority
from linekey.store.paths import StateDir


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run it as an installation would, whose program lies in a folder of its own."""
    program = tmp_path / "venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.with_name("linekey").write_text("")
    monkeypatch.setattr(module.sys, "executable", str(program))

    def call(*words: str) -> Any:
        return CliRunner().invoke(app, ["init", *words])

    return call


def test_in_a_folder_it_makes_a_server_that_can_be_configured(
    run: Any, tmp_path: Path
) -> None:
    prefix = tmp_path / "there"
    lab = LabAuthority.open(tmp_path / "lab")
    chain, key = lab.server_identity()
    (tmp_path / "chain.pem").write_text("".join(map(to_pem, chain)))
    (tmp_path / "key.pem").write_bytes(private_key_to_pem(key))
    files = ["--certificate", str(tmp_path / "chain.pem"), "--key", str(tmp_path / "key.pem")]  # fmt: skip
    words = ["--prefix", str(prefix), "--name", "localhost", "--workers", "3", *files]
    dry = run(*words, "--dry-run", "--json")
    assert dry.exit_code == 0, dry.output
    assert not prefix.exists()
    made = run(*words, "--json")
    told, done = json.loads(dry.stdout), json.loads(made.stdout)
    assert told.pop("dry_run")
    assert not done.pop("dry_run")
    assert told == done
    settings = load_settings(StateDir.open(prefix / "var/lib/linekey"), {})
    assert (settings.names, settings.workers, settings.port) == (
        ("localhost",),
        3,
        8443,
    )
    (key_file,) = settings.key
    assert key_file.read_bytes() == private_key_to_pem(key)
    program = tmp_path / "venv/bin/linekey"
    assert done["next"][-1] == f"{program} serve --state {prefix}/var/lib/linekey"
    again = run(*words)
    assert again.exit_code == 0
    assert "nothing is to be done" in again.stderr
    assert again.stdout.splitlines() == done["next"]


def test_without_a_certificate_the_first_command_puts_it_there(
    run: Any, tmp_path: Path
) -> None:
    said = run("--prefix", str(tmp_path / "there"))
    assert said.exit_code == 0, said.output
    assert len(said.stdout.splitlines()) == 4
    assert said.stdout.startswith("install -m 644 CHAIN.pem ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name", "prov.example.com/x"], "not a host name"),
        (["--name", 'a"\nport = 1'], "not a host name"),
        (["--user", "root", "--dry-run"], "should not run as root"),
        (["--user", "Ada Lovelace", "--dry-run"], "not an account"),
        (["--key", "key.pem"], "--certificate is missing"),
        (["--certificate", "chain.pem"], "--key is missing"),
        (["--certificate", "none.pem", "--key", "none.pem"], "cannot read"),
        (["--workers", "0"], "greater than or equal to 1"),
        (["--user", "ada"], "belongs to the user who runs this"),
        (["--prefix", "/srv/a b"], "cannot stand in a configuration"),
    ],
)
def test_bad_input_is_told_with_its_cure(
    run: Any, tmp_path: Path, words: list[str], message: str
) -> None:
    place = [] if {"--dry-run", "--prefix"} & set(words) else ["--prefix", str(tmp_path / "x")]  # fmt: skip
    said = run(*words, *place)
    assert said.exit_code == 2, said.output
    assert message in said.stderr
    assert "hint: " in said.stderr
    assert not (tmp_path / "x").exists()


def test_without_root_it_says_how_to_go_on(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said = run()
    assert said.exit_code == 3
    for way in ("sudo", "--dry-run", "--prefix"):
        assert way in said.stderr


def test_a_program_in_a_home_folder_is_refused(run: Any) -> None:
    said = run("--dry-run")  # it lies below /tmp, as pytest's folders do
    assert said.exit_code == 2
    assert "the service could not see" in said.stderr
    assert "docs/howto/install.md" in said.stderr


def test_an_interpreter_without_a_program_is_refused(run: Any, tmp_path: Path) -> None:
    (tmp_path / "venv/bin/linekey").unlink()
    said = run("--prefix", str(tmp_path / "x"))
    assert said.exit_code == 2
    assert "a unit could start" in said.stderr
