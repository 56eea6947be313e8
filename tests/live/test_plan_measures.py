"""``linekey plan --measure``: a real server is measured, and its file is fit to plan with.

Nothing is said of how large the numbers are: a test is never timed. They are above 0,
a resumed session costs less than a whole handshake, and rows have a plausible size.
"""

import re
from pathlib import Path

import pytest

from linekey.lab.measure import measure
from linekey.plan.capacity import Fleet, make_plan
from linekey.plan.costs import Costs

YEAR = Path(__file__).parents[2] / "docs" / "explanation" / "size-of-a-year.md"


def test_this_machine_is_measured(tmp_path: Path) -> None:
    costs = measure(requests=150)
    path = tmp_path / "costs.json"
    path.write_text(costs.as_json())
    assert Costs.parse(path.read_text(), str(path)) == costs
    assert costs.resumed_ms < costs.whole_ms
    assert costs.resumed_ms < costs.first_ms
    assert 10 < costs.worker_mib < 1000
    assert 1 <= costs.idle_kib < 1000
    # Bytes are no times: they are those of docs/explanation/size-of-a-year.md, whose
    # rows are written the same way.
    decision, phone = re.findall(
        r"^\| a (?:decision|registered phone) \| (\d+)",
        YEAR.read_text("utf-8"),
        re.MULTILINE,
    )
    assert costs.decision_bytes == pytest.approx(int(decision), rel=0.15)
    assert costs.phone_bytes == pytest.approx(int(phone), rel=0.15)
    plan = make_plan(costs, Fleet(1_000, 60.0, cores=2))
    assert plan.servers >= 2
