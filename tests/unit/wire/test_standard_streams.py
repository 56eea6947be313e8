import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from linekey.server.logs import configure_logs
from linekey.wire.standard_streams import (
    LineWriter,
    QueuedStream,
    ensure_standard_streams,
    lost_lines,
    queued_streams,
)


class Slow:
    """A reader that reads when it is told to."""

    def __init__(self) -> None:
        self.read_on = threading.Event()
        self.asked = threading.Event()
        self.got = b""
        self.error: OSError | None = None
        self.most = 1 << 20

    def write(self, data: bytes) -> int:
        self.asked.set()
        assert self.read_on.wait(30)
        if self.error is not None:
            raise self.error
        self.got += data[: self.most]
        return len(data[: self.most])


@pytest.fixture
def slow() -> Iterator[Slow]:
    reader = Slow()
    yield reader
    reader.read_on.set()


def until(true: Callable[[], bool]) -> None:
    """Let the other thread go on until it has come to that."""
    for _ in range(3_000):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came to that")


def stuck(reader: Slow, **options: int) -> LineWriter:
    """A writer whose thread waits in a write."""
    writer = LineWriter(reader.write, **options)
    assert writer.put(b"first\n")
    assert reader.asked.wait(30)
    return writer


def test_lines_come_out_in_their_order(slow: Slow) -> None:
    slow.read_on.set()
    writer = LineWriter(slow.write)
    for number in range(1_000):
        assert writer.put(b"%d\n" % number)
    assert writer.close(30)
    assert slow.got == b"".join(b"%d\n" % n for n in range(1_000))


def test_what_does_not_fit_is_counted_by_level_and_told_when_there_is_room(
    slow: Slow,
) -> None:
    writer = stuck(slow, max_bytes=100)
    taken = [writer.put(b"x" * 19 + b"\n", logging.ERROR) for _ in range(7)]
    assert taken == [True] * 4 + [False] * 3
    assert not writer.put(b"y\n" * 40, logging.INFO)
    assert writer.lost == {"error": 3, "info": 1}
    slow.read_on.set()
    assert writer.close(30)
    lines = slow.got.decode().splitlines()
    assert lines[0] == "first"
    assert lines[1:5] == ["x" * 19] * 4
    assert lines[5].startswith("4 lines left out (3 error, 1 info)")
    assert len(lines) == 6


def test_a_flood_of_small_news_leaves_room_for_warnings(slow: Slow) -> None:
    writer = stuck(slow, max_bytes=1_000)
    while writer.put(b"refused\n", logging.INFO):
        pass
    assert not writer.has_room(logging.INFO)
    assert writer.put(b"the disk is full\n", logging.ERROR)


def test_closing_waits_no_longer_than_it_may(slow: Slow) -> None:
    writer = stuck(slow)
    assert not writer.close(0.0)
    assert not writer.put(b"too late\n")
    slow.read_on.set()
    assert writer.close(30)
    first, told = slow.got.decode().splitlines()
    assert first == "first"
    assert told.startswith("1 line left out")


def test_lines_that_cannot_be_written_are_told_once_it_goes_again(slow: Slow) -> None:
    slow.error = OSError(28, "no space left on device")
    writer = stuck(slow)
    slow.read_on.set()
    assert writer.put(b"second\n", logging.INFO)
    until(lambda: sum(writer.lost.values()) == 2)
    slow.error = None
    assert writer.put(b"third\n")
    assert writer.close(30)
    lines = slow.got.decode().splitlines()
    assert lines[0] == "third"
    assert lines[1].startswith("2 lines left out (1 info, 1 warning)")


def test_a_line_torn_by_a_full_disk_does_not_swallow_the_next() -> None:
    got = []
    room = [3, 0, 1_000, 1_000]

    def write(data: bytes) -> int:
        most = room.pop(0)
        if not most:
            raise OSError(28, "no space left on device")
        got.append(data[:most])
        return len(data[:most])

    writer = LineWriter(write)
    assert writer.put(b"first\n")
    until(lambda: bool(writer.lost))
    assert writer.put(b"second\n")
    assert writer.close(30)
    lines = b"".join(got).decode().splitlines()
    assert lines[:2] == ["fir", "second"]
    assert lines[2].startswith("1 line left out")


def test_a_reader_that_is_gone_is_told_once_and_nothing_piles_up(slow: Slow) -> None:
    gone = []
    slow.error = BrokenPipeError()
    writer = LineWriter(slow.write, on_gone=lambda: gone.append(1))
    writer.put(b"first\n")
    slow.read_on.set()
    until(lambda: bool(gone))
    for _ in range(100):
        assert not writer.put(b"more\n")
    assert writer.close(30)
    assert gone == [1]


def test_begun_lines_wait_for_their_end_or_a_flush(slow: Slow) -> None:
    slow.read_on.set()
    writer = LineWriter(slow.write)
    stream = QueuedStream(io.StringIO(), writer)
    stream.write("a")
    stream.write("b\nc\nd")
    stream.flush()
    stream.write("e\n")
    assert writer.close(30)
    assert slow.got == b"ab\nc\nde\n"


def test_inside_stderr_is_queued_and_afterwards_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_end, write_end = os.pipe()
    with open(write_end, "w") as pipe, open(read_end) as reader:
        monkeypatch.setattr(sys, "stderr", pipe)
        with queued_streams():
            assert isinstance(sys.stderr, QueuedStream)
            sys.stderr.write("said\n")
            assert lost_lines() == {}
        assert sys.stderr is pipe
        assert lost_lines() == {}
        assert reader.readline() == "said\n"


def test_log_lines_that_are_lost_are_told_in_the_form_of_the_log(slow: Slow) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    writer = stuck(slow, max_bytes=400)
    try:
        configure_logs(QueuedStream(io.StringIO(), writer), "info", "json")
        log = logging.getLogger("linekey.test")
        for _ in range(10):
            log.info("a peer was refused", extra={"reason": "hello.not_tls"})
        slow.read_on.set()
        assert writer.close(30)
    finally:
        root.handlers[:], root.level = before
    assert writer.lost["info"] >= 8
    last = slow.got.decode().splitlines()[-1]
    assert f'"lost": {{"info": {writer.lost["info"]}}}' in last


def test_a_process_without_streams_gets_the_null_device() -> None:
    pid = os.fork()
    if pid == 0:
        os.close(2)
        sys.stderr = None  # type: ignore[assignment]  # as Python has it then
        ensure_standard_streams()
        same = os.path.samestat(os.fstat(2), os.stat(os.devnull))
        os._exit(0 if same and sys.stderr is not None else 1)
    assert os.waitpid(pid, 0)[1] == 0
