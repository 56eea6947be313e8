"""Each table of the code stands on its page row by row, and nothing else does.

``test_generated_pages`` holds a page to its function; this, the function to the code.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from tools.fidelity_rules import RULES as PHONE_RULES

from linekey.catalog.matrix import ROWS
from linekey.catalog.models import MODELS
from linekey.catalog.settings_rules import SINCE_RULES, STANDING_RULES
from linekey.catalog.vendors import IDENTITY_RULES
from linekey.provisioning.decision import Reason
from linekey.settings import fields
from linekey.trust.findings import X509_ALERTS
from linekey.trust.rules import RULES

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")


def first_cells(text: str) -> list[str]:
    """The code words that begin a table's row."""
    return re.findall(r"^\| (?:\d+ \| )?`([^`]+)` \|", text, re.MULTILINE)


def test_the_findings_are_the_rules() -> None:
    findings, _, alerts = page("findings.md").partition("## Which alert")
    assert sorted(first_cells(findings)) == sorted(RULES)
    assert len(first_cells(alerts)) == len(X509_ALERTS)


def test_the_reasons_are_the_enum() -> None:
    assert sorted(first_cells(page("reasons.md"))) == sorted(Reason)


def test_the_settings_are_those_of_linekey_toml() -> None:
    section, named = "", []
    for line in page("settings.md").splitlines():
        if line.startswith("## "):
            section = "".join(re.findall(r"`\[(\w+)\]`", line))
        named += [f"{section}.{leaf}".lstrip(".") for leaf in first_cells(line)]
    assert named == [name for name, *_ in fields()]


def test_the_models_page_has_every_row_of_the_catalogue() -> None:
    rules = (*SINCE_RULES, *STANDING_RULES)
    told = [*MODELS, *(r.id for r in ROWS), *(r.name for r in rules)]
    told += [rule.id for rule in IDENTITY_RULES]
    assert sorted(first_cells(page("models.md"))) == sorted(told)


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
