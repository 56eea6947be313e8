"""``linekey backup``: its name, its notes, and what it says of what is not in it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import linekey.cli.backup
from linekey.cli.backup import app
from linekey.store.opening import open_store

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(linekey.cli.backup, "now", lambda: NOW)
    open_store(tmp_path / "state").close()
    return tmp_path / "state"


def run(state: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--state", str(state)])


def test_into_a_folder_its_name_has_the_time(state: Path, tmp_path: Path) -> None:
    (state / "linekey.toml").write_text(
        'certificate = "/etc/ssl/prov.pem"\nkey = "prov.key"\n'
    )
    (state / "prov.key").write_text("key")
    done = run(state, str(tmp_path))
    assert done.exit_code == 0, done.output
    path = tmp_path / "linekey-20261129T120000Z.tar"
    assert path.is_file()
    assert f"wrote {path}: 0 phones" in done.stdout
    assert "it holds the keys" in done.stderr
    assert "not in it: /etc/ssl/prov.pem" in done.stderr
    assert run(state, str(path)).exit_code == 2


def test_as_json_it_says_what_is_in_it(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "b.tar"
    done = run(state, str(path), "--json", "--without-keys")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["file"] == str(path)
    assert set(said["files"]) == {"linekey.db"}
    assert said["rows"]["devices"] == 0


def test_a_folder_that_is_not_there_is_told(state: Path, tmp_path: Path) -> None:
    done = run(state, str(tmp_path / "away" / "b.tar"))
    assert done.exit_code == 3
    assert "no such file or directory" in done.output
    done = run(tmp_path / "nowhere", str(tmp_path / "b.tar"))
    assert done.exit_code == 3
    assert "there is no state folder" in done.output
