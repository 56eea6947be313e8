"""The statement that puts rows of phones' visits in, for the log's own connection.

One statement for many rows, and the same for SQLite and PostgreSQL but for its words.
The database itself leaves out whom a table is not about: phones with a record, or
those without.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from linekey.store.schema import devices


def put_rows(
    table: sa.Table,
    columns: Sequence[str],
    count: int,
    mark: str,
    *,
    registered: bool,
    new: Mapping[str, str],
) -> str:
    """Return the statement for ``count`` rows of ``columns``; ``mac`` is the first.

    ``mark`` is the driver's placeholder. ``registered``: whether it is about phones
    that have a record. A row that is there takes each new value, or what ``new`` says
    for the column: SQL of ``old`` and ``excluded``, with LEAST and GREATEST.
    """
    sqlite = mark == "?"
    verb = "INSERT OR ROLLBACK" if sqlite else "INSERT"
    row = "(" + ",".join([mark] * len(columns)) + ")"
    values = ",".join(
        f"v.column{n}" if sqlite else f"CAST(v.column{n} AS {_type(table, name)})"
        for n, name in enumerate(columns, 1)
    )
    becomes = {name: f'excluded."{name}"' for name in columns if name != "mac"}
    for name, said in new.items():
        if sqlite:
            said = said.replace("LEAST(", "MIN(").replace("GREATEST(", "MAX(")
            said = said.replace("IS NOT DISTINCT FROM", "IS")
        becomes[name] = said.replace("old.", f"{table.name}.")
    names = ",".join(f'"{name}"' for name in columns)
    # Names of our own columns only; every value is bound.
    return (
        f"{verb} INTO {table.name} ({names}) SELECT {values} "  # noqa: S608
        f"FROM (VALUES {','.join([row] * count)}) AS v "
        f"WHERE {'' if registered else 'NOT '}EXISTS "
        f"(SELECT 1 FROM {devices.name} d WHERE d.mac = v.column1) "
        "ON CONFLICT (mac) DO UPDATE SET "
        + ", ".join(f'"{name}" = {value}' for name, value in becomes.items())
    )


def _type(table: sa.Table, name: str) -> str:
    return "BIGINT" if isinstance(table.c[name].type, sa.Integer) else "TEXT"
