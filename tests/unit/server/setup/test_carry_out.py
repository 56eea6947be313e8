"""Looking at a machine, and carrying a plan out: here below a folder of one's own."""

import os
import stat
import sys
from pathlib import Path

import pytest

from linekey.errors import LinekeyError, StorageError
from linekey.export.account import Account
from linekey.server.setup import carry_out as module
from linekey.server.setup.carry_out import carry_out, look, me
from linekey.server.setup.layout import UNITS, Layout, below, unit_text
from linekey.server.setup.steps import Plan, Step, Wanted, plan

GIVEN = Wanted(("localhost",), 1, b"chain", b"key")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return below(tmp_path / "there", Path("/opt/linekey/bin/linekey"), me())


def planned(layout: Layout, wanted: Wanted = GIVEN) -> Plan:
    return plan(layout, look(layout), wanted, {n: unit_text(layout, n) for n in UNITS})


def test_what_is_planned_is_made_with_its_modes(layout: Layout) -> None:
    carry_out(layout, planned(layout).steps)
    for path, mode in (
        (layout.configuration, 0o755), (layout.state, 0o700), (layout.settings, 0o600),
        (layout.certificate, 0o644), (layout.key, 0o600), (layout.units / UNITS[0], 0o644),
    ):  # fmt: skip
        assert stat.S_IMODE(path.stat().st_mode) == mode, path
    assert layout.key.read_bytes() == b"key"
    assert not any(step.does for step in planned(layout).steps)
    assert list(layout.state.iterdir()) == [layout.settings]  # and no draft


def test_a_link_is_not_followed(layout: Layout, tmp_path: Path) -> None:
    layout.state.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    layout.state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError) as found:
        planned(layout)
    assert "is no folder" in found.value.message
    layout.state.unlink()
    layout.state.mkdir(mode=0o700)
    layout.settings.symlink_to(tmp_path / "elsewhere" / "file")
    with pytest.raises(StorageError):
        planned(layout)


def test_a_file_made_meanwhile_is_not_overwritten(layout: Layout) -> None:
    steps = planned(layout).steps
    layout.state.mkdir(parents=True)
    layout.configuration.mkdir(parents=True)
    layout.units.mkdir(parents=True)
    layout.settings.write_text("port = 444\n")
    with pytest.raises(StorageError):
        carry_out(layout, [step for step in steps if step.data is not None])
    assert layout.settings.read_text() == "port = 444\n"
    assert list(layout.state.iterdir()) == [layout.settings]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("linekey-no-such-program",), "there is no program"),
        ((sys.executable, "-c", "import sys; sys.exit('no room')"), "no room"),
        ((sys.executable, "-c", "raise SystemExit(7)"), "exit 7"),
    ],
)
def test_a_command_that_fails_is_told(layout: Layout, command: tuple[str, ...], message: str) -> None:  # fmt: skip
    with pytest.raises(LinekeyError) as found:
        carry_out(layout, [Step("x", command=command)])
    assert message in found.value.message
    assert "linekey init" in found.value.hint


def test_a_program_that_the_servers_user_cannot_run_is_told(
    layout: Layout, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can try what another user may run")
    (hidden := tmp_path / "hidden" / "bin").mkdir(parents=True)
    (hidden / "linekey").symlink_to("/bin/true")
    (tmp_path / "hidden").chmod(0o700)
    nobody = Account("nobody", "nogroup")
    with pytest.raises(StorageError) as found:
        module.check_program(below(tmp_path, hidden / "linekey", nobody))
    assert "the user nobody cannot run" in found.value.message
    module.check_program(below(tmp_path, Path("/bin/true"), nobody))
