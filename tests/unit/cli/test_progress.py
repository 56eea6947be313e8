"""The bar for what takes long: where it is shown, and that no result goes its way."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from tests.certificates import authority, ca, leaf
from typer.testing import CliRunner

from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.pem import to_pem
from linekey.cli import progress as module
from linekey.cli.main import app
from linekey.cli.output import emit_line
from linekey.cli.progress import progress
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.store.devices import Devices
from linekey.store.opening import open_store
from linekey.store.vendor_cas import VendorCas, describe_ca


def shown(
    monkeypatch: pytest.MonkeyPatch,
    *,
    terminal: bool = True,
    after_s: float = 0.0,
    total: int | None = 1000,
    wanted: bool = True,
) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=80)
    monkeypatch.setattr(module, "err_console", console)
    monkeypatch.setattr(module, "_AFTER_S", after_s)
    with progress("importing", total, shown=wanted) as seen:
        seen(500)
        seen(500)
        emit_line("a row of the result")
        if after_s == 0.0:
            until = time.monotonic() + 5
            while terminal and wanted and not text.getvalue():
                assert time.monotonic() < until
                time.sleep(0.001)
        emit_line("another row")
    return text.getvalue()


def test_what_takes_long_has_a_bar_at_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bar = shown(monkeypatch)
    assert "importing" in bar
    assert "1000/1000" in bar
    assert shown(monkeypatch, after_s=1000.0) == "", "nothing that is quick"
    assert shown(monkeypatch, terminal=False) == ""
    assert shown(monkeypatch, wanted=False) == ""


def test_what_is_not_counted_has_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0:00:00" in shown(monkeypatch, total=None)


def test_no_colour_is_shown_where_it_is_not_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "\x1b[38" in shown(monkeypatch) or "\x1b[9" in shown(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    bar = shown(monkeypatch)
    assert "importing" in bar
    assert "\x1b[38" not in bar
    assert "\x1b[9" not in bar


def test_results_stay_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = shown(monkeypatch)
    assert capsys.readouterr().out == "a row of the result\nanother row\n"
    assert "row" not in bar


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a phone and a CA; each verb works on the same one."""
    state, at = tmp_path_factory.mktemp("progress") / "state", datetime.now(UTC)
    own = OperatorRule(TrustRule.CN_MAC)
    with open_store(state) as database:
        Devices(database).add(Device(Mac("000413AABBCC"), "snom", "D785"), at)
        VendorCas(database).add([describe_ca(authority().certificate, at, own)])
    return state


@pytest.mark.parametrize(
    ("verb", "words", "said"),
    [
        ("device_selection", "device set 000413AABBCC --dry-run --set language=English", ["change 1"]),
        ("device_tables", "device export -o {out}", ["exporting 1"]),
        ("device", "device list --json", ["listing None"]),
        ("log", "log", ["reading the log None"]),
        ("log", "log prune --older-than 1d", ["deleting None"]),
        ("backup", "backup {out}", ["copying None"]),
        ("forecast", "forecast --html {out}", ["looking ahead None"]),
        (
            "checking", "check --fleet --chain {chain} --name a.example.com",
            ["reading the registry None", "judging None"],
        ),
        ("exporting", "export nginx --name a.example.com",
         ["reading the registry None", "exporting None"]),
        ("device_tables", "device import {table} --dry-run", ["importing 1"]),
    ],
)  # fmt: skip
def test_every_verb_that_takes_long_for_many_phones_has_one(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    registry: Path,
    verb: str,
    words: str,
    said: list[str],
) -> None:
    begun: list[str] = []

    @contextmanager
    def told(
        what: str, total: int | None = None, *, shown: bool = True
    ) -> Iterator[Callable[[int], None]]:
        begun.append(f"{what} {total}")
        seen = 0

        def count(more: int) -> None:
            nonlocal seen
            seen += more

        yield count
        if total is not None:
            assert seen >= total, "all of them are told"

    monkeypatch.setattr(f"linekey.cli.{verb}.progress", told)
    table, chain = tmp_path / "table.csv", tmp_path / "chain.pem"
    table.write_text("mac,model\n000413AABBCD,D785\n")
    chain.write_text(to_pem(leaf(ca("ours"), "a.example.com")))
    line = words.format(table=table, out=tmp_path / "out", chain=chain)
    result = CliRunner().invoke(app, [*line.split(), "--state", str(registry)])
    assert result.exit_code in (0, 1), result.output
    assert begun == said
