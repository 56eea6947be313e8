"""Every command, found by walking the tree: its help, its errors, what it suggests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import typer
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

from linekey.cli.command import Verb, Verbs
from linekey.cli.main import VERBS, app

WIDE = {"COLUMNS": "200", "NO_COLOR": "1"}


def tree() -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    def walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield words, command
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(f"{words} {name}", inner)

    for verb, (module, _) in VERBS.items():
        yield from walk(verb, typer.main.get_command(import_module(module).app))


TREE = dict(tree())


def call(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, words, env=WIDE)
    return done.exit_code, done.stdout, done.stderr


def test_every_command_keeps_the_rules_of_this_class() -> None:
    strange = [w for w, c in TREE.items() if not isinstance(c, (Verb, Verbs))]
    assert strange == []
    assert len(TREE) > 60


@pytest.mark.parametrize("words", TREE)
def test_a_help_names_no_type_of_a_switch(words: str) -> None:
    code, out, err = call(*words.split(), "--help")
    assert (code, err) == (0, "")
    assert "<bool>" not in out
    assert "[[" not in out


@pytest.mark.parametrize(
    "words", [w for w, c in TREE.items() if any(p.name == "state" for p in c.params)]
)
def test_the_state_folder_is_named_alike_in_every_verb(words: str) -> None:
    (param,) = [p for p in TREE[words].params if p.name == "state"]
    assert (param.opts, param.envvar) == (["--state"], "LINEKEY_STATE")


@pytest.mark.parametrize("words", TREE)
def test_a_misspelt_option_is_answered_with_the_right_one(words: str) -> None:
    options = [o for p in TREE[words].params for o in p.opts if o.startswith("--")] or [
        "--help"
    ]
    code, out, err = call(*words.split(), f"{options[0]}x")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: no such option: {options[0]}x\n"), err
    assert options[0] in err.split("\nhint: did you mean ")[1]


@pytest.mark.parametrize(
    "words", ["", *(w for w, c in TREE.items() if getattr(c, "commands", None))]
)
def test_a_misspelt_command_is_answered_with_the_right_one(words: str) -> None:
    names = list(VERBS if not words else TREE[words].commands)  # type: ignore[union-attr]
    code, out, err = call(*words.split(), f"{names[-1]}x")
    assert (code, out) == (2, "")
    assert f" has no command '{names[-1]}x'\n" in err
    assert names[-1] in err.split("\nhint: did you mean ")[1]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("token add x --scope rea", "did you mean read?"),
        ("token add x --scope=hlpdesk", "did you mean helpdesk?"),
        ("check localhost --fail-on warn", "did you mean warning?"),
        ("models D758", "D785"),
        ("test-servers expird", "expired"),
        ("trust add x.pem --vendor snmo", "did you mean snom"),
        ("export ngnix", "nginx"),
        ("--state x device list", "options stand after the last word"),
        ("token add", "write linekey token add [OPTIONS] {NAME}"),
        ("models D785 D715", "write linekey models [OPTIONS] [MODEL]"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_answered_with_what_was_meant(words: str, hint: str) -> None:
    code, _, err = call(*words.split())
    assert code == 2
    assert err.startswith("error: ")
    assert hint in err.split("\nhint: ")[1]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("devce --json", "usage"),
        ("device list --json --x", "usage"),
        ("device show nonsense --json", "input"),
        ("models D9999 --json", "input"),
        ("check localhost --trust /nowhere --json", "input"),
        ("device list --json --state /proc/nowhere", "storage"),
    ],
)
def test_an_error_is_json_where_json_was_asked_for(words: str, code: str) -> None:
    status, out, err = call(*words.split())
    assert out == ""
    error = json.loads(err.splitlines()[-1])["error"]
    assert set(error) - {"cause"} == {"code", "message", "hint", "exit"}
    assert (error["code"], error["exit"]) == (code, status)
    assert ("cause" in error) == (code == "storage")


def test_json_of_one_call_says_nothing_of_the_next() -> None:
    call("devce", "--json")
    assert call("devce")[2].startswith("error: ")


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"NO_COLOR": "1"}, False),
        ({}, False),
    ],
)
def test_colours_are_as_the_environment_says(
    environment: dict[str, str], coloured: bool
) -> None:
    program = "from linekey.cli.main import main; main()"
    for words in (["devce"], ["completion", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            env={"PATH": "/usr/bin:/bin", "TERM": "xterm-256color", **environment},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert ("\x1b[3" in said or "\x1b[1;3" in said) == coloured, repr(said[:300])


@pytest.mark.parametrize("columns", [40, 100])
def test_help_and_tables_keep_to_the_width(columns: int) -> None:
    program = "from linekey.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "completion", "--help"],
        env={"COLUMNS": str(columns), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert max(map(len, done.stdout.splitlines())) <= columns
