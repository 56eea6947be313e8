"""Where an installation has what, and the texts of its files."""

import tomllib
from pathlib import Path

import pytest

from linekey.errors import InputError
from linekey.export.account import Account
from linekey.server.setup.layout import (
    UNITS,
    below,
    first_settings,
    for_machine,
    hidden_from_units,
    is_ours,
    unit_text,
)
from linekey.settings import parse_settings

PROGRAM = Path("/opt/linekey/bin/linekey")
MACHINE = for_machine(PROGRAM, Account("linekey", "linekey"))
MINE = below(Path("/home/ada/linekey"), PROGRAM, Account("ada", "1000"))


@pytest.mark.parametrize("layout", [MACHINE, MINE])
@pytest.mark.parametrize("names", [(), ("prov.example.com", "192.0.2.1")])
def test_the_first_settings_are_settings(
    layout: object, names: tuple[str, ...]
) -> None:
    settings = parse_settings(first_settings(layout, names, 3))  # type: ignore[arg-type]
    assert settings.names == names
    assert settings.workers == 3
    assert settings.certificate == (layout.certificate,)  # type: ignore[attr-defined]
    assert settings.key == (layout.key,)  # type: ignore[attr-defined]
    assert settings.port == layout.port  # type: ignore[attr-defined]
    assert tomllib.loads(first_settings(layout, names, 3))["status"]["port"] == 8480  # type: ignore[arg-type]


def lines_of(text: str, name: str) -> list[str]:
    found = [line.partition("=") for line in text.splitlines()]
    return [value for key, _, value in found if key == name]


def test_the_units_name_what_is_there() -> None:
    text = unit_text(MACHINE, "linekey.service")
    start = "/opt/linekey/bin/linekey serve --state /var/lib/linekey"
    assert lines_of(text, "ExecStart") == [start]
    assert lines_of(text, "ExecReload") == [
        f"{start} --check-files",
        "/bin/kill -HUP $MAINPID",
    ]
    assert lines_of(text, "User") == ["linekey"]
    assert lines_of(text, "AmbientCapabilities") == ["CAP_NET_BIND_SERVICE"]
    assert lines_of(text, "ProtectHome") == ["yes"]
    mine = unit_text(MINE, "linekey.service")
    assert lines_of(mine, "User") == ["ada"]
    assert lines_of(mine, "CapabilityBoundingSet") == [""]
    assert lines_of(mine, "ProtectHome") == ["read-only"]
    assert lines_of(mine, "ReadWritePaths") == ["/home/ada/linekey/var/lib/linekey"]
    with pytest.raises(KeyError):
        unit_text(MACHINE, "nginx.service")


@pytest.mark.parametrize("name", UNITS)
def test_a_changed_unit_is_known(name: str) -> None:
    text = unit_text(MACHINE, name)
    assert is_ours(text)
    assert not is_ours(text.replace("Description=", "Description=my "))
    assert not is_ours(text + "\n")
    assert not is_ours(text.partition("\n")[2])
    assert not is_ours("")


@pytest.mark.parametrize(
    ("path", "is_hidden"),
    [
        ("/opt/linekey/bin/linekey", False),
        ("/usr/bin/python3", False),
        ("/rootless/bin/linekey", False),
        ("/root/.local/bin/linekey", True),
        ("/home/ada/venv/bin/linekey", True),
        ("/tmp/venv/bin/python", True),
    ],
)
def test_a_program_in_a_home_folder_is_hidden_from_units(
    path: str, is_hidden: bool
) -> None:
    assert (hidden_from_units(PROGRAM, Path(path)) is not None) is is_hidden


@pytest.mark.parametrize("path", ["/home/a b/x", "/home/%h", "/srv/$HOME", "/a\nUser=root", "relative"])  # fmt: skip
def test_a_path_that_a_unit_would_read_otherwise_is_refused(path: str) -> None:
    with pytest.raises(InputError):
        below(Path(path), PROGRAM, Account("ada", "1000"))
    with pytest.raises(InputError):
        for_machine(Path(path), Account("linekey", "linekey"))
