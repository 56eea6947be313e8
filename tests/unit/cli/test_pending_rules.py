from pathlib import Path

import pytest
from tests.unit.cli.test_pending import A, B, C, run, said, state

__all__ = ["state"]  # the fixture

NAME = ("pending", "rules")


def test_a_rule_is_added_shown_replaced_and_removed(
    state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "delivery.csv"
    file.write_text(f"mac;box\n{A};1\n{B};1\n000413AA0000-000413AA00FF;2\n")
    words = ("add", "Van-1", "--file", str(file), "--model", "D785", "--label", "new")
    made = said(state, *NAME, *words)
    assert made == {
        "name": "van-1", "count": 258, "label": "new", "group": None, "model": "D785",
        "vendor": "snom", "ask": False,
        "macs": ["000413AA0000-000413AA00FF", f"{A}-{B}"],
    }  # fmt: skip
    assert "--replace" in run(state, *NAME, *words, code=2).stderr
    told = run(state, *NAME, "add", "van-1", str(A), "--replace", "--ask")
    assert "1 phone that is pending fits it" in told.stderr
    assert "asks" in run(state, *NAME, "list").stdout
    assert str(A) in run(state, *NAME, "show", "van-1").stdout
    run(state, *NAME, "remove", "van-1")
    assert said(state, *NAME, "list") == []


def test_what_a_rule_says_is_the_records(state: Path) -> None:
    run(state, "group", "add", "acme")
    words = ("--group", "acme", "--label", "from the van", "--model", "D715")
    run(state, *NAME, "add", "van", f"{A}-{B}", *words)
    assert len(said(state, "pending", "list", "--for-group", "acme")) == 2
    run(state, "pending", "approve", "--for-group", "acme", "--yes")
    found = said(state, "device", "list")
    assert {(d["group"], d["label"], d["model"]) for d in found} == {
        ("acme", "from the van", "D715")
    }


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "van"), "speaks of no phone"),
        (("add", "v an", str(A)), "not a rule's name"),
        (("add", "van", f"{C}-{A}"), "ends before it begins"),
        (("add", "van", "<b>"), "not a MAC"),
        (("add", "van", str(A), "--group", "nobody"), "no group"),
        (("add", "van", str(A), "--model", "D999"), "D999"),
        (("add", "van", str(A), "--vendor", "snoom"), "snom"),
        (("add", "van", "--file", "/nowhere/x"), "cannot read"),
        (("show", "nobody"), "no rule"),
        (("remove", "nobody"), "no rule"),
    ],
)
def test_bad_input_is_told(state: Path, words: tuple[str, ...], why: str) -> None:
    assert why in run(state, *NAME, *words, code=2).stderr
    assert said(state, *NAME, "list") == []


def test_a_file_that_is_no_list_is_told_with_its_line(
    state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "x"
    for data, why in ((b"\x7fELF\x02\x00", "x:1:"), (b"# no\n", "names no MAC"),
                      (f"{A}\n{B} {A}\n".encode(), "x:2:")):  # fmt: skip
        file.write_bytes(data)
        assert why in run(state, *NAME, "add", "v", "--file", str(file), code=2).stderr


def test_two_rules_cannot_speak_of_one_phone(state: Path) -> None:
    run(state, *NAME, "add", "one", f"{A}-{B}")
    assert (
        "'one' speaks of" in run(state, *NAME, "add", "two", f"{B}-{C}", code=2).stderr
    )
