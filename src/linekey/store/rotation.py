"""A new key for the database's secrets, in two steps that cannot be swapped.

::

    prepare   a new key comes second into this machine's key file; the database
              remembers its id
              … the operator copies the file to every other server; each reads it by
              itself and writes that it has the key (``servers``) …
    finish    refused while a server on the list lacks the key; then one transaction
              makes it the key in use, and every value is sealed anew, in pieces

Where all that use the database read this one file (SQLite, or no other server on the
list), ``rotate_key`` does both.

Rules: nothing is sealed with a key that a server on the list lacks. The key in use is
the one of ``key_check``'s row, so the steps need no order of lines in any file. After a
crash anywhere every value opens, since no key is ever dropped on the way; ``finish``
again goes on where it stopped. A key is dropped on purpose only (``forget_key``), and
not while a value needs it.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import InputError, StorageError
from linekey.mac import Mac
from linekey.store.database import KEY_CHECK, KEY_TEXT, Database, key_in_use
from linekey.store.records import device_place, layer_place, reseal
from linekey.store.schema import devices, layers, meta, servers
from linekey.store.secrets import KEY_FILE, sealed_with
from linekey.store.servers import KnownServer, known_servers, place_of
from linekey.words import counted

_NEXT = "key_next"
_NEXT_PLACE = "key next"
_PIECE = 200  # values in one transaction: a server's own writes wait some milliseconds
_COMMAND = "linekey layer rotate-key"


@dataclass(frozen=True, slots=True)
class Rotation:
    """How it stands with the keys."""

    in_use: str
    """The id of the key that seals."""
    prepared: str | None
    """The id of the key that is to take its place, if one is prepared."""
    sealed: Counter[str]
    """How many rows each key has sealed."""
    file_ids: tuple[str, ...]
    """The keys in this machine's key file."""
    servers: tuple[KnownServer, ...]
    place: str
    """This machine and state folder, as ``KnownServer.place`` has it."""
    one_file: bool
    """Whether all that use the database read this machine's file (SQLite)."""

    @property
    def wanted(self) -> str:
        """The key that every server must have."""
        return self.prepared or self.in_use

    @property
    def lacking(self) -> tuple[KnownServer, ...]:
        """The servers on the list that lack ``wanted``."""
        return tuple(
            server for server in self.servers if self.wanted not in self.keys_of(server)
        )

    def keys_of(self, server: KnownServer) -> tuple[str, ...]:
        """The keys a server has. One that reads this machine's file has what it has."""
        if self.one_file or server not in _strange(self.servers, self.place):
            return self.file_ids
        return server.keys

    @property
    def left(self) -> int:
        """How many rows are not sealed with the key in use."""
        return sum(self.sealed.values()) - self.sealed[self.in_use]

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.prepared is None and not self.left and not self.lacking


def rotation(database: Database) -> Rotation:
    """Return how it stands. Raises StorageError."""
    database.keys.read_again()
    with database.read() as connection:
        in_use, prepared = key_in_use(connection), _prepared(connection)
        known = known_servers(connection)
    return Rotation(
        in_use,
        None if prepared is None else sealed_with(prepared),
        Counter(sealed_with(sealed) for _, _, sealed in _sealed_rows(database)),
        database.keys.file_ids,
        tuple(known),
        place_of(database.state),
        database.is_sqlite,
    )


def rotate_key(database: Database) -> int:
    """Do both steps; return how many rows had secrets.

    Raises InputError where other servers use the database, since they need the file in
    between, and StorageError as ``finish`` does; nothing is changed then.
    """
    with database.read() as connection:
        others = _elsewhere(database, known_servers(connection))
    if others:
        raise InputError(
            f"other servers use this database: {_names(others)}",
            hint=f"run {_COMMAND} --prepare, which says what to copy, then --finish",
        )
    prepare(database)
    return finish(database)


def prepare(database: Database) -> str:
    """Put a new key into this machine's key file, to be used later; return its id.

    If one is prepared already, that is it. Raises InputError if an earlier rotation is
    not finished, and StorageError, also if another machine has prepared one.
    """
    state = rotation(database)
    if state.left and state.prepared is None:
        raise InputError(
            f"the last rotation is not finished: "
            f"{counted(state.left, 'row has', 'rows have')} an older key",
            hint=f"run {_COMMAND} --finish to complete it",
        )
    with database.change() as connection:
        there = _prepared(connection)
        if there is not None:
            _must_open(database, there, known_servers(connection))
            return sealed_with(there)
        new = database.keys.add_to_file()
        sealed = database.keys.seal(KEY_TEXT, _NEXT_PLACE, new)
        connection.execute(sa.insert(meta).values(name=_NEXT, sealed=sealed))
    return new


