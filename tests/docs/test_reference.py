"""Each table of the code stands on its page row by row, and nothing else does.

``test_generated_pages`` holds a page to its function; this, the function to the code.
"""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest
import typer
from tools.cli_page import FINDINGS, commands
from tools.fidelity_rules import RULES as PHONE_RULES

from linekey.catalog.matrix import ROWS
from linekey.catalog.models import MODELS
from linekey.catalog.settings_rules import SINCE_RULES, STANDING_RULES
from linekey.catalog.vendors import IDENTITY_RULES
from linekey.certs.verify_errors import ERRORS
from linekey.cli.main import app
from linekey.console.api.problems import PROBLEMS
from linekey.provisioning.decision import Reason
from linekey.server.preflight.finding import RULES as PREFLIGHT
from linekey.settings import Settings, fields, parse_settings
from linekey.store.opening import open_store
from linekey.store.schema import metadata
from linekey.trust.rules import RULES
from linekey.wire.door.refusal import REFUSALS

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")


def first_cells(text: str) -> list[str]:
    """The code words that begin a table's row."""
    return re.findall(r"^\| (?:\d+ \| )?`([^`]+)` \|", text, re.MULTILINE)


def test_the_findings_are_the_rules() -> None:
    findings, _, alerts = page("findings.md").partition("## Which alert")
    verdict, _, preflight = findings.partition("## Before the server starts")
    assert sorted(first_cells(verdict)) == sorted(RULES)
    assert sorted(first_cells(preflight)) == sorted(PREFLIGHT)
    assert len(re.findall(r"^\| \d+ \|", alerts, re.MULTILINE)) == sum(
        e.alert != 46 for e in ERRORS.values()
    )


def test_the_reasons_are_the_enum() -> None:
    decided, _, others = page("reasons.md").partition("## Turned away")
    turned_away, _, problems = others.partition("## What the API")
    assert sorted(first_cells(decided)) == sorted(Reason)
    assert sorted(first_cells(turned_away)) == sorted(REFUSALS)
    assert sorted(first_cells(problems)) == sorted(PROBLEMS)


def test_the_settings_are_those_of_linekey_toml() -> None:
    section, named = "", []
    for line in page("settings.md").splitlines():
        if line.startswith("## "):
            section = "".join(re.findall(r"`\[([\w.]+)\]`", line))
        named += [f"{section}.{leaf}".lstrip(".") for leaf in first_cells(line)]
    assert named == [name for name, *_ in fields()]


def test_the_models_page_has_every_row_of_the_catalogue() -> None:
    rules = (*SINCE_RULES, *STANDING_RULES)
    told = [*MODELS, *(r.id for r in ROWS), *(r.name for r in rules)]
    told += [rule.id for rule in IDENTITY_RULES]
    assert sorted(first_cells(page("models.md"))) == sorted(told)


def test_the_commands_are_those_that_can_be_typed() -> None:
    titles = re.findall(r"^###? linekey (.+)$", page("cli.md"), re.MULTILINE)
    assert titles == [words for words, _ in commands()]
    verbs = typer.main.get_command(app)
    assert {words.split()[0] for words in titles} == set(verbs.list_commands(None))


def test_who_exits_with_1_is_who_says_so() -> None:
    """Only there does a verb leave with a status that is no error's own."""
    telling = {
        path.stem
        for path in (ROOT / "src/linekey/cli").glob("*.py")
        if re.search(
            r"Exit\((?:1|(?:report|found)\.exit_code)\b", path.read_text("utf-8")
        )
    }
    carried_out = {
        "check": "checking",
        "phone_run": "phone_running",
        "load": "loading",
    }  # not for a help
    callbacks = {words: command.callback for words, command in commands()}
    named = {callbacks[words].__module__.rpartition(".")[2] for words in FINDINGS}
    assert {carried_out.get(name, name) for name in named} == telling


def test_a_metric_that_a_page_names_is_one() -> None:
    known = set(first_cells(page("metrics.md")))
    for path in (ROOT / "docs").rglob("*.md"):
        named = re.findall(r"`(linekey_\w+)`", path.read_text(encoding="utf-8"))
        assert set(named) <= known, path


@cache
def named_tests() -> frozenset[str]:
    return frozenset(
        node.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("rule", PHONE_RULES, ids=lambda r: r.rule[:40])
def test_a_rule_of_the_virtual_phone_names_tests_that_exist(rule) -> None:
    assert rule.shown_by
    assert set(rule.shown_by) <= named_tests()


def blocks(text: str) -> list[str]:
    """The code blocks of a page, fenced or indented."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE)
    return [*fenced, *map(dedent, indented)]


def test_linekey_toml_on_a_page_is_one_that_linekey_reads() -> None:
    found = 0
    for path in (ROOT / "docs").rglob("*.md"):
        for block in blocks(path.read_text(encoding="utf-8")):
            try:
                given = tomllib.loads(block)
            except tomllib.TOMLDecodeError:
                continue
            if Settings.model_fields.keys() & given:
                parse_settings(toml=block)
                found += 1
    assert found >= 3


def test_the_state_folder_and_the_tables_are_those_of_the_database_page(
    tmp_path: Path,
) -> None:
    folder, _, tables = page("database.md").partition("## Tables")
    with open_store(tmp_path, create=True):
        made = {path.name for path in tmp_path.iterdir()}
        made |= {f"keys/{key.name}" for key in (tmp_path / "keys").iterdir()}
    wal = {"linekey.db-wal", "linekey.db-shm", "keys"}
    others = {"linekey.toml", "reserve", "phones/", "lab/"}  # made by who needs it
    assert set(first_words(folder)) == made - wal | others
    assert set(first_cells(tables)) == {*metadata.tables, "alembic_version"}


def first_words(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)
