"""``linekey plan --measure``: a real server is measured, and its file is fit to plan with.

Nothing is said of how large the numbers are: a test is never timed. They are above 0,
a resumed session costs less than a whole handshake, and rows have a plausible size.
"""

from pathlib import Path

from linekey.lab.measure import measure
from linekey.plan.capacity import Fleet, make_plan
from linekey.plan.costs import Costs


def test_this_machine_is_measured(tmp_path: Path) -> None:
    costs = measure(requests=150)
    path = tmp_path / "costs.json"
    path.write_text(costs.as_json())
    assert Costs.parse(path.read_text(), str(path)) == costs
    assert costs.resumed_ms < costs.whole_ms
    assert costs.resumed_ms < costs.first_ms
    assert 10 < costs.worker_mib < 1000
    assert 1 <= costs.idle_kib < 1000
    assert 100 < costs.decision_bytes < 5_000
    assert 100 < costs.phone_bytes < 10_000
    plan = make_plan(costs, Fleet(1_000, 60.0, cores=2))
    assert plan.servers >= 2
