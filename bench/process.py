"""Processes under measurement: CPU seconds and memory as the operating system says."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                found += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(pid: int, *, ended: bool = False) -> float:
    """User and system time of the family, all threads (``/proc/PID/stat``).

    ``ended``: with that of children that have ended, as PostgreSQL's for one question.
    """
    ticks = 0
    for member in family(pid):
        try:
            text = Path(f"/proc/{member}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        fields = text.rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
        if ended and member == pid:
            ticks += int(fields[13]) + int(fields[14])
    return ticks / _TICK


def memory_kib(pid: int) -> int:
    """Private memory of the family in KiB (``/proc/PID/smaps_rollup``)."""
    return sum(map(own_memory_kib, family(pid)))


def own_memory_kib(pid: int) -> int:
    """Private memory of one process in KiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    private = ("Private_Clean:", "Private_Dirty:")
    return sum(int(x.split()[1]) for x in text.splitlines() if x.startswith(private))


def pin(core: int) -> list[str]:
    """The words before a command that keep it on one core, if there are two."""
    return ["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 else []


@contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a process and end it afterwards."""
    process = subprocess.Popen(command, text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Load:
    """A load process that is ready to start."""

    def __init__(self, folder: Path, port: int, **options: Any) -> None:
        words = [f"--{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen(
            [*pin(1), sys.executable, "-m", "bench.load", str(folder), "127.0.0.1",
             str(port), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        if self._line() != "ready":
            raise RuntimeError("the load process is not ready")

    def _line(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load process ended: {self.process.wait()}")
        return json.loads(line)

    def go(self) -> Any:
        """Start, wait for the end, return the result."""
        self._say()
        return self._line()

    def _say(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Let go of what is held."""
        if self.process.poll() is None:
            self._say()
        self.process.wait(30)


def settle(pid: int) -> None:
    """Wait until the family uses no more CPU."""
    before = -1.0
    while (now := cpu_seconds(pid)) != before:
        before = now
        time.sleep(0.15)
