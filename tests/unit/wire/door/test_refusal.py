"""Every code by which the door or the proxy's side refuses is in the one table."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from linekey.tls.alerts import Alert
from linekey.wire.door.refusal import REFUSALS

SRC = Path(__file__).parents[4] / "src" / "linekey"
FILES = [
    *sorted((SRC / "wire" / "door").glob("*.py")),
    SRC / "tls" / "pump.py",
    SRC / "tls" / "events.py",
    SRC / "server" / "plain_door.py",
    SRC / "server" / "proxy.py",
]
CODE = re.compile(r"(?:hello|handshake|request|proxy)\.[a-z0-9_]+")


def codes_of(node: ast.AST) -> set[str]:
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant)
        and isinstance(part.value, str)
        and CODE.fullmatch(part.value)
    }


def calls() -> Iterator[ast.Call]:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield node


def test_every_code_that_is_used_has_its_texts() -> None:
    used = set()
    for path in FILES:
        if path.stem != "refusal":
            used |= codes_of(ast.parse(path.read_text("utf-8")))
    # Made of two words: a name, and what became of it; a kind of TlsError.
    made = {f"{n}.{e}" for n in ("hello", "handshake") for e in ("gone", "too_slow")}
    made |= {
        f"hello.{k}"
        for k in ("broken", "not_tls", "plain_http", "proxy_unasked", "ssl2")
    }
    made |= {"hello.too_large", "handshake.failed"}
    assert used | made == set(REFUSALS)


def test_every_status_and_alert_that_is_sent_is_the_tables() -> None:
    seen = 0
    for call in calls():
        statuses = {
            a.value
            for a in (*call.args, *(k.value for k in call.keywords))
            if isinstance(a, ast.Constant)
            and type(a.value) is int
            and 400 <= a.value < 500
        }
        alerts = {
            Alert[a.attr]
            for a in call.args
            if isinstance(a, ast.Attribute) and a.attr in Alert.__members__
        }
        for code in {c for a in call.args for c in codes_of(a)}:
            seen += len(statuses) + len(alerts)
            assert statuses <= set(REFUSALS[code].statuses), ast.unparse(call)
            assert alerts <= {REFUSALS[code].alert}, ast.unparse(call)
    assert seen > 6, "the calls are read no longer"
