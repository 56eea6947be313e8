"""The architecture holds: imports point one way, pure packages touch no edge, files stay small."""

import ast
import graphlib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "linekey"

# Top to bottom: a module may import from its own row and from the rows above it.
ORDER = [
    "value", "errors", "said", "words", "mac", "xmldoc", "digest", "digits", "endpoint",
    "section",
    "alert_settings", "anchor_settings", "settings",
    "certs", "tls", "reasons", "catalog", "makers", "trust", "lint", "provisioning", "export",
    "plan",
    "wire", "alerts", "store", "phone", "check", "console", "server", "lab", "load", "cli",
]  # fmt: skip
# They meet on the wire, as in the world; and the wire knows no product.
STRANGERS = {
    frozenset(pair)
    for pair in (
        ("phone", "provisioning"), ("phone", "server"), ("phone", "store"),
        ("phone", "console"), ("check", "server"), ("check", "store"),
        ("wire", "catalog"), ("wire", "makers"), ("wire", "provisioning"), ("wire", "export"),
    )
}  # fmt: skip
# Modules that touch the world; every other one is pure and imports none of these.
EDGE = (
    "wire", "store", "console", "server", "lab", "cli",
    "phone.edge", "phone.pages", "phone.uses.*.edge", "check.prober", "check.questions",
    "alerts.post", "alerts.sender", "alerts.smtp",
    "load.curve", "load.life", "load.locust_engine", "load.loop", "load.table", "load.target",
    "load.token",
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
    "test_bench": "bench/all.py",
    "catalog/test_root_history_tool": "tools/root_history.py",
    "cli/test_bounds": "every verb with a number or an address",
    "cli/test_lost_database": "every verb that looks into the database",
    "console/api/test_groups_tell_nothing": "a promise: property test",
    "console/web/test_errors": "every page that says what did not work",
    "phone/test_model_table": "the vendor's table of models, row by row",
    "phone/uses/sip/test_torture": "RFC 4475, message by message",
    "provisioning/test_no_phone_gets_anothers_file": "a promise: property test",
    "server/test_digest_brake": "guesses at a password: application, digest, brake",
    "server/test_gate_neighbours": "a promise: no phone decides about another",
    "store/test_no_secret_is_seen": "a promise: property test",
    "store/test_upgrade": "every earlier schema",
    "test_dependencies": "pyproject.toml and requirements/",
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


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in modules()}


def imported_against_the_rules(path: Path, tree: ast.Module) -> Iterator[str]:
    here = package(path)
    if here == "__init__":
        return
    if here not in ORDER:
        yield f"{path}: no such package; add it to ORDER where it belongs"
        return
    pure = not is_edge(name_of(path))
    for name, line in imports(tree):
        parts = name.split(".")
        if parts[0] == "linekey" and len(parts) > 1 and parts[1] in ORDER:
            there = parts[1]
            if ORDER.index(there) > ORDER.index(here):
                yield f"{path}:{line}: {here} may not import {there}"
            if frozenset((here, there)) in STRANGERS:
                yield f"{path}:{line}: {here} and {there} are strangers"
            if pure and is_edge(".".join(parts[1:])):
                yield f"{path}:{line}: {name_of(path)} is pure; {name} is not"
        if pure and parts[0] in WORLD:
            yield f"{path}:{line}: {name_of(path)} is pure; {name} is not"


def test_imports_point_up_the_house() -> None:
    faults = [
        f for p, tree in trees().items() for f in imported_against_the_rules(p, tree)
    ]
    assert not faults, "\n".join(faults)


def test_imports_make_no_circle() -> None:
    """Nor do those for types alone: two files that need each other are one."""
    known = {name_of(path): tree for path, tree in trees().items()}
    graph: dict[str, set[str]] = {}
    for here, tree in known.items():
        there = {name.removeprefix("linekey.") for name, _ in imports(tree)}
        graph[here] = there & known.keys()
    graphlib.TopologicalSorter(graph).prepare()


def touches_of_the_world(path: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "open":
            yield f"{path}:{node.lineno}: opens a file"
        if (
            isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and (node.func.value.id, node.func.attr) in CLOCKS
        ):
            yield f"{path}:{node.lineno}: reads a clock"


def test_pure_modules_read_no_clock_and_open_no_file() -> None:
    pure = {p: tree for p, tree in trees().items() if not is_edge(name_of(p))}
    faults = [f for p, tree in pure.items() for f in touches_of_the_world(p, tree)]
    assert not faults, "\n".join(faults)


def test_files_stay_small() -> None:
    lines = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in modules()}
    long = [
        f"{p}: {n} lines; it probably is two files" for p, n in lines.items() if n > 600
    ]
    assert not long, "\n".join(long)


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
