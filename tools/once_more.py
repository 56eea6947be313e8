"""Run the tests that failed once more, one after the other: ``make test`` with CI=true.

Live tests start other programs, twice as many at once as the machine has cores. One of
11,000 that waits too short a time there should not keep a change from landing, as it
did; one that fails alone, too, does. CPython's own test runner does the same. What
failed at first is named, so that it can be looked at.

Exit status: that of the second run; 1 without one, where more than ``MOST`` failed.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
MOST = 3
"""More than so many are no accident."""


def names_of(text: str) -> list[str]:
    """Return the tests that pytest wrote down as failed, in order."""
    found = json.loads(text)
    return sorted(found) if isinstance(found, dict) else []


def main() -> int:
    """See the module."""
    names = names_of(FAILED.read_text()) if FAILED.is_file() else []
    if not names or len(names) > MOST:
        print(f"{len(names)} tests are on record as failed: no second run")
        return 1
    print("\nThese failed beside all others, and are run once more alone:")
    for name in names:
        print(f"  {name}")
    sys.stdout.flush()
    again = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *names]
    return subprocess.run(again, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