def cancel(database: Database) -> str:
    """Give the prepared key up, and take it out of this machine's file; its id.

    Raises InputError if none is prepared.
    """
    with database.change() as connection:
        prepared = _prepared(connection)
        if prepared is None:
            raise _nothing_prepared()
        connection.execute(sa.delete(meta).where(meta.c.name == _NEXT))
    database.keys.drop_from_file(sealed_with(prepared))
    return sealed_with(prepared)


def finish(
    database: Database,
    now: datetime | None = None,
    *,
    without: Collection[str] = (),
) -> int:
    """Make the prepared key the one in use and seal everything with it; how many rows.

    If that was done and was cut short, only the rest is sealed. ``without`` names dead
    servers, which are taken off the list; it needs ``now``. Raises InputError if
    nothing is to be finished, or a name is not on the list or of one that lives;
    StorageError if a server, or this machine, lacks the key: nothing is changed then.
    Raises StorageError, too, for rows that do not open; all others are sealed anew.
    """
    with database.change() as connection:
        prepared = _prepared(connection)
        if prepared is not None:
            known = known_servers(connection)
            _must_open(database, prepared, known)
            _check_without(known, without, now)
            new = sealed_with(prepared)
            _refuse_lacking(_elsewhere(database, known), new, without)
            connection.execute(sa.delete(servers).where(servers.c.name.in_(without)))
            database.keys.use(new)
            sealed = database.keys.seal(KEY_TEXT, KEY_CHECK)
            connection.execute(
                sa.update(meta).where(meta.c.name == "key_check").values(sealed=sealed)
            )
            connection.execute(sa.delete(meta).where(meta.c.name == _NEXT))
    if prepared is not None:
        database.keys.put_first_in_file(new)
    elif not rotation(database).left:
        raise _nothing_prepared()
    return _seal_anew(database)


def forget_key(database: Database, key_id: str) -> None:
    """Take a key that nothing needs any more out of this machine's key file.

    Backups from before the rotation cannot be read without it. Raises InputError if it
    is not in the file, in use, prepared, or if a row is sealed with it.
    """
    state = rotation(database)
    if key_id not in state.file_ids:
        raise InputError(
            f"keys/{KEY_FILE} has no key {key_id!r}",
            hint=f"{_COMMAND} --status lists the keys",
        )
    if key_id in (state.in_use, state.prepared):
        what = "in use" if key_id == state.in_use else "prepared"
        raise InputError(
            f"the key {key_id} is {what}",
            hint=f"only a key that {_COMMAND} --status lists as old can be deleted",
        )
    if state.sealed[key_id]:
        raise InputError(
            f"{counted(state.sealed[key_id], 'row is', 'rows are')} still encrypted "
            f"with the key {key_id}",
            hint=f"run {_COMMAND} --finish to encrypt them with the new one",
        )
    database.keys.drop_from_file(key_id)


# ---- what finish looks at


def _prepared(connection: Connection) -> bytes | None:
    query = sa.select(meta.c.sealed).where(meta.c.name == _NEXT)
    sealed = connection.execute(query).scalar()
    return None if sealed is None else bytes(sealed)


def _must_open(
    database: Database, prepared: bytes, known: Collection[KnownServer]
) -> None:
    """Refuse if this machine's file lacks the key, or has another one by its id."""
    key_id = sealed_with(prepared)
    database.keys.read_again()
    if key_id in database.keys.file_ids:
        database.keys.unseal(prepared, _NEXT_PLACE)
        return
    have = [server for server in known if key_id in server.keys]
    where = _names(have) if have else "the machine that prepared it"
    raise StorageError(
        f"keys/{KEY_FILE} of this machine lacks the prepared key {key_id}",
        hint=f"copy the file from {where}, or discard the key: {_COMMAND} --cancel",
    )


