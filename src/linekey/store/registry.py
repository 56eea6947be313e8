"""How the server reads the registry: at every request, as it is at that moment.

A request first asks for the counters in ``revision`` (one row), and gives them to each
of its questions; what was read before is used again only if its counter, or the
device's own version, still is the same. So what ``linekey device revoke`` did in
another process holds at the very next request, and yet a fleet that nobody changes is
read from memory.

On SQLite a look is a few microseconds in the process itself and happens on the event
loop; PostgreSQL is asked from a thread, so that the loop never waits for it.

Rules: nothing here is ever older than the counters it is asked with. An answer comes
within ``ANSWER_WITHIN_S``, or a StorageError; a lock of SQLite is asked for again
meanwhile, a connection that broke is replaced once. No thread stays with a server that
hangs.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import sqlalchemy as sa

from linekey.catalog.vendors import OperatorRule
from linekey.certs.certificate import Certificate
from linekey.errors import Cause, StorageError
from linekey.mac import Mac
from linekey.provisioning.ca_rules import Rules, rules_of
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer
from linekey.provisioning.service import SharedLayers
from linekey.store.database import Database
from linekey.store.deadline import within
from linekey.store.layers import FLEET
from linekey.store.records import (
    DEVICE_COLUMNS,
    read_device,
    read_layer,
    read_rule,
)
from linekey.store.schema import devices, layers, revision, vendor_cas
from linekey.store.trouble import storage_error

MAX_CACHED = 4096
"""Devices kept read, in each worker; some 4 kB each. More are read anew."""

ANSWER_WITHIN_S = 2.0
"""Seconds for an answer. A phone that waits has given up after some 5."""
_AGAIN_S = 0.05  # until SQLite's lock is asked for again

_THREADS = 4  # questions to PostgreSQL at once, in each worker

T = TypeVar("T")


class Revision(NamedTuple):
    """The counters: of every change, of those of layers, of those of vendor CAs."""

    registry: int
    layers: int
    trust: int


@dataclass(frozen=True, slots=True)
class Authorities:
    """The vendor CAs. ``version`` changes whenever they or their rules do."""

    roots: tuple[Certificate, ...]
    intermediates: tuple[Certificate, ...]
    version: int
    rules: Rules = field(default_factory=dict)
    """What the operator says of the phones of some of them."""


class Registry:
    """The reader. One a process and event loop; close it, or use it in a ``with``.

    ``at`` is what ``revision`` said just before. A change between the two makes what is
    kept look older than it is, never newer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._look: _Look = (
            _SqliteLook(database) if database.is_sqlite else _SqlLook(database)
        )
        self._pool = (
            None
            if database.is_sqlite
            else ThreadPoolExecutor(_THREADS, thread_name_prefix="registry")
        )
        self._devices: dict[Mac, tuple[int, Device]] = {}
        self._layers: dict[str | None, tuple[int, SharedLayers]] = {}
        self._authorities: Authorities | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._look.close()

    async def find(self, mac: Mac, at: Revision) -> Device | None:
        """Return the device, or None. Raises StorageError."""
        counter, before = self._devices.get(mac, (None, None))
        if counter == at.registry:
            return before
        device = await self._ask(lambda: self._read_device(mac, before))
        # Strangers are not kept: who knocks with a million MACs fills no memory.
        self._devices.pop(mac, None)
        if device is not None:
            if len(self._devices) >= MAX_CACHED:
                # In order of reading; one who is asked for often comes back at once.
                del self._devices[next(iter(self._devices))]
            self._devices[mac] = (at.registry, device)
        return device

    async def layers(self, model: str | None, at: Revision) -> SharedLayers:
        """Return the fleet's layer and that of ``model`` (its catalogue name). Raises
        StorageError."""
        cached = self._layers.get(model)
        if cached is not None and cached[0] == at.layers:
            return cached[1]
        shared = await self._ask(lambda: self._read_layers(model))
        if model in self._layers or len(self._layers) < MAX_CACHED:
            self._layers[model] = (at.layers, shared)
        return shared

    async def authorities(self, at: Revision) -> Authorities:
        """Return the vendor CAs. Raises StorageError."""
        if self._authorities is None or self._authorities.version != at.trust:
            self._authorities = await self._ask(lambda: self._read_authorities(at))
        return self._authorities

    async def revision(self) -> Revision:
        """Return the counters as they are now. Raises StorageError."""
        return await self._ask(self._look.revision)

    async def _ask(self, question: Callable[[], T]) -> T:
        if self._pool is None:
            try:
                return question()  # a few microseconds: not worth a timer
            except StorageError as error:
                if error.cause is not Cause.BUSY:
                    raise
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                if self._pool is None:
                    return await self._ask_here(question)
                return await asyncio.get_running_loop().run_in_executor(
                    self._pool, _bounded, question
                )
        except TimeoutError:
            raise StorageError(
                f"{self._database.name} has not answered within {ANSWER_WITHIN_S:g} s",
                hint="look at its load, and at the network before it",
                cause=Cause.SLOW,
            ) from None

    async def _ask_here(self, question: Callable[[], T]) -> T:
        until = asyncio.get_running_loop().time() + ANSWER_WITHIN_S - 2 * _AGAIN_S
        while True:
            try:
                return question()
            except StorageError as error:
                now = asyncio.get_running_loop().time()
                if error.cause is not Cause.BUSY or now >= until:
                    raise
            await asyncio.sleep(_AGAIN_S)

    def _read_device(self, mac: Mac, before: Device | None) -> Device | None:
        # Something changed; mostly something else.
        if before is not None and self._look.version(mac) == before.version:
            return before
        row = self._look.device(mac)
        return None if row is None else read_device(row, self._database.keys)

    def _read_layers(self, model: str | None) -> SharedLayers:
        scopes = [FLEET] if model is None else [FLEET, f"model:{model}"]
        rows = {row[0]: row for row in self._look.layers(scopes)}
        found = []
        for scope in (FLEET, f"model:{model}"):
            row = rows.get(scope)
            if row is None:
                found.append((Layer(), 0))
            else:
                layer = read_layer(row[0], row[1], row[2], self._database.keys)
                found.append((layer, int(row[3])))
        (fleet, fleet_version), (own, own_version) = found
        return SharedLayers(fleet, own, (fleet_version, own_version))

    def _read_authorities(self, at: Revision) -> Authorities:
        by_role: dict[str, list[Certificate]] = {"root": [], "intermediate": []}
        said: list[tuple[Certificate, OperatorRule | None]] = []
        for role, der, rule, vendor in self._look.vendor_cas():
            certificate = Certificate.from_der(bytes(der))
            by_role[role].append(certificate)
            said.append((certificate, read_rule(rule, vendor)))
        return Authorities(
            tuple(by_role["root"]),
            tuple(by_role["intermediate"]),
            at.trust,
            rules_of(said),
        )


