"""``make bench``: which measures are run, in which order, and what is said of them."""

import importlib.util

import pytest
from bench.all import (
    BY_NAME,
    COSTS,
    CURES,
    MEASURES,
    ROOT,
    Chosen,
    Measure,
    Outcome,
    choose,
    commands,
    status,
    summary,
)

from linekey.errors import InputError


def names(chosen: Chosen) -> list[str]:
    return [measure.name for measure in chosen.measures]


def test_without_a_name_all_are_run() -> None:
    chosen = choose([])
    assert chosen.measures == MEASURES
    assert (chosen.quick, chosen.write, chosen.options) == (False, True, ())


def test_costs_are_measured_before_the_avalanche_that_is_compared_with_them() -> None:
    assert names(choose(["avalanche", "plan"])) == ["plan", "avalanche"]


def test_a_measures_own_options_follow_its_name() -> None:
    chosen = choose(["--no-write", "avalanche", "--phones", "1000"])
    assert names(chosen) == ["avalanche"]
    (words,) = commands(BY_NAME["avalanche"], chosen, costs=True)
    assert words == [
        "-m", "bench.avalanche", "--measured", COSTS, "--no-write", "--phones", "1000",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [["--rounds", "2"], ["servers", "load", "--rounds"]])
def test_an_option_of_one_measure_is_not_given_to_several(words: list[str]) -> None:
    with pytest.raises(InputError) as raised:
        choose(words)
    assert "--rounds" in raised.value.message
    assert "servers --rounds" in (raised.value.hint or "")


def test_an_unknown_measure_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InputError) as raised:
        choose(["nginx"])
    assert "'nginx'" in raised.value.message
    assert all(name in (raised.value.hint or "") for name in BY_NAME)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
def test_each_is_a_program_of_its_own(measure: Measure) -> None:
    for words in commands(measure, choose([])):
        assert "--no-write" not in words
        if words[0] == "-m":
            assert importlib.util.find_spec(words[1]) is not None


def test_a_quick_one_writes_no_page() -> None:
    chosen = choose(["--quick"])
    for measure in chosen.measures:
        first, *_ = commands(measure, chosen)
        assert ("--no-write" in first) == bool(measure.page)
        assert COSTS not in first  # what others use is measured in full


def test_pages_that_are_written_are_there() -> None:
    for measure in MEASURES:
        assert (ROOT / "docs" / "explanation" / measure.page).exists()


def test_a_page_is_left_as_it_is_where_a_program_beside_is_missing() -> None:
    (words,) = commands(BY_NAME["load"], choose([]), missing=["sipp"])
    assert "--no-write" in words


def test_every_program_that_can_be_missing_has_a_cure() -> None:
    for measure in MEASURES:
        assert {*measure.needs, *measure.beside} <= set(CURES)


def test_all_that_is_measured_is_told_with_its_page() -> None:
    outcomes = [Outcome(BY_NAME["servers"], 61.4), Outcome(BY_NAME["plan"], 9)]
    assert summary(outcomes, write=True).split("\n") == [
        "servers        measured    61 s docs/explanation/performance.md",
        "plan           measured     9 s",
    ]
    assert "performance.md" not in summary(outcomes, write=False)
    assert status(outcomes) == 0


def test_what_failed_and_what_is_missing_is_told_and_the_others_too() -> None:
    outcomes = [
        Outcome(BY_NAME["servers"], 61.4),
        Outcome(BY_NAME["avalanche"], 30, exit_code=1),
        Outcome(BY_NAME["resumption"], missing=("haproxy",)),
        Outcome(BY_NAME["load"], 16, missing=("sipp",)),
    ]
    assert not outcomes[2].was_run
    assert outcomes[3].was_run
    lines = summary(outcomes, write=True).split("\n")
    assert lines[1].split() == "avalanche failed 30 s exit status 1, see above".split()
    assert lines[2] == "resumption     not run          haproxy is missing: make peers"
    assert lines[3].startswith("load           in part     16 s sipp is missing: SIPp")
    assert lines[3].endswith("its page was left as it is")
    assert status(outcomes) == 3
    assert status(outcomes[:2]) == 1
