"""The path that a phone builds is the one that its line of OpenSSL builds.

The referees are the lines themselves: each verifies thousands of generated chains, in
one process, over real handshakes with itself.
"""

import os
from collections import Counter
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.live.line_cases import DAY, GOOD, NAME, TODAY, Case, cases, key
from tests.live.openssl_lines import verdicts_on

from linekey.certs.build import Issuer, issue
from linekey.certs.dn import Name
from linekey.certs.lines import Line, issues, prove_as
from linekey.trust.paths import find_path
from linekey.trust.store import TrustStore
from linekey.trust.validity import look_at_dates

LINES: tuple[tuple[str, Line], ...] = (
    ("1.0.1u", "1.0.1"),
    ("1.0.2s", "1.0.2"),
    ("1.1.1k", "1.1.1"),
)
CASES = int(os.environ.get("LINEKEY_PATH_CASES", "2000"))


@cache
def drawn() -> tuple[Case, ...]:
    return tuple(cases(CASES + CASES // 2, seed=2021_09_30))


def tried_by(version: str) -> tuple[Case, ...]:
    """``CASES`` of those drawn, without what a line cannot be asked.

    1.1.1k never comes back from some lists with a self-issued certificate that may not
    sign certificates (seen: it takes all of the processor, for ever).
    """
    askable = [
        case
        for case in drawn()
        if version != "1.1.1k"
        or all(issues(a, a) for a in case.anchors if a.self_issued)
    ]
    return tuple(askable[:CASES])


async def verdicts_of(version: str, tried: tuple[Case, ...], folder: Path) -> list[str]:
    """What a line says of each case: ``accepted``, or OpenSSL's word."""
    chains = [
        ([c.der for c in (case.leaf, *case.sent)], [c.der for c in case.anchors])
        for case in tried
    ]
    return await verdicts_on(version, chains, folder, key("leaf"))


def says(line: Line, case: Case) -> tuple[bool, list[str]]:
    result = prove_as(
        line, case.leaf, case.sent, case.anchors, at=TODAY, purpose="server"
    )
    return result.ok, [p.name for p in result.problems]


@pytest.mark.parametrize(
    ("version", "line"),
    [pytest.param(v, n, marks=pytest.mark.peer(f"OpenSSL {v}")) for v, n in LINES],
)
async def test_each_generated_chain_gets_the_verdict_of_its_line(
    version: str, line: Line, tmp_path: Path, record_property: Any, record_interop: Any
) -> None:
    tried = tried_by(version)
    verdicts = await verdicts_of(version, tried, tmp_path)
    assert len(verdicts) == len(tried) == CASES
    differing = []
    words: Counter[str] = Counter()
    for case, verdict in zip(tried, verdicts, strict=True):
        words[verdict] += 1
        ok, problems = says(line, case)
        if all(a.self_issued for a in case.anchors):
            # The judge's own choice differs in one thing: any anchor may end a path.
            store = TrustStore(authorities=case.anchors)
            chain = (case.leaf, *case.sent)
            assert find_path(chain, store, TODAY, line=line).ok is ok, case
        if ok is not (verdict == "accepted"):
            differing.append((verdict, problems, case))
    assert not differing, f"{len(differing)} of {CASES}: {differing[:3]}"
    # The cases are of use: neither verdict is rare, and many reasons were met.
    assert CASES * 0.08 < words["accepted"] < CASES * 0.9, words
    assert len(words) >= 6, words
    record_property("counted", f"{CASES:,} chains judged as OpenSSL {version}: {words}")
    record_interop(f"OpenSSL {version}", "verdict on each of 2,000 generated chains")


@pytest.mark.parametrize("line", ["0.9.8", "1.0.0"])
def test_lines_that_are_no_program_differ_from_1_0_1_by_alternatives_alone(
    line: Line,
) -> None:
    """Nothing but the rule that is said of them (L): they refuse what needs another."""
    differing = 0
    for case in drawn()[:CASES]:
        ok, _ = says(line, case)
        newer, _ = says("1.0.1", case)
        assert newer or not ok
        differing += ok is not newer
    assert differing


@pytest.mark.peer("faketime")
@pytest.mark.parametrize(
    ("version", "line"),
    [pytest.param(v, n, marks=pytest.mark.peer(f"OpenSSL {v}")) for v, n in LINES],
)
async def test_the_second_in_which_a_certificate_ends_is_over(
    version: str, line: Line, tmp_path: Path
) -> None:
    root, own = Name.build([("CN", "root")]), key("leaf")
    above = Issuer(
        issue(
            root, key("O"), None, serial=1, not_before=GOOD[0], not_after=GOOD[1],
            ca=True,
        ),
        key("O"),
    )  # fmt: skip
    leaf = issue(
        Name.build([("CN", NAME)]), own, above, serial=2, dns_names=(NAME,),
        not_before=TODAY - DAY, not_after=TODAY + DAY,
    )  # fmt: skip
    anchors = (above.certificate,)
    tick = timedelta(seconds=1)
    for at in (
        TODAY - DAY - tick, TODAY - DAY, TODAY + DAY - tick, TODAY + DAY,
        TODAY + DAY + tick,
    ):  # fmt: skip
        (said,) = await verdicts_on(
            version, [([leaf.der], [a.der for a in anchors])], tmp_path, own, at=at
        )
        ours = prove_as(line, leaf, (), anchors, at=at, purpose="server")
        assert ours.ok is (said == "accepted"), (at, said)
        dates = look_at_dates((leaf, *anchors), at, line=line)
        assert any(f.refuses for f in dates) is not ours.ok, (at, dates)
