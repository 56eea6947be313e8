"""Numbers and addresses that cannot be right are usage errors, before anything runs."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from linekey.check.target import parse_target
from linekey.cli import check, export, main, phone, serve, up
from linekey.cli.opening import MAX_FILE_BYTES
from linekey.errors import InputError


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (serve.app, ["--port", "70000"]),
        (serve.app, ["--port", "-1"]),
        (serve.app, ["--status-port", "65536"]),
        (serve.app, ["--workers", "0"]),
        (up.app, ["--port", "65536"]),
        (up.app, ["--status-port", "-1"]),
        (up.app, ["--web-port", "99999"]),
        (up.app, ["--sip-port", "-1"]),
        (phone.app, ["run", "--mac", "000413AABBCC", "--web-port", "65536"]),
        (phone.app, ["run", "--mac", "FFFFFFFFFFFF", "--model", "D785"]),
        (phone.app, ["set", "user_name", "x", "--idx", "13"]),
        (phone.app, ["set", "user_name", "x", "--idx", "0"]),
        (phone.app, ["set", "000413AABBCC", "language"]),
        (check.app, ["phones.example:0"]),
        (check.app, ["phones.example:65536"]),
        (export.app, ["nginx", "--listen", "127.0.0.1:65536"]),
    ],
)
def test_it_is_refused_with_status_2(
    app: typer.Typer, words: list[str], tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, words, env={"LINEKEY_STATE": str(tmp_path)})
    assert done.exit_code == 2, done.output
    assert not isinstance(done.exception, OverflowError)


@pytest.mark.parametrize("text", ["h.example:0", "https://h.example:0/x", "[::1]:0"])
def test_nobody_listens_at_port_0(text: str) -> None:
    with pytest.raises(InputError):
        parse_target(text)


@pytest.mark.parametrize(
    "words",
    [
        "device import {} --sync",
        "device list --file {}",
        "pending rules add v --file {}",
    ],
)
def test_a_file_beyond_the_bound_is_refused_with_its_cure(
    tmp_path: Path, words: str
) -> None:
    big = tmp_path / "big.csv"
    with big.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    line = words.format(big).split()
    done = CliRunner().invoke(main.app, [*line, "--state", str(tmp_path / "state")])
    assert done.exit_code == 2, done.output
    assert f"larger than {MAX_FILE_BYTES // 2**20} MiB" in done.stderr
    assert "split the file" in done.stderr
