"""How the command line ends where its result cannot be written."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from linekey.cli.main import VERBS, app

PROGRAM = [sys.executable, "-c", "from linekey.cli.main import main; main()"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full (Linux)")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "error: no space is left\nhint: free some space, then try again\n"),
        (
            ("--json",),
            '{"error": {"code": "storage", "message": "no space is left", '
            '"hint": "free some space, then try again", "exit": 3, "cause": "full"}}\n',
        ),
    ],
)
def test_a_full_disk_is_an_error_in_words(options: tuple[str, ...], said: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "models", *options],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert done.stderr == said


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_reader_that_has_enough_is_no_error(options: tuple[str, ...]) -> None:
    command = [*PROGRAM, "models", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) == 0, said
    assert said == b""


@pytest.mark.parametrize(
    "verb",
    ["up", "serve", "device", "layer", "trust", "log", "models", "phone", "check",
     "test-servers", "export", "lab"],
)  # fmt: skip
def test_help_speaks_of_the_verb_alone(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    assert "completion" not in result.stdout


def test_a_verb_is_understood_by_the_name_it_had() -> None:
    result = CliRunner().invoke(app, ["zoo", "--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    assert "linekey test-servers --list" in result.stdout
    assert "`linekey zoo` is `linekey test-servers` now" in result.stderr
    assert "zoo" not in CliRunner().invoke(app, ["--help"]).stdout


LIGHT = ("up", "check", "forecast", "export", "completion")
"""Verbs whose modules hold their words alone."""
WITH_CERTIFICATES = ("models", "lab", "test-servers", "phone")
"""Verbs that look into certificates, and no database, for their words."""
LOADED = """
import sys
from importlib import import_module
from linekey.cli.main import VERBS
for verb in sys.argv[1].split(","):
    import_module(VERBS[verb][0])
    print(verb, *sorted(set(sys.argv[2].split(",")) & set(sys.modules)))
"""


def test_a_help_does_not_load_what_only_the_work_needs() -> None:
    """Not how long it takes, but what it takes; bench/help.py measures."""
    certificates = {"cryptography", "OpenSSL", "pydantic"}
    work = {
        "sqlalchemy", "alembic", "psycopg", "fastapi", "starlette", "uvicorn", "httpx2",
        "httpcore2", "sipmessage", "jinja2", "icalendar", "structlog", "prometheus_client",
    }  # fmt: skip
    everything = [v for v in VERBS if v not in (*LIGHT, *WITH_CERTIFICATES)]
    for verbs, never in (
        (LIGHT, certificates | work),
        (WITH_CERTIFICATES, work),
        (everything, work - {"sqlalchemy"}),
    ):
        done = subprocess.run(
            [sys.executable, "-c", LOADED, ",".join(verbs), ",".join(never)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.splitlines() == list(verbs)
