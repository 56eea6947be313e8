"""What sentences call a certificate, and that every sentence calls it so."""

import ast
from ipaddress import ip_address
from pathlib import Path

import linekey
from linekey.certs.build import issue
from linekey.certs.dn import Name

SOURCES = Path(linekey.__file__).parent
EMPTY = Name.build([])


def unnamed(family, **fields):  # type: ignore[no-untyped-def]
    from tests.unit.certs.conftest import BEGIN, END

    arguments = {"serial": 0x2A, "not_before": BEGIN, "not_after": END} | fields
    return issue(EMPTY, family.keys[2], family.as_issuer(1), **arguments)


def test_a_subject_is_its_label(family) -> None:  # type: ignore[no-untyped-def]
    assert family.leaf.label == "CN=000413AABBCC"
    assert family.leaf.issuer_label == "CN=intermediate"


def test_an_empty_subject_is_called_by_its_first_alternative_name(family) -> None:  # type: ignore[no-untyped-def]
    named = unnamed(family, dns_names=["sip.example.com", "b.example.com"])
    assert named.label == "DNS:sip.example.com"
    address = unnamed(family, ip_addresses=[ip_address("192.0.2.7")])
    assert address.label == "IP Address:192.0.2.7"
    assert "serial 2a" in unnamed(family).label


def test_a_hostile_name_stays_on_its_line(family) -> None:  # type: ignore[no-untyped-def]
    hostile = unnamed(family, dns_names=["a\n\x1b[2J.example.com"])
    assert hostile.label.isprintable()


def is_name(node: ast.expr) -> bool:
    """``x.subject``, or ``str(x.subject)``."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "str":
        return bool(node.args) and is_name(node.args[0])
    return isinstance(node, ast.Attribute) and node.attr in ("subject", "issuer")


def test_no_sentence_is_made_with_a_bare_subject() -> None:
    found = [
        f"{path.relative_to(SOURCES)}:{node.lineno}"
        for path in sorted(SOURCES.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FormattedValue) and is_name(node.value)
    ]
    assert [f for f in found if not f.startswith("certs/certificate.py")] == []
