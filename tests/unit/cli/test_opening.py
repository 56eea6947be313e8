"""Files that the operator names, read as they are or refused with a cure."""

from io import StringIO
from pathlib import Path

import pytest

from linekey.cli import opening
from linekey.cli.opening import read_file, read_secret, with_state
from linekey.errors import InputError


def test_a_file_is_read_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MAX_FILE_BYTES", 1_048_576)
    file = tmp_path / "f"
    file.write_bytes(bytes(1_048_576))
    assert len(read_file(file)) == 1_048_576
    file.write_bytes(bytes(1_048_577))
    with pytest.raises(InputError, match="is larger than 1 MiB"):
        read_file(file)


def test_a_device_without_end_is_refused() -> None:
    with pytest.raises(InputError, match="'/dev/zero'"):
        read_file(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("name", "reason"), [("nothing", "no such file"), (".", "is a directory")]
)
def test_what_is_no_file_is_named(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        read_file(tmp_path / name)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("piped", "values"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\r\n", ["one"]),
        ("-----BEGIN X-----\nAA==\n-----END X-----\n-----BEGIN Y-----\nBB\n", [
            "-----BEGIN X-----\nAA==\n-----END X-----\n-----BEGIN Y-----\nBB\n"
        ]),
    ],
)  # fmt: skip
def test_a_secret_from_a_pipe_is_a_line_and_pem_is_whole(
    monkeypatch: pytest.MonkeyPatch, piped: str, values: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(piped))
    assert [read_secret("x") for _ in values] == values
    with pytest.raises(InputError, match="no value"):
        read_secret("x")


def test_a_command_that_is_shown_names_a_folder_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert with_state("linekey log", None) == "linekey log"
    assert with_state("linekey log", tmp_path / "linekey") == "linekey log"
    mine = tmp_path / "my state"
    assert with_state("linekey log", mine) == f"linekey log --state '{mine}'"
    monkeypatch.setenv("LINEKEY_STATE", str(mine))
    assert with_state("linekey log", mine) == "linekey log", "the shell has it"
