"""Standard output and error of a process that serves: written by a thread.

A write to a pipe that nobody reads waits until somebody does. On the event loop that
would be every phone waiting, so while ``queued_streams`` is entered, what this process
says goes into a queue with a bound, and a thread of its own writes it.

::

    log line, note, story ──► queue (bounded in bytes) ──► thread: write(2)
                                  │
                                  └── full: counted by level, and told later

Rules: putting a line never waits; what does not fit, or could not be written (a full
disk, a reader that is gone), is counted and its number written as soon as writing goes
again. Lines below a warning leave the last quarter to the others. Leaving waits for
what is queued no longer than ``FLUSH_S``: who does not read cannot hinder a stop.
"""

import contextlib
import io
import logging
import os
import select
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO

MAX_BYTES = 1_048_576
"""Bytes that may wait: sixteen times what Linux keeps for a pipe (pipe(7))."""
FLUSH_S = 2.0
"""Seconds that leaving waits for a reader; a service manager allows 90 by default."""

_PIECE = 4096  # PIPE_BUF on Linux: whole lines up to here never mix with others'
_LEAST_KEPT = logging.WARNING

Notice = Callable[[Mapping[str, int]], str]
"""Writes the line that says how many lines of which level are missing."""


def in_words(lost: Mapping[str, int]) -> str:
    """Say how many lines of which level are missing."""
    kinds = ", ".join(f"{count} {level}" for level, count in sorted(lost.items()))
    total = sum(lost.values())
    return (
        f"{total} line{'' if total == 1 else 's'} left out ({kinds}): "
        "whatever reads this was too slow, or had no room"
    )


