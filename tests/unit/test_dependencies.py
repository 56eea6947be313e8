"""What linekey asks for, what is pinned, and what is imported agree."""

import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_IMPORT = re.compile(
    r"^[ \t]*(?:from ([\w.]+) import |import ([\w.]+)(?: as \w+)?$)", re.MULTILINE
)
ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ASKED = {
    canonicalize_name(r.name): r for r in map(Requirement, PROJECT["dependencies"])
}
# Whose private parts, or young interface, linekey uses, and where: these need an upper
# bound. cryptography's are reached through pyOpenSSL, which bounds it likewise.
EXTRAS = {
    "plan": {"simpy": {"plan/queueing.py"}},
    "load": {
        "locust": {"load/curve.py", "load/locust_engine.py"},
        "gevent": {"load/locust_engine.py"},
        "pyzmq": {"load/curve.py"},
    },
}
"""What only an extra brings (``linekey[plan]``), and the modules that import it."""
MODULES = {"pyzmq": "zmq"}
"""What is imported by another name than it is asked for."""
BOUNDED = {
    "pyopenssl": ("OpenSSL", "tls/binding.py"),
    "cryptography": ("OpenSSL", "tls/binding.py"),
    "uvicorn": ("uvicorn.protocols", "wire/http_server.py"),
    "typer": ("typer.core", "cli/command.py"),
    "sipmessage": ("sipmessage", "phone/uses/sip/messages.py"),
    "httpx2": ("httpx2", "phone/edge/http.py"),
    "httpcore2": ("httpcore2", "phone/edge/http.py"),
}


def pins(part: str) -> dict[str, str]:
    text = (ROOT / f"requirements/{part}.txt").read_text("utf-8")
    rows = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[.*\])?==(\S+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in rows}


def named(part: str) -> set[str]:
    """What requirements/<part>.in names itself, with the files that it includes."""
    found: set[str] = set()
    for line in (ROOT / f"requirements/{part}.in").read_text("utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["-r"]:
            found |= named(words[1].removesuffix(".in"))
        elif words:
            found.add(canonicalize_name(Requirement(words[0]).name))
    return found


@cache
def imported(*folders: str) -> list[tuple[str, str]]:
    """Every module that is imported there, and where, but for what is ours.

    By their lines, which takes a tenth of what a parser takes.
    """
    # linekey_client is generated (tools/client_generator.py).
    ours = {"linekey", "linekey_client", "tests", "tools", "bench"}
    found = []
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for match in _IMPORT.finditer(text := path.read_text("utf-8")):
            name = match[1] or match[2]
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in ours:
                line = text.count("\n", 0, match.start()) + 1
                found.append((name, f"{path.relative_to(ROOT)}:{line}"))
    return found


def strays(allowed: set[str], *folders: str) -> list[str]:
    providers = packages_distributions()
    return [
        f"{where}: {name}"
        for name, where in imported(*folders)
        if not {canonicalize_name(p) for p in providers.get(name.partition(".")[0], ())}
        & allowed
    ]


def test_the_package_asks_for_what_is_locked_and_for_nothing_else() -> None:
    assert set(ASKED) == named("run")


def test_what_the_package_asks_for_holds_what_is_pinned_and_begins_there() -> None:
    """A version that no test has seen is no lower bound: it begins at this minor."""
    pinned = pins("run")
    for name, requirement in ASKED.items():
        assert requirement.specifier.contains(pinned[name]), name
        (least,) = [s.version for s in requirement.specifier if s.operator == ">="]
        length = len(least.split("."))
        assert pinned[name].split(".")[:length] == least.split("."), name


def test_an_upper_bound_stands_where_private_parts_or_a_young_interface_are_used() -> (
    None
):
    bounded = {
        name
        for name, requirement in ASKED.items()
        if any(s.operator in ("<", "<=", "==", "~=") for s in requirement.specifier)
    }
    assert bounded == set(BOUNDED)
    for name, (module, place) in BOUNDED.items():
        users = [where for found, where in imported("src") if found.startswith(module)]
        assert any(where.startswith(f"src/linekey/{place}") for where in users), name


def test_what_the_package_imports_it_asks_for_itself() -> None:
    """Not through something else that may cease to bring it along."""
    extras = {name for names in EXTRAS.values() for name in names}
    assert strays(set(ASKED) | extras, "src") == []


def test_an_extra_is_asked_for_pinned_and_imported_where_it_says_so() -> None:
    asked = PROJECT["optional-dependencies"]
    assert set(asked) == set(EXTRAS)
    for extra, names in EXTRAS.items():
        requirements = {
            canonicalize_name(r.name): r for r in map(Requirement, asked[extra])
        }
        assert named(extra) == set(names) == set(requirements)
        for name, places in names.items():
            assert requirements[name].specifier.contains(pins(extra)[name])
            module = MODULES.get(name, name)
            users = {
                where.rpartition(":")[0]
                for found, where in imported("src")
                if found.partition(".")[0] == module
            }
            assert users == {f"src/linekey/{place}" for place in places}


def test_an_extras_pins_are_those_that_are_run_and_tested_with() -> None:
    tested, run = pins("test"), pins("run")
    for extra in EXTRAS:
        for name, version in pins(extra).items():
            assert tested[name] == version, name
            assert run.get(name, version) == version, name


def test_locust_is_bounded_since_its_runners_and_sockets_are_subclassed() -> None:
    (locust,) = [r for r in PROJECT["optional-dependencies"]["load"] if "locust" in r]
    assert any(s.operator == "<" for s in Requirement(locust).specifier)


def test_what_tests_and_tools_import_is_named_in_their_list() -> None:
    assert strays(named("test") | named("build"), "tests", "tools", "bench") == []


@pytest.mark.parametrize("part", ["run", "plan", "load", "test", "build", "release"])
def test_every_pin_has_hashes_and_no_address(part: str) -> None:
    text = (ROOT / f"requirements/{part}.txt").read_text("utf-8")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash)", text, re.MULTILINE)
