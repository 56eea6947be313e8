"""The scripts are printed, and nothing else happens."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from linekey.cli.main import app


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_and_no_file_is_touched(shell: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app,
        ["completion", shell],
        env={"HOME": str(tmp_path), "SHELL": f"/bin/{shell}"},
    )
    assert done.exit_code == 0
    assert "_LINEKEY_COMPLETE=complete_" in done.stdout
    assert list(tmp_path.rglob("*")) == []


def test_another_shell_is_refused_with_those_there_are() -> None:
    done = CliRunner().invoke(app, ["completion", "tcsh"])
    assert done.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr


def test_no_option_edits_a_file() -> None:
    done = CliRunner().invoke(app, ["--install-completion"])
    assert done.exit_code == 2
