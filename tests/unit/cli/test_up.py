"""How ``linekey up`` ends: in order, whenever it is told to, wherever it was started."""

import asyncio
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from linekey.cli.up import _run, _tell_addresses


class Stage:
    """A stage whose phone never gets done, unless it is told a status."""

    def __init__(self, *, status: str | None = None, upon: str = "") -> None:
        self.status = status
        self.upon = upon
        self.left = False
        self.reported = False
        self.phone = self

    def reached(self, point: str) -> None:
        if point == self.upon:
            os.kill(os.getpid(), signal.SIGINT)

    async def __aenter__(self) -> Self:
        self.reached("start")
        return self

    async def __aexit__(self, *_: Any) -> None:
        await asyncio.sleep(0)
        self.left = True

    async def power_on(self) -> None:
        self.reached("power on")

    async def registered(self) -> None:
        self.reached("registered")

    def keep_report(self) -> None:
        self.reported = True

    async def round_ended(self) -> Any:
        self.reached("round")
        if self.status is None:
            await asyncio.get_running_loop().create_future()
        return SimpleNamespace(status=SimpleNamespace(value=self.status))


@pytest.mark.parametrize("point", ["start", "power on", "round"])
@pytest.mark.parametrize("once", [True, False])
def test_a_signal_at_any_point_ends_it_in_order(point: str, once: bool) -> None:
    stage = Stage(upon=point)
    assert asyncio.run(_run(stage, once=once, quiet=True)) is None
    assert stage.left


def test_a_signal_counts_where_a_shell_had_it_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        stage = Stage(upon="round")
        assert asyncio.run(_run(stage, once=False, quiet=True)) is None
        assert stage.left
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("status", "good"), [("provisioned", True), ("refused", False)]
)
def test_once_tells_whether_the_phone_got_its_configuration(
    status: str, good: bool
) -> None:
    stage = Stage(status=status)
    assert asyncio.run(_run(stage, once=True, quiet=True)) is good
    assert stage.reported
    assert stage.left


@pytest.mark.parametrize("unregistered", [False, True])
def test_the_commands_that_are_shown_name_the_state_folder(
    unregistered: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage: Any = SimpleNamespace(
        server=SimpleNamespace(status_url="s", api_url="a", url="u", console_url="c"),
        log_in_link="l", unregistered=unregistered, has_snoms=True,
        cast=SimpleNamespace(mac="000413AABBCC"), phone_url="p", menu_url="m", registrar=SimpleNamespace(port=1),
        lab=SimpleNamespace(server_root_path="r"), state=SimpleNamespace(root=tmp_path),
    )  # fmt: skip
    _tell_addresses(stage)
    shown = [w for w in capsys.readouterr().err.splitlines() if "linekey " in w]
    assert len(shown) == (8 if unregistered else 5)
    assert all(f"--state {tmp_path}" in line for line in shown)
