"""The architecture holds: imports point one way, pure packages touch no edge, files stay small."""

import ast
import graphlib
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "linekey"

# Top to bottom: a module may import from its own row and from the rows above it.
ORDER = [
    "errors", "mac", "xmldoc", "digest", "digits", "endpoint", "settings",
    "certs", "tls", "catalog", "trust", "provisioning", "export",
    "wire", "store", "phone", "check", "console", "server", "lab", "cli",
]  # fmt: skip
# They meet on the wire, as in the world; and the wire knows no product.
STRANGERS = {
    frozenset(pair)
    for pair in (
        ("phone", "provisioning"), ("phone", "server"), ("phone", "store"),
        ("phone", "console"), ("check", "server"), ("check", "store"),
        ("wire", "catalog"), ("wire", "provisioning"), ("wire", "export"),
    )
}  # fmt: skip
# Modules that touch the world; every other one is pure and imports none of these.
EDGE = (
    "wire", "store", "console", "server", "lab", "cli",
    "phone.edge", "phone.pages", "phone.uses.*.edge", "check.prober", "check.questions",
)  # fmt: skip

# What a pure module may not import: sockets, files, clocks, processes, event loops.
WORLD = {
    "asyncio", "socket", "ssl", "select", "selectors", "subprocess", "threading",
    "multiprocessing", "time", "os", "shutil", "tempfile", "sqlite3", "sqlalchemy",
    "uvicorn", "starlette", "fastapi", "httpx2", "uvloop", "typer", "rich", "signal",
}  # fmt: skip
# Reading data that ships with the package is not I/O in this sense (importlib.resources).
CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}


# Tests in tests/unit of no one module, and of what they are.
TOPICS = {
    "test_house": "the imports",
    "catalog/test_root_history_tool": "tools/root_history.py",
    "cli/test_bounds": "every verb with a number or an address",
    "cli/test_lost_database": "every verb that looks into the database",
    "phone/test_model_table": "the vendor's table of models, row by row",
    "phone/uses/sip/test_torture": "RFC 4475, message by message",
    "provisioning/test_no_phone_gets_anothers_file": "a promise: property test",
    "server/test_digest_brake": "guesses at a password: application, digest, brake",
    "server/test_gate_neighbours": "a promise: no phone decides about another",
    "store/test_no_secret_is_seen": "a promise: property test",
    "store/test_upgrade": "every earlier schema",
}


def modules() -> list[Path]:
    return sorted(p for p in SRC.rglob("*.py"))


def package(path: Path) -> str:
    return path.relative_to(SRC).with_suffix("").parts[0]


def is_edge(module: str) -> bool:
    return any(fnmatch(module, p) or fnmatch(module, f"{p}.*") for p in EDGE)


def name_of(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{a.name}", node.lineno) for a in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SRC)))
def test_imports_point_up_the_house(path: Path) -> None:
    here = package(path)
    if here == "__init__":
        return
    assert here in ORDER, f"{path}: no such package; add it to ORDER where it belongs"
    pure = not is_edge(name_of(path))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name, line in imports(tree):
        parts = name.split(".")
        if parts[0] == "linekey" and len(parts) > 1 and parts[1] in ORDER:
            there = parts[1]
            assert ORDER.index(there) <= ORDER.index(here), (
                f"{path}:{line}: {here} may not import {there}"
            )
            assert frozenset((here, there)) not in STRANGERS, (
                f"{path}:{line}: {here} and {there} are strangers"
            )
            assert not (pure and is_edge(".".join(parts[1:]))), (
                f"{path}:{line}: {name_of(path)} is pure; {name} is not"
            )
        if pure:
            assert parts[0] not in WORLD, (
                f"{path}:{line}: {name_of(path)} is pure; {name} is not"
            )


def test_imports_make_no_circle() -> None:
    """Nor do those for types alone: two files that need each other are one."""
    known = {name_of(path): path for path in modules()}
    graph: dict[str, set[str]] = {}
    for here, path in known.items():
        named = imports(ast.parse(path.read_text(encoding="utf-8")))
        there = {name.removeprefix("linekey.") for name, _ in named}
        graph[here] = there & known.keys()
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SRC)))
def test_pure_modules_read_no_clock_and_open_no_file(path: Path) -> None:
    if is_edge(name_of(path)):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            assert node.func.id != "open", f"{path}:{node.lineno}: opens a file"
        if isinstance(node.func, ast.Attribute) and isinstance(
            node.func.value, ast.Name
        ):
            call = (node.func.value.id, node.func.attr)
            assert call not in CLOCKS, f"{path}:{node.lineno}: reads a clock"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SRC)))
def test_files_stay_small(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 600, f"{path}: {lines} lines; it probably is two files"


def test_a_test_has_the_name_of_what_it_tests() -> None:
    unit = ROOT / "tests" / "unit"
    tests = {
        path.relative_to(unit).with_suffix("").as_posix(): path
        for path in unit.rglob("test_*.py")
    }
    strays = {
        name
        for name, path in tests.items()
        if not (SRC / path.relative_to(unit).parent / path.name[5:]).is_file()
    }
    assert strays == set(TOPICS)


def test_every_import_is_of_a_distribution_that_is_pinned() -> None:
    """A fresh clone has what run.txt pins, and nothing that the tests bring along."""
    pinned = {
        line.partition("==")[0].strip().lower().replace("_", "-")
        for line in (ROOT / "requirements/run.txt").read_text("utf-8").splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    pinned = {name.partition("[")[0] for name in pinned}
    providers = packages_distributions()
    missing = []
    for path in modules():
        for name, line in imports(ast.parse(path.read_text(encoding="utf-8"))):
            top = name.partition(".")[0]
            if top == "linekey" or top in sys.stdlib_module_names:
                continue
            found = {p.lower().replace("_", "-") for p in providers.get(top, ())}
            if not found & pinned:
                missing.append(f"{path.relative_to(SRC)}:{line}: {top}")
    assert missing == []
