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
from collections.abc import Callable, Mapping, Sequence
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
from linekey.provisioning.expired import Expired
from linekey.provisioning.files import SharedLayers
from linekey.provisioning.pending import Adoption, Policy
from linekey.store.adoption import read_adoption_rule
from linekey.store.database import Database
from linekey.store.deadline import within
from linekey.store.layers import FLEET, GROUP
from linekey.store.records import (
    DEVICE_COLUMNS,
    GROUP_COLUMNS,
    read_device,
    read_expired,
    read_group,
    read_layer,
    read_policy,
    read_rule,
)
from linekey.store.schema import (
    adoption_rules,
    devices,
    groups,
    layers,
    pending,
    revision,
    vendor_cas,
)
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
    pending: Mapping[str, Policy] = field(default_factory=dict)
    """What their phones get that nobody registered, by the SHA-256 of the CA's key."""
    expired: Mapping[str, Expired] = field(default_factory=dict)
    """What their phones' certificates are worth after their end, by the same."""


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
        self._layers: dict[tuple[str | None, str | None], tuple[int, SharedLayers]] = {}
        self._authorities: Authorities | None = None
        self._adoption: tuple[int, Adoption] | None = None

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

    async def layers(
        self, model: str | None, at: Revision, group: str | None = None
    ) -> SharedLayers:
        """Return the fleet's layer, that of ``group`` with the group, and that of
        ``model`` (its catalogue name). Raises StorageError."""
        wanted = group, model
        cached = self._layers.get(wanted)
        if cached is not None and cached[0] == at.layers:
            return cached[1]
        shared = await self._ask(lambda: self._read_layers(model, group))
        if cached is None and len(self._layers) >= MAX_CACHED:
            del self._layers[next(iter(self._layers))]
        self._layers[wanted] = (at.layers, shared)
        return shared

    async def authorities(self, at: Revision) -> Authorities:
        """Return the vendor CAs. Raises StorageError."""
        if self._authorities is None or self._authorities.version != at.trust:
            self._authorities = await self._ask(lambda: self._read_authorities(at))
        return self._authorities

    async def adoption(self, at: Revision) -> Adoption:
        """Return the rules for phones that are expected. Raises StorageError."""
        if self._adoption is None or self._adoption[0] != at.layers:
            rows = await self._ask(self._look.adoption_rules)
            rules = tuple(map(read_adoption_rule, map(_Rule._make, rows)))
            self._adoption = at.layers, Adoption(rules)
        return self._adoption[1]

    # What is kept in memory, without a look: for who has it looked at afterwards

    def kept(self, mac: Mac, at: Revision) -> Device | None:
        """Return the device if it is kept as of ``at``."""
        counter, device = self._devices.get(mac, (None, None))
        return device if counter == at.registry else None

    def kept_layers(
        self, model: str | None, at: Revision, group: str | None = None
    ) -> SharedLayers | None:
        """Return what ``layers`` would, if it is kept as of ``at``."""
        kept = self._layers.get((group, model))
        return None if kept is None or kept[0] != at.layers else kept[1]

    def kept_authorities(self, at: Revision) -> Authorities | None:
        """Return the vendor CAs if they are kept as of ``at``."""
        kept = self._authorities
        return None if kept is None or kept.version != at.trust else kept

    async def is_refused(self, mac: Mac) -> bool:
        """Whether the operator refused this phone while it was pending.

        Asked anew each time: a pending phone has no version. Raises StorageError.
        """
        return await self._ask(lambda: self._look.is_refused(mac))

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

    def _read_layers(self, model: str | None, group: str | None) -> SharedLayers:
        its = None if group is None else self._look.group(group)
        scopes = [
            FLEET,
            None if model is None else f"model:{model}",
            None if its is None else f"{GROUP}:{group}",
        ]
        rows = {
            row[0]: row
            for row in self._look.layers([scope for scope in scopes if scope])
        }
        found = []
        for scope in scopes:
            row = rows.get(scope)
            if row is None:
                found.append((Layer(), 0))
            else:
                layer = read_layer(row[0], row[1], row[2], self._database.keys)
                found.append((layer, int(row[3])))
        (fleet, _), (own, _), (of_group, _) = found
        return SharedLayers(
            fleet,
            own,
            tuple(version for _, version in found),
            None if its is None else read_group(its),
            of_group,
        )

    def _read_authorities(self, at: Revision) -> Authorities:
        by_role: dict[str, list[Certificate]] = {"root": [], "intermediate": []}
        said: list[tuple[Certificate, OperatorRule | None]] = []
        policies: dict[str, Policy] = {}
        ended: dict[str, Expired] = {}
        for role, der, rule, vendor, policy, expired in self._look.vendor_cas():
            certificate = Certificate.from_der(bytes(der))
            if (word := read_expired(expired)) is not None:
                ended[certificate.public_key_sha256] = word
            if (its := read_policy(policy)) is not None:
                policies[certificate.public_key_sha256] = its
            by_role[role].append(certificate)
            said.append((certificate, read_rule(rule, vendor)))
        return Authorities(
            tuple(by_role["root"]),
            tuple(by_role["intermediate"]),
            at.trust,
            rules_of(said),
            policies,
            ended,
        )


