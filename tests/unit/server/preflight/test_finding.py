"""What preflight finds is one table, and all of it is used."""

import ast
from pathlib import Path

import pytest

from linekey.server.preflight.finding import RULES, found

FOLDER = Path(__file__).parents[4] / "src" / "linekey" / "server" / "preflight"


def test_every_rule_is_found_somewhere_and_no_other() -> None:
    used = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "found"
                and not isinstance(node.args[0], ast.Name)
            ):
                first = node.args[0]
                ids = (
                    (first.body, first.orelse)
                    if isinstance(first, ast.IfExp)
                    else (first,)
                )
                used |= {ast.literal_eval(i) for i in ids}
    assert used == set(RULES)


def test_a_finding_is_as_severe_as_its_rule() -> None:
    finding = found("proxy.loopback", "every user can", "use a socket")
    assert (finding.ok, finding.severity, finding.refuses) == (False, "warning", False)
    assert found("proxy.open", "open", "close it").refuses
    with pytest.raises(KeyError):
        found("proxy.nobody", "", "")
