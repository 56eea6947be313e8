"""Files that the operator names, read as they are or refused with a cure."""

from pathlib import Path

import pytest

from linekey.cli import opening
from linekey.cli.opening import read_file
from linekey.errors import InputError


def test_a_file_is_read_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MAX_FILE_BYTES", 1_048_576)
    file = tmp_path / "f"
    file.write_bytes(bytes(1_048_576))
    assert len(read_file(file)) == 1_048_576
    file.write_bytes(bytes(1_048_577))
    with pytest.raises(InputError, match="no end within 1 MiB"):
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
