"""The registry as a table that ``device_csv`` reads back.

RFC 4180: CRLF at the end of a line, and in quotes whatever holds one. A phone a row; a
column for each setting that any of them has in its own layer. Secrets are ``(kept)``,
unless the caller wants them.

Rule: what is read back is what is there; what a table cannot hold is counted, and told.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from linekey.errors import InputError
from linekey.makers.known import why_unknown
from linekey.provisioning.device import Device
from linekey.store.csv_cells import EMPTY, KEPT, write_cell
from linekey.store.device_csv import MAX_COLUMNS, RECORD_COLUMNS
from linekey.store.device_rows import Slot


def table_rows(
    devices: Iterable[Device],
    slots: Iterable[Slot],
    *,
    secrets: bool = False,
    left_out: Counter[str] | None = None,
) -> Iterator[str]:
    """Yield the header, then a row for each device; ``slots`` are all there may be.

    ``left_out`` counts what the table cannot hold. Raises InputError for more settings
    than a table has columns, and for one that is not among ``slots``.
    """
    columns = sorted(slots, key=lambda slot: (slot[1] or 0, slot[0]))
    if len(RECORD_COLUMNS) + len(columns) > MAX_COLUMNS:
        raise InputError(
            f"these phones have {len(columns)} different settings of their own; a "
            f"table has at most {MAX_COLUMNS} columns",
            hint="export them in parts, such as by --model",
        )
    yield _line([*RECORD_COLUMNS, *(_title(*slot) for slot in columns)])
    counted = Counter[str]() if left_out is None else left_out
    for device in devices:
        own = {s.slot: s for s in device.layer.settings}
        cells = _record(device)
        for slot in columns:
            setting = own.pop(slot, None)
            if setting is None:
                cells.append("")
            elif setting.secret and not secrets:
                cells.append(KEPT)
            else:
                cells.append(write_cell(setting.value) or EMPTY)
        if own:
            raise InputError(
                f"{device.mac} was changed while it was exported", hint="try again"
            )
        _count(device, counted)
        yield _line(cells)


def _title(name: str, idx: int | None) -> str:
    if idx is not None:
        return f"{name}[{idx}]"
    odd = name.lower() in RECORD_COLUMNS or why_unknown(name, None) is not None
    return f"{name}[]" if odd else name


def _record(device: Device) -> list[str]:
    generations = device.generations
    texts = (
        device.vendor,
        device.model or "",
        "" if device.firmware is None else str(device.firmware),
        device.label,
        device.group or "",
        device.state,
        device.revoked_reason,
        "" if generations is None else "+".join(sorted(generations)),
        device.expired or "",
    )
    return [device.mac.digits, *map(write_cell, texts)]


def _count(device: Device, counted: Counter[str]) -> None:
    layer = device.layer
    for what, there in (
        ("function keys", layer.function_keys),
        ("certificates", layer.certificates),
        ("a digest user", device.digest),
        ("a one-time token", device.token_sha256),
        ("a setting's perm", any(s.perm is not None for s in layer.settings)),
        ("unreadable entries", layer.unreadable),
    ):
        counted[what] += bool(there)


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
