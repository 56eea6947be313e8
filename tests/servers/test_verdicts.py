"""Each test server gets the verdict that is written down: by the check, and by the phone."""

import pytest
from tests.servers.visits import (
    agree,
    built_in,
    check,
    classes_for,
    kind_of,
    told,
    visit,
)

from linekey.catalog.matrix import ROWS
from linekey.catalog.models import Generation, find_model
from linekey.catalog.profile import all_profiles
from linekey.check.classes import hellos_of
from linekey.lab.authority import LabAuthority
from linekey.lab.servers.catalogue import CASES
from linekey.lab.servers.certificates import MAKERS
from linekey.lab.servers.kinds import KINDS, Case
from linekey.lab.servers.programs import PROGRAMS
from linekey.lab.servers.running import Launcher, Running

UNSPEAKABLE = {"old-3des", "old-rc4"}
"""What they pick no engine speaks, the virtual phone's neither: the check alone, which
needs no engine for it, is held to their verdicts."""


def cases() -> list[object]:
    return [
        pytest.param(
            case,
            id=case.name,
            marks=[] if case.talk else [pytest.mark.peer(case.program)],
        )
        for case in CASES
    ]


async def checked(
    running: Running, launcher: Launcher, lab: LabAuthority
) -> dict[str, str]:
    """The check's verdict by kind: all classes, with the phones' own certificates."""
    case = running.case
    found: dict[str, set[str]] = {}
    for strict in (False, True):
        kinds = [k for k in KINDS.values() if k.authenticates is strict]
        classes = classes_for(kinds, case.called, launcher.root)
        for generation in list(Generation) if case.asks else [None]:
            asked = tuple(
                c
                for c in classes
                if generation in (None, c.first.profile.builtin_generation)
            )
            if not asked:
                continue
            shown = None if generation is None else built_in(lab, generation)[0]
            report = await check(running, asked, shown, launcher.known)
            if shown is None:
                # each hello once and at most five variants; a control of eight
                hellos = hellos_of(asked)
                assert report.connections <= 6 * len(hellos) + 8
            for phones, result in zip(asked, report.classes, strict=True):
                found.setdefault(kind_of(phones, strict), set()).add(told(result))
    assert all(len(verdicts) == 1 for verdicts in found.values()), found
    return {kind: verdicts.pop() for kind, verdicts in found.items()}


@pytest.mark.parametrize("case", cases())
@pytest.mark.usefixtures("test_names")
async def test_check_and_virtual_phone_come_to_the_verdict_that_is_written_down(
    case: Case, launcher: Launcher, lab: LabAuthority
) -> None:
    async with launcher.started(case) as running:
        assert await checked(running, launcher, lab) == case.expected
        if case.name in UNSPEAKABLE:
            return
        for name, kind in KINDS.items():
            met = await visit(running, kind, launcher.root, lab)
            expected = case.expected[name]
            assert agree(expected, met.verdict), (name, expected, met.verdict)
            unknown = {entry.certificate for entry in met.state.trust.unknown}
            refused_chain = met.verdict.startswith("phone: ")
            assert (running.shown.chain[0] in unknown) is refused_chain, name
            if refused_chain:
                rules = met.verdict.removeprefix("phone: ").split()
                log = " ".join(d for e in met.state.log for d in (e.text, *e.details))
                assert all(rule in log for rule in rules), (rules, log)


def test_every_row_of_the_matrix_is_of_one_kind() -> None:
    rows = sorted(row for k in KINDS.values() if not k.authenticates for row in k.rows)
    assert rows == sorted({p.match.row.id for p in all_profiles()})
    assert {row.id for row in ROWS} >= set(rows)
    for kind in KINDS.values():
        model, firmware = kind.phone
        assert any(
            p.model is find_model(model)
            and str(p.firmware) == firmware
            and p.match.row.id in kind.rows
            for p in all_profiles()
        ), kind


def test_every_server_is_told_fully() -> None:
    assert len(CASES) >= 40
    assert len({a.name for a in CASES}) == len(CASES)
    for case in CASES:
        assert set(case.expected) == set(KINDS), case.name
        assert case.sentence.endswith("."), case.name
        assert case.certificate in MAKERS
        assert (case.program == "linekey") is bool(case.talk)
    assert {a.program for a in CASES} == {*PROGRAMS, "linekey"}
    assert {a.certificate for a in CASES} == set(MAKERS)
