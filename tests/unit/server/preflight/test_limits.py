"""What is said of too few descriptors, and when it keeps the server from starting."""

import pytest

from linekey.server.preflight.limits import check_descriptors
from linekey.settings import parse_settings
from linekey.wire.descriptors import RESERVE


@pytest.mark.parametrize(
    ("hard", "severity"),
    [
        (10_000 + RESERVE, None),
        (1 << 30, None),
        (10_000 + RESERVE - 1, "warning"),
        (1024, "warning"),
        (512 + RESERVE, "warning"),
        (512 + RESERVE - 1, "refused"),
        (256, "refused"),
    ],
)
def test_the_hard_limit_is_held_against_the_settings(
    hard: int, severity: str | None
) -> None:
    found = list(check_descriptors(parse_settings(), hard))
    assert [f.severity for f in found] == ([] if severity is None else [severity])
    for finding in found:
        assert str(hard) in finding.message
        assert "LimitNOFILE=10192" in finding.cure


def test_few_connections_need_few() -> None:
    settings = parse_settings(options={"limits.connections": 50})
    assert list(check_descriptors(settings, 50 + RESERVE)) == []
