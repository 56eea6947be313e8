"""Logs to stderr through structlog: JSON for machines, or text for people.

Rule: what is logged here holds no secret; the log of decisions is in the store
(``linekey log``), and only refusals and trouble are said here.
"""

import logging
import sys
from typing import Any

import structlog

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


def configure_logs(level: str = "info", style: str = "auto") -> None:
    """Send all logs of this process to stderr.

    ``level`` is debug, info, warning or error; ``style`` json, text, or auto: text
    where stderr is a terminal.
    """
    as_json = style == "json" or (style == "auto" and not sys.stderr.isatty())
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
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
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for talkative in ("asyncio", "alembic", "uvicorn.error"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
