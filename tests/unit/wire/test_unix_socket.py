"""The Unix socket behind a proxy: who may connect, and what becomes of its file."""

import grp
import os
import socket
import stat
from pathlib import Path

import pytest

from linekey.errors import InputError, LinekeyError
from linekey.wire.unix_socket import MAX_PATH_BYTES, address_of, unix_listener


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "linekey.sock"


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))


def test_owner_and_group_may_connect_and_nobody_else(path: Path) -> None:
    before = os.umask(0)
    try:
        with unix_listener(path) as listener:
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            connect(path)
            listener.accept()[0].close()
            assert address_of(listener) == (str(path), 0)
    finally:
        os.umask(before)
    assert not path.exists()


def test_the_group_is_the_one_that_was_named(path: Path) -> None:
    own = grp.getgrgid(os.getgid()).gr_name
    with unix_listener(path, group=own):
        assert path.stat().st_gid == os.getgid()
    if os.geteuid() == 0:
        other = next(g for g in grp.getgrall() if g.gr_gid != os.getgid())
        with unix_listener(path, group=other.gr_name):
            assert path.stat().st_gid == other.gr_gid


def test_a_group_that_is_not_there_is_an_error_and_leaves_nothing(path: Path) -> None:
    with (
        pytest.raises(InputError, match="no group is called 'no-such-group'"),
        unix_listener(path, group="no-such-group"),
    ):
        raise AssertionError
    assert not path.exists()


def test_a_socket_that_a_killed_process_left_is_taken_away(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    with unix_listener(path):
        connect(path)


def test_a_socket_that_another_process_serves_stays(path: Path) -> None:
    with (
        unix_listener(path),
        pytest.raises(LinekeyError, match="another process does"),
        unix_listener(path),
    ):
        raise AssertionError
    with unix_listener(path):
        inode = path.stat().st_ino
        with (
            pytest.raises(LinekeyError, match="another process does"),
            unix_listener(path),
        ):
            raise AssertionError
        assert path.stat().st_ino == inode
        connect(path)


def test_a_file_that_is_no_socket_stays(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(InputError, match="is no socket"), unix_listener(path):
        raise AssertionError
    assert path.read_text() == "precious"


def test_at_its_end_it_takes_away_its_own_file_only(path: Path) -> None:
    with unix_listener(path):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"
    path.unlink()
    with unix_listener(path):
        path.unlink()


@pytest.mark.parametrize("where", ["no/such/folder/x.sock", "x" * MAX_PATH_BYTES])
def test_a_path_that_cannot_be_had_is_an_error_with_a_cure(
    tmp_path: Path, where: str
) -> None:
    with pytest.raises(LinekeyError) as raised, unix_listener(tmp_path / where):
        raise AssertionError
    assert raised.value.hint
