"""Names that the operator marked as secrets, and what lies plain of them sealed.

A mark is kept with its value (``provisioning.document.Mark``) and its setting's name
here, so that the same name given plainly in another layer, or again after it was unset,
is a secret there, too. One that the catalogue has as a secret needs no row.

Rules: every write of a layer goes through ``keep_marks``, in the write's transaction;
what lies plain elsewhere under a name that is marked now is sealed in the same one.
``seal_rows`` changes only what it seals: an entry that cannot be read stays as it is.
"""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import InputError, StorageError
from linekey.mac import Mac
from linekey.makers.known import is_known, is_secret
from linekey.provisioning.document import Layer, Mark, seal_entries
from linekey.said import say
from linekey.store.changes import hide_values
from linekey.store.records import device_place, dump, layer_place, seal, unseal
from linekey.store.schema import devices, layers, revision, secret_names, to_us
from linekey.store.secrets import KeyRing


def marked_names(connection: Connection) -> frozenset[str]:
    """Return the names that are marked, in lower case."""
    return frozenset(connection.execute(sa.select(secret_names.c.name)).scalars())


def _marked_in(layer: Layer) -> set[str]:
    """The names marked in a layer, but for those that the catalogue has as secrets."""
    return {
        setting.name.lower()
        for setting in layer.settings
        if setting.mark is Mark.SECRET and not _needs_no_row(setting.name)
    }


def _needs_no_row(name: str) -> bool:
    return is_known(name) and is_secret(name)


class Kept(NamedTuple):
    """Layers with their marks; ``fresh``: a name was marked for the first time.

    Then the caller takes what lay plain out of the file (``Database.forget_deleted``).
    """

    layers: list[Layer]
    fresh: bool


def keep_marks(
    connection: Connection,
    keys: KeyRing,
    new: Iterable[Layer],
    now: datetime,
    before: Iterable[Layer] = (),
    *,
    may_mark: bool = True,
) -> Kept:
    """Return layers that are about to be written, with the marks that hold for them.

    Names that are marked in them now, and were not in ``before``, are kept, and what
    other layers hold under them is sealed. Raises InputError for a setting that is to
    be public although its name is marked, and for a name that is to be marked now by
    who may not (``may_mark``), since that is for all phones.
    """
    new = list(new)
    known, fresh = check_marks(connection, new, before, may_mark=may_mark)
    if fresh:
        connection.execute(
            sa.insert(secret_names),
            [{"name": name, "marked_at": to_us(now)} for name in sorted(fresh)],
        )
        seal_rows(connection, keys, fresh)
        hide_values(connection, fresh)
    marked = [layer.marked(known | fresh) for layer in new]
    return Kept(marked, bool(fresh))


def check_marks(
    connection: Connection,
    new: Collection[Layer],
    before: Iterable[Layer] = (),
    *,
    may_mark: bool = True,
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that are marked, and those that ``keep_marks`` would mark.

    Raises InputError as it does, and writes nothing.
    """
    known = marked_names(connection)
    for layer in new:
        for setting in layer.settings:
            if setting.mark is Mark.PUBLIC and setting.name.lower() in known:
                raise InputError(
                    say("%(name)s is marked as secret", name=setting.name),
                    hint=say(
                        "linekey layer unmark %(name)s undoes that", name=setting.name
                    ),
                )
    fresh = frozenset(name for layer in new for name in _marked_in(layer)) - known
    # A value keeps a mark whose name was taken back since (``unmark``).
    fresh = fresh.difference(*(_marked_in(layer) for layer in before))
    if fresh and not may_mark:
        raise InputError(
            say(
                "%(min)s would become a secret in every layer of all groups",
                min=min(fresh),
            ),
            hint=say("who may see all phones marks it: linekey layer set --secret"),
        )
    return known, fresh


def unmark(connection: Connection, names: Collection[str]) -> None:
    """Forget marks of names; what is stored under them stays sealed and marked.

    Raises InputError for a name that is not marked.
    """
    known = marked_names(connection)
    if missing := sorted(name for name in names if name.lower() not in known):
        raise InputError(
            say("not marked as a secret: %(names)s", names=", ".join(missing)),
            hint=say("linekey layer marks lists the names that are"),
        )
    connection.execute(
        sa.delete(secret_names).where(
            secret_names.c.name.in_([name.lower() for name in names])
        )
    )


def seal_rows(connection: Connection, keys: KeyRing, names: Collection[str]) -> int:
    """Seal what lies plain in any row and is a secret; return how many rows had some.

    A secret is what is guessed to be one, and what is named in ``names`` (lower case).
    Rows that do not open are left as they are: reading them says so.
    """
    count = 0
    counters = connection.execute(sa.select(revision.c.registry)).scalar_one()
    for table, column, place in (
        (layers, layers.c.scope, layer_place),
        (devices, devices.c.mac, lambda digits: device_place(Mac(digits))),
    ):
        rows = connection.execute(
            sa.select(column, table.c.layer, table.c.sealed, table.c.version)
        ).all()
        for name, text, sealed, version in rows:
            found = _sealed_row(text, sealed, keys, place(name), names)
            if found is None:
                continue
            newer = version + 1 if table is layers else counters
            connection.execute(
                sa.update(table)
                .where(column == name)
                .values(layer=found[0], sealed=found[1], version=newer)
            )
            count += 1
        if count and table is layers:
            raised = {"layers": revision.c.layers + 1}
            connection.execute(sa.update(revision).values(raised))
    return count


def _sealed_row(
    text: str,
    sealed: bytes | None,
    keys: KeyRing,
    place: str,
    names: Collection[str],
) -> tuple[str, bytes | None] | None:
    """The row's columns with its secrets sealed; None: there is nothing to seal."""
    try:
        plain: Any = json.loads(text)
        opened = unseal(sealed, keys, place)
        secrets: dict[str, str] = dict(opened.get("layer") or {})
        if not isinstance(plain, dict) or not seal_entries(plain, secrets, names):
            return None
    except (StorageError, ValueError, TypeError):
        return None
    return dump(plain), seal({**opened, "layer": secrets}, keys, place)
