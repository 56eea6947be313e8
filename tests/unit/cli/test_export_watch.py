"""Following the registry: what is written, told and put on record, and what is not."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import linekey.cli.export_watch as watch
from linekey.cli.export_watch import Follower, usual_reload
from linekey.errors import InputError, LinekeyError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.exported import Exported, note_export, read_exports
from linekey.store.paths import StateDir

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with an export that is older than its registry."""
    monkeypatch.setattr(watch, "QUIET_S", 0.0)
    root = tmp_path / "state"
    with open_database(StateDir.open(root)) as database:
        phone = Device(Mac("000413000001"), "snom", model="D785", version=0)
        Devices(database).add(phone, NOW)
    note_export(root, Exported("nginx", "/etc/x", {}, "true", 0, ""))
    return root


def follow(state: Path, write: watch.Write, looks: int) -> None:
    """Look so often, then stop."""
    follower = Follower(state, write)
    left = looks

    def wait(_: float | None = None) -> bool:
        nonlocal left
        left -= 1
        if left <= 0:
            follower.stop.set()
        return follower.stop.is_set()

    follower.stop.wait = wait  # type: ignore[method-assign]
    follower.run()


def test_what_was_written_is_on_record_and_told(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[str] = []

    def write(database: Database, one: Exported) -> bool:
        written.append(one.folder)
        return True

    follow(state, write, 3)
    assert written == ["/etc/x"], "once for one change"
    assert read_exports(state)[0].revision > 0
    told = capsys.readouterr().err
    assert "following the registry: /etc/x for nginx" in told
    assert "written and read by nginx" in told


def test_what_could_not_be_written_stays_on_record_as_it_was_and_is_told_once(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[str] = []

    def write(database: Database, one: Exported) -> bool:
        tried.append(one.folder)
        raise InputError("no vendor CA is trusted", hint="trust one")

    follow(state, write, 4)
    assert tried == ["/etc/x"]
    assert read_exports(state)[0].revision == 0
    assert capsys.readouterr().err.count("no vendor CA is trusted") == 1


def test_without_an_export_there_is_nothing_to_follow(tmp_path: Path) -> None:
    open_database(StateDir.open(tmp_path)).close()
    with pytest.raises(LinekeyError, match="nothing was exported"):
        Follower(tmp_path, lambda *_: False).run()


def test_kamailio_reads_its_files_without_a_restart() -> None:
    assert usual_reload("kamailio", "/etc/k")[-1].endswith("htable.reload phones")
    assert usual_reload("nginx", "/etc/n") == (
        "systemctl reload-or-restart linekey-nginx",
    )
