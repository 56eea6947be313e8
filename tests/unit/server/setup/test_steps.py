"""What ``init`` has to do, from what is there."""

from pathlib import Path
from typing import Any

import pytest

from linekey.errors import InputError, LinekeyError, StorageError
from linekey.export.account import Account
from linekey.server.setup.layout import UNITS, for_machine, unit_text
from linekey.server.setup.steps import (
    RELOAD,
    Machine,
    Plan,
    Seen,
    Wanted,
    next_commands,
    plan,
)

LAYOUT = for_machine(Path("/opt/linekey/bin/linekey"), Account("linekey", "linekey"))
TEXTS = {name: unit_text(LAYOUT, name) for name in UNITS}
GIVEN = Wanted(("prov.example.com",), 2, b"chain", b"key")
THERE: dict[Path, Seen] = {
    LAYOUT.configuration: Seen("folder", "root"),
    LAYOUT.state: Seen("folder", "linekey"),
    LAYOUT.units: Seen("folder", "root"),
    LAYOUT.settings: Seen("file", "linekey", b"port = 444\n"),
    LAYOUT.certificate: Seen("file", "root", b"chain"),
    LAYOUT.key: Seen("file", "linekey", b"key"),
    **{LAYOUT.units / name: Seen("file", "root", text.encode()) for name, text in TEXTS.items()},
}  # fmt: skip


def planned(paths: dict[Path, Seen], wanted: Wanted = GIVEN, **machine: Any) -> Plan:
    return plan(
        LAYOUT, Machine(paths=paths, has_systemd=True, **machine), wanted, TEXTS
    )


def done(found: Plan) -> list[str]:
    return [str(step.path or step.command[0]) for step in found.steps if step.does]


def test_on_an_empty_machine_everything_is_made_in_order() -> None:
    found = planned({}, has_user=False)
    assert done(found) == [
        "useradd", "/etc/linekey", "/var/lib/linekey", "/etc/systemd/system",
        "/var/lib/linekey/linekey.toml", "/etc/linekey/server.pem", "/etc/linekey/server.key",
        "/etc/systemd/system/linekey.service",
        "/etc/systemd/system/linekey-export-watch.service",
        "/etc/systemd/system/linekey.socket", "systemctl",
    ]  # fmt: skip
    assert found.steps[-1].command == RELOAD
    by_path = {step.path: step for step in found.steps}
    assert (by_path[LAYOUT.state].mode, by_path[LAYOUT.state].theirs) == (0o700, True)
    assert (by_path[LAYOUT.key].mode, by_path[LAYOUT.key].theirs) == (0o600, True)
    assert (by_path[LAYOUT.certificate].mode, by_path[LAYOUT.certificate].theirs) == (0o644, False)  # fmt: skip
    assert not found.warnings


def test_a_second_run_does_nothing() -> None:
    assert done(planned(THERE, Wanted())) == []
    found = planned(THERE)
    assert done(found) == []
    assert "without the names" in found.warnings[0][0]


def test_only_what_is_missing_is_made() -> None:
    paths = {path: seen for path, seen in THERE.items() if path != LAYOUT.settings}
    assert done(planned(paths)) == [str(LAYOUT.settings)]


def test_a_unit_of_an_earlier_linekey_is_replaced_and_a_changed_one_stays() -> None:
    first, second = (LAYOUT.units / name for name in UNITS[:2])
    older = TEXTS[UNITS[0]].replace("RestartSec=5", "RestartSec=9").partition("\n")[2]
    from linekey.server.setup import layout

    older = f"{layout._MADE_BY}{layout._checksum(older)}.\n{older}"
    changed = Seen("file", "root", TEXTS[UNITS[1]].encode() + b"User=nobody\n")
    found = planned({**THERE, first: Seen("file", "root", older.encode()), second: changed}, Wanted())  # fmt: skip
    assert done(found) == [str(first), "systemctl"]
    assert next(step for step in found.steps if step.path == first).replaces
    ((sentence, cure),) = found.warnings
    assert str(second) in sentence
    assert "`systemctl edit linekey-export-watch`" in cure
    socket = LAYOUT.units / "linekey.socket"
    changed = Seen("file", "root", TEXTS["linekey.socket"].encode() + b"Mark=7\n")
    ((_, cure),) = planned({**THERE, socket: changed}, Wanted()).warnings
    assert "`systemctl edit linekey.socket`" in cure


@pytest.mark.parametrize(
    ("path", "seen", "error", "message"),
    [
        (
            LAYOUT.state,
            Seen("folder", "ada"),
            StorageError,
            "belongs to ada, not to linekey",
        ),
        (LAYOUT.state, Seen("folder", "root"), StorageError, "belongs to root"),
        (LAYOUT.configuration, Seen("folder", "ada"), StorageError, "not to root"),
        (LAYOUT.state, Seen("other", "root"), StorageError, "is no folder"),
        (LAYOUT.state, Seen("file", "root"), StorageError, "is no folder"),
        (LAYOUT.settings, Seen("other", "linekey"), StorageError, "is no file"),
        (LAYOUT.key, Seen("file", "linekey", b"another"), InputError, "is another one"),
        (LAYOUT.units / UNITS[0], Seen("folder", "root"), StorageError, "is no file"),
    ],
)
def test_what_stands_in_the_way_is_named_before_anything_is_made(
    path: Path, seen: Seen, error: type[LinekeyError], message: str
) -> None:
    with pytest.raises(error) as found:
        planned({**THERE, path: seen})
    assert message in found.value.message
    assert found.value.hint


def test_a_folder_of_root_is_cured_by_commands_that_can_be_copied() -> None:
    with pytest.raises(StorageError) as found:
        planned({LAYOUT.state: Seen("folder", "root")}, has_user=False)
    assert "useradd --system" in found.value.hint
    assert "&& chown -R linekey: /var/lib/linekey" in found.value.hint


def test_root_by_another_name_is_refused() -> None:
    with pytest.raises(InputError):
        planned({}, user_is_root=True)


def test_three_commands_go_on_from_here() -> None:
    assert list(next_commands(LAYOUT, has_certificate=True)) == [
        "/opt/linekey/bin/linekey trust add VENDOR-CAS.pem --state /var/lib/linekey",
        "/opt/linekey/bin/linekey device import PHONES.csv --state /var/lib/linekey",
        "systemctl enable --now linekey",
    ]
    first, *rest = next_commands(LAYOUT, has_certificate=False)
    assert (
        "install -m 600 -o linekey -g linekey KEY.pem /etc/linekey/server.key" in first
    )
    assert len(rest) == 3