def _bounded(question: Callable[[], T]) -> T:
    with within(ANSWER_WITHIN_S):
        return question()


class _Look(Protocol):
    """The questions, asked of one kind of database."""

    def revision(self) -> Revision: ...
    def version(self, mac: Mac) -> int | None: ...
    def device(self, mac: Mac) -> Any: ...
    def layers(self, scopes: list[str]) -> list[Any]: ...
    def group(self, name: str) -> Any: ...
    def vendor_cas(self) -> list[Any]: ...
    def adoption_rules(self) -> list[Any]: ...
    def is_refused(self, mac: Mac) -> bool: ...
    def close(self) -> None: ...


_REVISION = sa.select(revision.c.registry, revision.c.layers, revision.c.trust)
_VERSION = sa.select(devices.c.version).where(devices.c.mac == sa.bindparam("mac"))
_DEVICE = sa.select(*(devices.c[name] for name in DEVICE_COLUMNS)).where(
    devices.c.mac == sa.bindparam("mac")
)
_PLACES = ("one", "two", "three")
_LAYERS = sa.select(
    layers.c.scope, layers.c.layer, layers.c.sealed, layers.c.version
).where(layers.c.scope.in_([sa.bindparam(name) for name in _PLACES]))
_GROUP = sa.select(*(groups.c[name] for name in GROUP_COLUMNS)).where(
    groups.c.name == sa.bindparam("name")
)
_CAS = sa.select(
    vendor_cas.c.role,
    vendor_cas.c.der,
    vendor_cas.c.rule,
    vendor_cas.c.vendor,
    vendor_cas.c.pending,
    vendor_cas.c.expired,
).order_by(vendor_cas.c.sha256)


class _Rule(NamedTuple):
    name: str
    ranges: str
    label: str
    group: str | None
    model: str | None
    vendor: str
    adopts: int  # fmt: skip


_RULES = sa.select(*(adoption_rules.c[name] for name in _Rule._fields)).order_by(
    adoption_rules.c.name
)
_REFUSED = sa.select(pending.c.mac).where(
    pending.c.mac == sa.bindparam("mac"),
    pending.c.state == sa.literal_column("'refused'"),
)


def _three(scopes: list[str]) -> tuple[str, ...]:
    """Up to three scopes as the three that ``_LAYERS`` asks for."""
    return (*scopes, *[FLEET] * (3 - len(scopes)))


def counters_of(rows: Sequence[Any]) -> Revision:
    """Read the one row of ``revision``. Raises StorageError where it is not there."""
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
        queries = (
            _REVISION, _VERSION, _DEVICE, _LAYERS, _GROUP, _CAS, _RULES, _REFUSED,
        )  # fmt: skip
        (
            self._revision, self._version, self._device, self._layers, self._group,
            self._cas, self._rules, self._refused,
        ) = (str(query.compile(dialect=dialect)) for query in queries)  # fmt: skip

    def _all(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise storage_error(self._name, error) from None

    def revision(self) -> Revision:
        self._database.check_file()
        return counters_of(self._all(self._revision))

    def version(self, mac: Mac) -> int | None:
        rows = self._all(self._version, (mac.digits,))
        return rows[0][0] if rows else None

    def device(self, mac: Mac) -> Any:
        rows = self._all(self._device, (mac.digits,))
        return rows[0] if rows else None

    def layers(self, scopes: list[str]) -> list[Any]:
        return self._all(self._layers, _three(scopes))

    def group(self, name: str) -> Any:
        rows = self._all(self._group, (name,))
        return rows[0] if rows else None

    def vendor_cas(self) -> list[Any]:
        return self._all(self._cas)

    def adoption_rules(self) -> list[Any]:
        return self._all(self._rules)

    def is_refused(self, mac: Mac) -> bool:
        return bool(self._all(self._refused, (mac.digits,)))

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
        return counters_of(self._all(_REVISION))

    def version(self, mac: Mac) -> int | None:
        rows = self._all(_VERSION, mac=mac.digits)
        return rows[0][0] if rows else None

    def device(self, mac: Mac) -> Any:
        rows = self._all(_DEVICE, mac=mac.digits)
        return rows[0] if rows else None

    def layers(self, scopes: list[str]) -> list[Any]:
        return self._all(_LAYERS, **dict(zip(_PLACES, _three(scopes), strict=True)))

    def group(self, name: str) -> Any:
        rows = self._all(_GROUP, name=name)
        return rows[0] if rows else None

    def vendor_cas(self) -> list[Any]:
        return self._all(_CAS)

    def adoption_rules(self) -> list[Any]:
        return self._all(_RULES)

    def is_refused(self, mac: Mac) -> bool:
        return bool(self._all(_REFUSED, mac=mac.digits))

    def close(self) -> None:
        """Nothing of its own to close."""