def _refuse_lacking(
    known: Collection[KnownServer], key_id: str, without: Collection[str]
) -> None:
    lacking = [s for s in known if key_id not in s.keys and s.name not in without]
    if lacking:
        one = len(lacking) == 1
        raise StorageError(
            f"{len(lacking)} server{'' if one else 's'} lack{'s' if one else ''} the "
            f"new key {key_id}: {_names(lacking)}",
            hint=f"copy keys/{KEY_FILE} there. A running server reads it within "
            "seconds; start one that is down. If one is gone for good, add "
            "--without NAME",
        )


def _check_without(
    known: Collection[KnownServer], without: Collection[str], now: datetime | None
) -> None:
    by_name = {server.name: server for server in known}
    for name in without:
        if name not in by_name:
            near = difflib.get_close_matches(name, by_name, n=1)
            raise InputError(
                f"no server {name!r} is on the list",
                hint=f"did you mean {near[0]!r}?"
                if near
                else f"{_COMMAND} --status lists them",
            )
        if now is None or by_name[name].lives(now):
            raise InputError(
                f"the server {name!r} is running, so it cannot be left out",
                hint=f"copy keys/{KEY_FILE} there, or stop it and wait a minute",
            )


def _elsewhere(database: Database, known: Collection[KnownServer]) -> list[KnownServer]:
    """Return the servers that may read another key file than this machine's."""
    if database.is_sqlite:
        return []
    return _strange(known, place_of(database.state))


def _strange(known: Collection[KnownServer], here: str) -> list[KnownServer]:
    """Return the servers that do not stand ``here``.

    Where several say that they do, their place proves nothing: machines copied from one
    image, and containers, have one host name and one folder each. Then what each has
    written is what counts.
    """
    if sum(server.place == here for server in known) > 1:
        return list(known)
    return [server for server in known if server.place != here]


def _names(known: Collection[KnownServer]) -> str:
    return ", ".join(
        f"{server.name} (seen {server.seen_at:%Y-%m-%d %H:%M:%S} UTC)"
        for server in known
    )


def _nothing_prepared() -> InputError:
    return InputError("no new key is prepared", hint=f"run {_COMMAND} --prepare first")


# ---- sealing anew


class _Kind(NamedTuple):
    table: sa.Table
    key: sa.Column[Any]
    place: Callable[[str], str]


_KINDS = (
    _Kind(layers, layers.c.scope, layer_place),
    _Kind(devices, devices.c.mac, lambda digits: device_place(Mac(digits))),
)


def _sealed_rows(database: Database) -> Iterator[tuple[_Kind, str, bytes]]:
    """Yield all sealed values, a part of them in memory at a time."""
    for kind in _KINDS:
        last = ""
        while True:
            query = (
                sa.select(kind.key, kind.table.c.sealed)
                .where(kind.table.c.sealed.is_not(None), kind.key > last)
                .order_by(kind.key)
                .limit(_PIECE)
            )
            with database.read() as connection:
                rows = connection.execute(query).all()
            yield from ((kind, name, bytes(sealed)) for name, sealed in rows)
            if len(rows) < _PIECE:
                break
            last = rows[-1][0]


def _seal_anew(database: Database) -> int:
    """Seal all rows with the key in use, in pieces; return how many have secrets."""
    count = 0
    piece: list[tuple[_Kind, str, bytes, bytes]] = []
    broken: list[str] = []
    keys = database.keys
    for kind, name, sealed in _sealed_rows(database):
        count += 1
        if sealed_with(sealed) == keys.in_use:
            continue
        try:
            new = reseal(sealed, keys, kind.place(name))
        except StorageError:
            broken.append(kind.place(name))
            continue
        piece.append((kind, name, sealed, new))
        if len(piece) == _PIECE:
            _write(database, piece)
            piece.clear()
    if piece:
        _write(database, piece)
    if broken:
        more = "" if len(broken) <= 3 else f" and {len(broken) - 3} more"
        raise StorageError(
            f"the secrets of {', '.join(broken[:3])}{more} cannot be decrypted; all "
            "others are encrypted with the new key",
            hint="set these secrets again, then run --finish; or restore a backup",
        )
    return count


def _write(database: Database, piece: list[tuple[_Kind, str, bytes, bytes]]) -> None:
    """Write a piece. What was changed meanwhile was sealed with the key in use."""
    with database.write_piece() as connection:
        for kind, name, before, after in piece:
            connection.execute(
                sa.update(kind.table)
                .where(kind.key == name, kind.table.c.sealed == before)
                .values(sealed=after)
            )
