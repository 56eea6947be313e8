"""What a shell is offered: asked as the shells ask."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.store.database import open_database
from linekey.store.devices import Devices
from linekey.store.glance import MOST, names_beginning
from linekey.store.paths import StateDir
from linekey.store.tokens import ApiTokens, Scope

NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("state")
    with open_database(StateDir.open(root)) as database:
        devices = Devices(database)
        for number in range(MOST + 5):
            devices.add(Device(mac=Mac(f"000413AA{number:04X}"), vendor="snom"), NOW)
        devices.add(Device(mac=Mac("000413BB0001"), vendor="snom"), NOW)
        ApiTokens(database).add("pbx", Scope.READ, None, NOW)
    (root / "phones" / "000413CC0001").mkdir(parents=True)
    return root


def offered(words: str, state: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from linekey.cli.main import main; main()"],
        env={
            **os.environ,
            "LINEKEY_STATE": str(state),
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
            "_LINEKEY_COMPLETE": "complete_bash",
        },
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("linekey dev", ["device"]),
        ("linekey device exp", ["export"]),
        ("linekey device list --js", ["--json"]),
        ("linekey token add x --scope r", ["read"]),
        ("linekey models d78", ["D785"]),
        ("linekey device add 000413AABBCC --model D78", ["D785"]),
        ("linekey export ngi", ["nginx"]),
        ("linekey trust add x.pem --vendor sno", ["snom"]),
        ("linekey test-servers expired-", ["expired-sip"]),
        ("linekey layer show fl", ["fleet"]),
        ("linekey layer show model:D78", ["model:D785"]),
        ("linekey layer show device:000413b", ["device:000413BB0001"]),
        ("linekey device show 000413B", ["000413BB0001"]),
        ("linekey log --mac 000413b", ["000413BB0001"]),
        ("linekey phone show 0004", ["000413CC0001"]),
        ("linekey token revoke p", ["pbx"]),
        ("linekey token add p", []),
        ("linekey zoo expired-", ["expired-sip"]),
        ("linekey nonsense x", []),
    ],
)
def test_a_word_is_completed(state: Path, words: str, found: list[str]) -> None:
    assert offered(words, state) == found


def test_no_more_names_are_offered_than_one_reads(state: Path) -> None:
    assert len(names_beginning(state, "MAC", "000413AA")) == MOST


def test_a_name_is_no_pattern(state: Path) -> None:
    assert names_beginning(state, "MAC", "%BB") == []
    assert names_beginning(state, "MAC", "000413__0001") == []


def test_where_nothing_is_nothing_is_made(tmp_path: Path) -> None:
    assert offered("linekey device show 00", tmp_path / "none") == []
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "linekey.db").write_bytes(b"no database")
    assert names_beginning(tmp_path, "MAC", "") == []