class LineWriter:
    """The queue of one stream, and the thread that writes it.

    ``write`` takes bytes, may wait, and returns how many it wrote or raises OSError.
    ``on_gone`` is called once, in the thread, when nobody can ever read again (EPIPE).
    """

    def __init__(
        self,
        write: Callable[[bytes], int],
        *,
        max_bytes: int = MAX_BYTES,
        on_gone: Callable[[], None] | None = None,
    ) -> None:
        self.notice: Notice = in_words
        self._write_some = write
        self._max_bytes = max_bytes
        self._on_gone = on_gone
        self._changed = threading.Condition()
        self._lines: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._lost: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._closing = self._failing = self._torn = self._gone = False
        # A daemon: blocked in a write, it must not keep the process alive.
        self._thread = threading.Thread(
            target=self._run, name="standard-stream", daemon=True
        )
        self._thread.start()

    @property
    def lost(self) -> Mapping[str, int]:
        """Level → lines that were not written so far."""
        with self._changed:
            return dict(self._lost)

    def has_room(self, level: int = _LEAST_KEPT, size: int = 1) -> bool:
        """Whether a line of this level would be taken now."""
        bound = self._max_bytes
        if level < _LEAST_KEPT:
            bound -= bound // 4
        return self._bytes + size <= bound and not self._closing and not self._gone

    def lose(self, level: int) -> None:
        """Count a line that is not even made, since there is no room for it."""
        with self._changed:
            self._count(level)

    def put(self, line: bytes, level: int = _LEAST_KEPT) -> bool:
        """Queue ``line``, its line feed included; False if it was counted instead."""
        with self._changed:
            if not self.has_room(level, len(line)):
                self._count(level)
                return False
            if self._untold and not self._failing:
                self._append(*self._take_notice())
            self._append(level, line)
            self._changed.notify()
            return True

    def close(self, within_s: float = FLUSH_S) -> bool:
        """Write what waits, then end; False if ``within_s`` seconds were not enough."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _count(self, level: int) -> None:
        name = logging.getLevelName(level).lower()
        self._lost[name] += 1
        self._untold[name] += 1

    def _take_notice(self) -> tuple[int, bytes]:
        lost = dict(self._untold)
        self._untold.clear()
        return logging.NOTSET, f"{self.notice(lost)}\n".encode()

    def _append(self, level: int, line: bytes) -> None:
        self._lines.append((level, line))
        self._bytes += len(line)

    # ---- the thread ----

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (
                    self._lines or self._closing or (self._untold and not self._failing)
                ):
                    self._changed.wait()
                if not self._lines:
                    if not self._untold or self._failing:
                        return  # closing, and all that can be said is said
                    self._append(*self._take_notice())
                level, line = self._lines.popleft()
            error = self._write(line)
            with self._changed:
                self._bytes -= len(line)
                self._failing = error is not None
                if error is not None and level != logging.NOTSET:
                    self._count(level)
                gone = isinstance(error, BrokenPipeError) and not self._gone
                self._gone = self._gone or gone
            if gone and self._on_gone is not None:
                self._on_gone()

    def _write(self, line: bytes) -> OSError | None:
        rest = b"\n" + line if self._torn else line
        whole = len(rest)
        while rest:
            try:
                rest = rest[self._write_some(rest[:_PIECE]) :]
            except OSError as error:
                self._torn = self._torn or len(rest) != whole
                return error
        self._torn = False
        return None


class QueuedStream(io.TextIOBase):
    """A text stream over a ``LineWriter``, in the place of ``sys.stderr``."""

    def __init__(self, like: TextIO, writer: LineWriter) -> None:
        self.writer = writer
        self._like = like
        self._begun = ""
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the stream's whose place it takes."""
        return self._like.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """As the stream's whose place it takes."""
        return self._like.errors

    def isatty(self) -> bool:
        """Whether a terminal is behind it."""
        return self._like.isatty()

    def fileno(self) -> int:
        """Return the descriptor behind it."""
        return self._like.fileno()

    def writable(self) -> bool:
        """Return True: it takes text."""
        return True

    def write(self, text: str) -> int:
        """Queue whole lines; keep a begun one for the rest, or for ``flush``."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            if lines:
                self._put("\n".join(lines) + "\n")
        return len(text)

    def flush(self) -> None:
        """Queue a line that has no end yet. Waits for nothing."""
        with self._lock:
            begun, self._begun = self._begun, ""
            if begun:
                self._put(begun)

    def _put(self, text: str) -> None:
        self.writer.put(text.encode(self.encoding or "utf-8", "backslashreplace"))


@contextlib.contextmanager
def queued_streams(
    *, stdout: bool = False, on_gone: Callable[[], None] | None = None
) -> Iterator[QueuedStream]:
    """Let threads write what is said inside; yields the stream that is ``sys.stderr``.

    ``stdout`` includes standard output; ``on_gone`` is called when whoever reads that
    has gone away. On leaving, a stream whose reader took what was there is put back;
    one that is stuck stays in its thread's hands, so that nothing waits for it later.
    """
    names = ["stderr", "stdout"] if stdout else ["stderr"]
    before = {name: getattr(sys, name) for name in names}
    made: dict[str, QueuedStream] = {}
    for name, stream in before.items():
        stream.flush()
        gone = on_gone if name == "stdout" else None
        made[name] = QueuedStream(stream, LineWriter(_writing(stream), on_gone=gone))
        setattr(sys, name, made[name])
    try:
        yield made["stderr"]
    finally:
        for name, stream in made.items():
            stream.flush()
            if stream.writer.close() and getattr(sys, name) is stream:
                setattr(sys, name, before[name])


def lost_lines() -> Mapping[str, int]:
    """Level → lines of standard error that this process could not write so far."""
    stream = sys.stderr
    return stream.writer.lost if isinstance(stream, QueuedStream) else {}


def ensure_standard_streams() -> None:
    """Put the null device where this process was started with a stream closed.

    Otherwise the next file opened, perhaps the database, would be number 2, and what
    some library says to "standard error" would be written into it.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115


def _writing(stream: TextIO) -> Callable[[bytes], int]:
    """How to write to what is behind ``stream``, past its lock and its buffer."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # in memory, as tests have it

        def remember(data: bytes) -> int:
            stream.write(data.decode(errors="replace"))
            return len(data)

        return remember

    def write(data: bytes) -> int:
        while True:
            try:
                return os.write(descriptor, data)
            except BlockingIOError:  # somebody else made it non-blocking
                select.select([], [descriptor], [])

    return write