def _bounded(question: Callable[[], T]) -> T:
    with within(ANSWER_WITHIN_S):
        return question()


class _Look(Protocol):
    """The five questions, asked of one kind of database."""

    def revision(self) -> Revision: ...
    def version(self, mac: Mac) -> int | None: ...
    def device(self, mac: Mac) -> Any: ...
    def layers(self, scopes: list[str]) -> list[Any]: ...
    def vendor_cas(self) -> list[Any]: ...
    def close(self) -> None: ...


_REVISION = sa.select(revision.c.registry, revision.c.layers, revision.c.trust)
_VERSION = sa.select(devices.c.version).where(devices.c.mac == sa.bindparam("mac"))
_DEVICE = sa.select(*(devices.c[name] for name in DEVICE_COLUMNS)).where(
    devices.c.mac == sa.bindparam("mac")
)
_LAYERS = sa.select(layers.c.scope, layers.c.layer, layers.c.sealed, layers.c.version)
_CAS = sa.select(
    vendor_cas.c.role, vendor_cas.c.der, vendor_cas.c.rule, vendor_cas.c.vendor
).order_by(vendor_cas.c.sha256)


def _counters(rows: list[Any]) -> Revision:
    if not rows:
        raise StorageError(
            "the database has lost its counters",
            hint="restore it from backup",
            cause=Cause.DAMAGED,
        )
    return Revision._make(rows[0])


class _SqliteLook:
    """On a connection of the driver's own: SQLAlchemy would cost ten times as much."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._name = database.name
        # Waiting for a lock is the loop's to do, not the driver's, which would stop it.
        self._connection: sqlite3.Connection = database.raw_connection(busy_s=0)
        dialect = database.engine.dialect
        self._revision, self._version, self._device, self._all_layers, self._cas = (
            str(query.compile(dialect=dialect))
            for query in (_REVISION, _VERSION, _DEVICE, _LAYERS, _CAS)
        )

    def _all(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise storage_error(self._name, error) from None

    def revision(self) -> Revision:
        self._database.check_file()
        return _counters(self._all(self._revision))

    def version(self, mac: Mac) -> int | None:
        rows = self._all(self._version, (mac.digits,))
        return rows[0][0] if rows else None

    def device(self, mac: Mac) -> Any:
        rows = self._all(self._device, (mac.digits,))
        return rows[0] if rows else None

    def layers(self, scopes: list[str]) -> list[Any]:
        return [row for row in self._all(self._all_layers) if row[0] in scopes]

    def vendor_cas(self) -> list[Any]:
        return self._all(self._cas)

    def close(self) -> None:
        self._connection.close()


class _SqlLook:
    """Through SQLAlchemy's pool, from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def _all(self, query: Any, **values: Any) -> list[Any]:
        try:
            return self._once(query, values)
        except StorageError as error:
            if error.cause is not Cause.UNREACHABLE:
                raise
        # It went away between the pool's ping and the question: reading does no harm.
        return self._once(query, values)

    def _once(self, query: Any, values: dict[str, Any]) -> list[Any]:
        with self._database.read() as connection:
            return list(connection.execute(query, values).all())

    def revision(self) -> Revision:
        return _counters(self._all(_REVISION))

    def version(self, mac: Mac) -> int | None:
        rows = self._all(_VERSION, mac=mac.digits)
        return rows[0][0] if rows else None

    def device(self, mac: Mac) -> Any:
        rows = self._all(_DEVICE, mac=mac.digits)
        return rows[0] if rows else None

    def layers(self, scopes: list[str]) -> list[Any]:
        return self._all(_LAYERS.where(layers.c.scope.in_(scopes)))

    def vendor_cas(self) -> list[Any]:
        return self._all(_CAS)

    def close(self) -> None:
        """Nothing of its own to close."""
