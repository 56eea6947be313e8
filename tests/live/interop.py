"""Rows of ``docs/reference/interop.md``: which peer, which version, what was shown.

A live test calls ``record_interop(peer, case, result="works")``. The rows of a run go
to ``.cache/interop.jsonl``; ``make interop`` runs the live tests and puts them into
``docs/reference/interop.json``, from which the page is made.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CALL_REPORT = pytest.StashKey[pytest.TestReport]()


@dataclass
class Recorder:
    """Collects one test's rows."""

    rows: list[dict[str, str]] = field(default_factory=list)

    def __call__(
        self, peer: str, case: str, result: str = "works", *, version: str | None = None
    ) -> None:
        """Note a case. ``result`` is ``works``, or how it is refused, in a few words."""
        from tests.live.peers import version_of

        self.rows.append(
            {
                "peer": peer,
                "version": version or version_of(peer),
                "case": case,
                "result": result,
            }
        )

    def write(self, path: Path) -> None:
        """Append the rows: one write each, so that several processes may."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in self.rows)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, text.encode("utf-8"))
        finally:
            os.close(descriptor)
