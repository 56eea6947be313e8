"""What the help of each command costs: CPU seconds of a process of its own.

    python -m bench.help [--runs 3]

CPU time, not time: what else the machine does hardly counts. The least of some runs is
printed; the first row is Python alone, to see how fast the machine is.
"""

import argparse
import os
import subprocess
import sys

from linekey.cli.main import VERBS

PROGRAM = ["-c", "from linekey.cli.main import main; main()"]


def cpu_s(*words: str) -> float:
    """CPU seconds of one Python process with these words."""
    before = os.times()
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (
        after.children_user
        - before.children_user
        + after.children_system
        - before.children_system
    )


def main() -> None:
    """Print a row a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    rows = {"(python alone)": ["-c", "pass"], "linekey": [*PROGRAM, "--help"]}
    rows |= {f"linekey {verb}": [*PROGRAM, verb, "--help"] for verb in VERBS}
    print("| help of | CPU s |\n|---|---|")
    for name, words in rows.items():
        print(f"| {name} | {min(cpu_s(*words) for _ in range(runs)):.2f} |", flush=True)


if __name__ == "__main__":
    main()
