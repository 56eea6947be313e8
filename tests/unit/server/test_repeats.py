import io
import json
import logging
from collections.abc import Iterator

import pytest

from linekey.server import logs, repeats
from linekey.server.repeats import MAX_KINDS, Repeats
from linekey.wire.standard_streams import LineWriter, QueuedStream


def record(
    text: str = "refused: %s", *args: object, **extra: object
) -> logging.LogRecord:
    made = logging.LogRecord("linekey.test", logging.INFO, "", 1, text, args, None)
    vars(made).update(extra)
    return made


def test_some_of_a_kind_are_told_and_the_rest_is_summed_up_after_a_minute() -> None:
    limit = Repeats(10)
    told = [limit.is_told(record("refused: %s", n), 5.0) for n in range(422)]
    assert told == [True] * 10 + [False] * 412
    assert list(limit.sums(64.9)) == []
    (line,) = limit.sums(65.9)
    assert line.getMessage() == (
        "and 412 more of this kind in the last minute, the last: refused: 421"
    )
    assert limit.is_told(record(), 66.0)
    assert list(limit.sums(200.0)) == [], "nothing was left out this time"


def test_kinds_are_told_apart_by_message_reason_and_whether_a_phone_proved_itself() -> (
    None
):
    limit = Repeats(1)
    kinds = [
        record(),
        record("something else"),
        record(reason="hello.not_tls"),
        record(reason="hello.broken"),
        record(reason="hello.broken", mac="000413AABBCC"),
    ]
    assert all(limit.is_told(kind, 0.0) for kind in kinds)
    assert not any(limit.is_told(kind, 0.0) for kind in kinds)


def test_kinds_without_end_take_no_memory_without_end() -> None:
    limit = Repeats(1)
    told = sum(limit.is_told(record(f"message {n}"), 0.0) for n in range(5_000))
    assert told == MAX_KINDS + 1
    assert len(limit._kinds) == MAX_KINDS + 1


@pytest.fixture
def written() -> Iterator[list[str]]:
    lines: list[str] = []
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def write(data: bytes) -> int:
        lines.append(data.decode())
        return len(data)

    writer = LineWriter(write)
    logs.configure_logs(QueuedStream(io.StringIO(), writer), "info", "json", 3)
    yield lines
    root.handlers[:], root.level = before
    writer.close()


def test_the_log_writes_the_sum_when_somebody_asks(
    written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: clock[0])
    log = logging.getLogger("linekey.test")
    for number in range(1_000):
        log.info("alert from %s", number, extra={"reason": "hello.not_tls"})
    clock[0] += repeats.WINDOW_S
    logs.tell_repeats()
    handlers = logging.getLogger().handlers
    (ours,) = [h for h in handlers if isinstance(h, logs._Handler)]
    assert ours._writer.close(30)
    said = [json.loads(line) for line in written]
    assert [line["event"] for line in said[:3]] == [
        "alert from 0", "alert from 1", "alert from 2",
    ]  # fmt: skip
    (last,) = said[3:]
    assert last["event"].startswith("and 997 more of this kind in the last minute")
    assert last["reason"] == "hello.not_tls"
