"""How many descriptors connections may take, and what is kept back."""

import resource
import subprocess
import sys

from linekey.settings import LimitSettings
from linekey.wire.descriptors import (
    RESERVE,
    fitting,
    hard_limit,
    needed,
    raise_soft_limit,
    soft_limit,
)


def test_connections_never_get_the_last_descriptors() -> None:
    limits = LimitSettings(connections=1000)
    assert needed(limits) == 1000 + RESERVE
    assert fitting(limits, needed(limits)) is limits
    assert fitting(limits, needed(limits) - 1).connections == 999
    assert fitting(limits, 1024).connections == 1024 - RESERVE
    assert fitting(limits, 3).connections == 1


def test_the_soft_limit_is_raised_and_never_lowered() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))
        assert raise_soft_limit(400) == soft_limit() == 400
        assert raise_soft_limit(350) == 400
        assert hard_limit() > 400
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_than_the_hard_limit_is_not_to_be_had() -> None:
    program = (
        "import resource\n"
        "from linekey.wire.descriptors import hard_limit, raise_soft_limit\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))\n"
        "print(hard_limit(), raise_soft_limit(10_000))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )
    assert ran.stdout.split() == ["300", "300"], ran.stderr
