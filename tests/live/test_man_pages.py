"""The manual pages are what man and mandoc expect."""

import subprocess
from pathlib import Path

import pytest

from linekey.cli.main import VERBS

PAGES = sorted((Path(__file__).parents[2] / "docs" / "man").glob("*.1"))


def test_there_is_a_page_for_each_verb() -> None:
    assert {p.stem for p in PAGES} == {"linekey", *(f"linekey-{v}" for v in VERBS)}


@pytest.mark.peer("man")
def test_man_renders_them_without_a_warning() -> None:
    done = subprocess.run(
        ["man", "--warnings", "-l", *PAGES],
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    for wanted in (
        "LINEKEY-DEVICE(1)",
        "linekey device add MAC [OPTIONS]",
        "--model MODEL",
    ):
        assert wanted in done.stdout
    assert "\\f" not in done.stdout


@pytest.mark.peer("mandoc")
def test_mandoc_finds_nothing_but_the_missing_date() -> None:
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", *PAGES],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    left = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert left == []
