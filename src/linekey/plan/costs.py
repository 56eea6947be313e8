"""What one request costs on one machine: measured numbers, kept in a file.

``linekey plan --measure FILE`` and ``python -m bench.costs FILE`` write such files.
Rule: a file holds measured numbers alone, each with its unit in its name, and says when
and on what machine; one that lacks a number, or has one that cannot be, is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from linekey.errors import InputError

FORMAT = 2
MOST = 1e9
"""Of any number: eleven days of CPU for a request, or a gigabyte for a row."""
_AGAIN = "measure anew: linekey plan --measure FILE"


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one linekey on one machine. CPU is the server's alone, all its threads."""

    machine: str
    """Processor and number of cores, for people."""
    measured_at: str
    """ISO 8601."""
    linekey: str
    """Its version."""
    by: str
    """What measured it, for people."""
    first_ms: float
    """Milliseconds of CPU for a phone that the server has not seen since its start: a
    whole mutual handshake, in which its chain is proved, with one request."""
    whole_ms: float
    """The same for a phone that it has seen."""
    resumed_ms: float
    """The same for a resumed session of such a phone."""
    idle_kib: float
    """KiB of private memory of an open connection that waits for another request."""
    worker_mib: float
    """MiB of private memory of a process without connections: a worker, or the one that
    watches the workers and has the status page."""
    decision_bytes: float
    """Bytes in SQLite's file of one decision about a phone, with all indexes, that of
    the log's texts included."""
    phone_bytes: float
    """Bytes there of one registered phone and its sighting."""

    def as_json(self) -> str:
        """Return the file's text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def parse(cls, text: str, file: str) -> Self:
        """Read such a file. Raises InputError for what is none."""
        try:
            found: Any = json.loads(text)
        except ValueError as error:
            raise InputError(f"{file!r} is no JSON: {error}", hint=_AGAIN) from None
        except RecursionError:  # lists within lists without an end
            found = None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise InputError(
                f"{file!r} holds no measured costs of this form", hint=_AGAIN
            )
        return cls(**{field.name: _read(found, field, file) for field in fields(cls)})


def _read(found: Mapping[str, Any], field: Any, file: str) -> Any:
    value: Any = found.get(field.name)
    if field.type is str:
        if not isinstance(value, str):
            raise InputError(f"{file!r} has no text {field.name!r}", hint=_AGAIN)
        return value
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not 0 < value <= MOST:
        raise InputError(
            f"{file!r} has no number above 0, and at most {MOST:,.0f}, for "
            f"{field.name!r}",
            hint=_AGAIN,
        )
    return float(value)
