"""``linekey load``: what it refuses before anything is started, with the cure."""

import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from linekey.cli.load import app
from linekey.errors import LinekeyError


def run(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    error = result.exception
    if isinstance(error, LinekeyError):
        result.stderr_bytes = f"error: {error.message}\nhint: {error.hint}\n".encode()
    else:
        assert error is None or isinstance(error, SystemExit), error
    return result


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "phones.csv"
    path.write_text("mac,identity\n000413000001,a.pem\n")
    return path


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ([], "what is to be loaded?", "--lab"),
        (["--server", "https://localhost:1"], "which phones?", "--phones-from"),
        (["--lab", "--server", "https://localhost:1"], "--lab brings its own", "leave"),
        (["--lab", "--expect", "1"], "no other machine's phone gets", "--workers"),
        (["--lab", "--workers", "0"], "nobody runs the phones", "--workers 1"),
        (["--lab", "--mix", "fly"], "no phone does 'fly'", "boot"),
        (["--lab", "--mix", "register,keys"], "needs the phones' configuration", "boot"),
        (["--lab", "--rate", "x"], "--rate cannot be read", "50/s"),
        (["--lab", "--for", "long"], "not a length of time for --for", "30s"),
        (["--lab", "--for", "2d"], "--for is 1s to 24h", ""),
        (["--lab", "--phones", "100001"], "--phones is 1 to 100,000", ""),
        (["--lab", "--html", "/nonexistent/x.html"], "--html: cannot write", "in a folder that is there"),
        (["--lab", "--csv", "/nonexistent/x"], "--csv: cannot write", "in a folder that is there"),
        (["--lab", "--html", "/tmp"], "is a directory", "give a file"),
        (["--join", "somewhere"], "--join:", "HOST:PORT"),
        (["--join", "localhost:1"], "the run's token", "--token"),
        (["--server", "https://localhost:1", "--expect", "1"], "the run's token", "--token FILE"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_cure(
    words: list[str], message: str, hint: str
) -> None:
    result = run(*words)
    assert result.exit_code != 0
    assert message in result.stderr
    assert hint in result.stderr


def test_a_server_of_somebody_else_is_not_loaded(table: Path) -> None:
    words = (
        "--phones-from",
        table,
        "--phones",
        1,
        "--server",
        "https://www.example.com",
    )
    result = run(*words)
    assert "www.example.com, which is not this machine" in result.stderr
    assert "--i-own www.example.com" in result.stderr


def test_a_table_that_is_too_short_is_told_before_anything_starts(table: Path) -> None:
    words = ("--phones-from", table, "--phones", 2, "--server", "https://localhost:1")
    result = run(*words)
    assert "has 1 phone, and --phones asks for 2" in result.stderr
    assert "--phones 1" in result.stderr


@pytest.mark.parametrize("missing", ["locust", "gevent", "zmq"])
def test_without_locust_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    import linekey.load

    for name in ("locust_engine", "curve"):
        monkeypatch.delitem(sys.modules, f"linekey.load.{name}", raising=False)
        monkeypatch.delattr(linekey.load, name, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    result = run("--lab")
    assert "linekey load needs Locust" in result.stderr
    assert "pip install 'linekey[load]'" in result.stderr
