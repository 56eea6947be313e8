"""What a service manager gives, and the datagrams it gets."""

import logging
import socket
from pathlib import Path

import pytest

from linekey.errors import InputError
from linekey.wire.service_manager import ServiceManager, status

PID = 4711


def test_its_variables_are_taken_out_of_the_environment() -> None:
    environment = {
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(PID),
        "PATH": "/bin",
    }
    manager = ServiceManager.take(environment, PID)
    assert manager
    assert (manager.address, manager.watchdog_s) == ("/run/systemd/notify", 30.0)
    assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("given", "watchdog_s"),
    [
        ({"NOTIFY_SOCKET": "@abstract"}, None),
        ({"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "500000"}, 0.5),
        ({"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "nonsense"}, None),
        ({"WATCHDOG_USEC": "30000000"}, None),  # to whom should it be told?
        ({}, None),
    ],
)
def test_there_is_a_watchdog_where_it_is_meant_for_us(
    given: dict[str, str], watchdog_s: float | None
) -> None:
    manager = ServiceManager.take(dict(given), PID)
    assert bool(manager) is bool(given.get("NOTIFY_SOCKET"))
    assert manager.watchdog_s == watchdog_s


@pytest.mark.parametrize("period", ["nonsense", "-1", "0", "1.5", "٣"])
def test_a_period_that_is_none_is_refused(period: str) -> None:
    with pytest.raises(InputError) as refused:
        ServiceManager.take({"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": period}, PID)
    assert "WatchdogSec" in refused.value.hint


@pytest.mark.parametrize("address", ["vsock:2:1", "relative/path", " /s"])
def test_an_address_that_is_no_unix_socket_is_refused(address: str) -> None:
    with pytest.raises(InputError) as refused:
        ServiceManager.take({"NOTIFY_SOCKET": address}, PID)
    assert repr(address) in refused.value.message


@pytest.mark.parametrize("kind", ["a path", "an abstract name"])
def test_a_message_is_one_datagram(kind: str, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    if kind != "a path":
        address = f"@linekey-test{address}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(address.replace("@", "\0"))
        heard.settimeout(10)
        assert ServiceManager(address).tell("READY=1", status("serving:\n 2  workers"))
        assert heard.recv(4096) == b"READY=1\nSTATUS=serving: 2 workers"


def test_a_status_is_one_line_that_systemd_takes() -> None:
    line = status("ü" * 3000)
    assert len(line.encode()) <= 2_000 + len("STATUS=")
    assert line.endswith("ü")


def test_without_a_service_manager_nothing_is_to_be_told() -> None:
    assert ServiceManager().tell("READY=1")


def test_one_that_is_not_there_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager = ServiceManager(str(tmp_path / "nobody"))
    with caplog.at_level(logging.WARNING):
        assert not manager.tell("READY=1")
        assert not manager.tell("READY=1")
    assert [r.getMessage() for r in caplog.records] == [
        "cannot tell the service manager: no such file or directory"
    ]


def test_nobody_waits_for_one_that_does_not_read(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(address)
        manager = ServiceManager(address)
        told = [manager.tell("WATCHDOG=1") for _ in range(5_000)]
    assert told[0]
    assert not told[-1]
