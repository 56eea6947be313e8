"""Logs to stderr through structlog: JSON for machines, or text for people.

Rules: what is logged here holds no secret, and what reads like one is masked once more
(``catalog.secrecy``); the log of decisions is in the store
(``linekey log``), and only refusals and trouble are said here. Nobody waits for a line
to be written (``wire.standard_streams``).
"""

import contextlib
import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from linekey.catalog.secrecy import mask_url
from linekey.server.repeats import Repeats
from linekey.wire.standard_streams import QueuedStream, in_words

_OWN = ("kind", "reason", "peer", "mac", "resource", "cure", "fingerprint", "worker")


def _take_extra(logger: Any, name: str, event: Any) -> Any:
    """Take our ``extra`` fields over, those that are set."""
    record = event.get("_record")
    if record is not None:
        for field in _OWN:
            value = getattr(record, field, None)
            if value is not None:
                event[field] = value
    return event


def _mask(logger: Any, name: str, event: Any) -> Any:
    """Mask what reads like a secret, whoever logged it and whatever it stands in."""
    for field, value in event.items():
        if isinstance(value, str):
            event[field] = mask_url(value)
    return event


class _Handler(logging.Handler):
    """Makes a line where there is room for it, and counts it where there is none."""

    def __init__(self, stream: QueuedStream, each_minute: int) -> None:
        super().__init__()
        self._writer = stream.writer
        self._repeats = Repeats(each_minute)

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        self.tell_repeats(now)
        if self._repeats.is_told(record, now):
            self._write(record)

    def tell_repeats(self, now: float) -> None:
        """Write how many lines of each kind were left out, once a minute is over."""
        with self.lock or contextlib.nullcontext():
            for record in self._repeats.sums(now):
                self._write(record)

    def _write(self, record: logging.LogRecord) -> None:
        if not self._writer.has_room(record.levelno):
            self._writer.lose(record.levelno)
            return
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler of logging has it
            self.handleError(record)
            return
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        self._writer.put(data, record.levelno)


def _as_json(lost: Mapping[str, int]) -> str:
    return json.dumps(
        {
            "event": in_words(lost),
            "lost": dict(lost),
            "level": "warning",
            "logger": "linekey.logs",
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
    )


def tell_repeats() -> None:
    """Write how many lines were left out so far; whoever serves calls it now and then.

    A line of the log does so, too, but nobody knows when the next one comes.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Handler):
            handler.tell_repeats(time.monotonic())


def configure_logs(
    stream: QueuedStream,
    level: str = "info",
    style: str = "auto",
    each_minute: int = 10,
) -> None:
    """Send all logs of this process to ``stream``, which is ``sys.stderr``.

    ``level`` is debug, info, warning or error; ``style`` json, text, or auto: text
    where stderr is a terminal; ``each_minute`` is how many lines of one kind
    (``repeats``) are written in a minute.
    """
    as_json = style == "json" or (style == "auto" and not stream.isatty())
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    if as_json:
        stream.writer.notice = _as_json
    handler = _Handler(stream, each_minute)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _take_extra,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _mask,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for talkative in ("asyncio", "alembic", "uvicorn.error"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
