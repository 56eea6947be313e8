"""What is logged holds no secret, whoever logged it."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from linekey.server.logs import configure_logs

CANARY = "s3cr3tcanary"


class Writer:
    """Takes every line, at once."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.notice: Any = None

    def has_room(self, level: int) -> bool:
        return True

    def put(self, data: bytes, level: int) -> None:
        self.lines.append(data)


class Stream(io.StringIO):
    """As much of ``QueuedStream`` as a handler asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.writer = Writer()


@pytest.fixture
def stream() -> Iterator[Stream]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = Stream()
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize(
    "url",
    [
        f"https://u:{CANARY}@h/",
        f"https://h/#access_token={CANARY}",
        f"sip:a@h;password={CANARY}",
        f"/t/{CANARY}0123456789/x.htm",
    ],
)
def test_a_secret_is_masked_in_event_field_and_traceback(
    stream: Stream, style: str, url: str
) -> None:
    configure_logs(stream, style=style)  # type: ignore[arg-type]
    log = logging.getLogger("linekey.test")
    log.warning("fetched %s twice: %s", url, url, extra={"resource": url})
    try:
        raise ValueError(url)
    except ValueError:
        log.exception("could not fetch")
    said = b"".join(stream.writer.lines).decode()
    assert CANARY not in said
    assert said.count("…") >= 3
    if style == "json":
        first = json.loads(stream.writer.lines[0])
        assert "…" in first["resource"]
