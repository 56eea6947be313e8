"""The fleet's, groups' and models' layers, and by which name each layer goes.

A layer's scope is ``fleet``, ``group:acme``, ``model:D785`` or ``device:000413AABBCC``.
They are laid over each other in this order (``Layers.of``). The last is part of the
device's record, so ``Layers`` passes it on to ``Devices``.

Rule: a change reads the layer inside its own transaction, and is all or nothing.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.catalog.models import find_model
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.makers.all import find_other
from linekey.provisioning.device import Device
from linekey.provisioning.difference import between_layers
from linekey.provisioning.document import Layer
from linekey.provisioning.files import SharedLayers
from linekey.provisioning.format import maker_of_record
from linekey.provisioning.group import parse_group
from linekey.provisioning.pending import TAKEN_BACK, TAKEN_BACK_NEUTRAL
from linekey.said import say
from linekey.store.changes import Changed, put_on_record
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.known_groups import known_groups, no_group
from linekey.store.marks import keep_marks, marked_names, unmark
from linekey.store.records import layer_values, read_layer
from linekey.store.schema import layers, to_us

FLEET, GROUP = "fleet", "group"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which layer: ``text`` is its name; ``mac`` is set for a device's own, and
    ``of_group`` for a group's."""

    text: str
    mac: Mac | None = None
    of_group: str | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def maker(self) -> str | None:
        """Whose a setting's bare name is in it; None: that of the device's vendor."""
        if self.mac is not None:
            return None
        kind, _, name = self.text.partition(":")
        found = find_other(name) if kind == "model" else None
        return "snom" if found is None else found.maker

    @classmethod
    def fleet(cls) -> "Scope":
        """The layer of all phones."""
        return cls(FLEET)

    @classmethod
    def group(cls, name: str) -> "Scope":
        """The layer of a group. Raises InputError for what is no group's name."""
        name = parse_group(name)
        return cls(f"{GROUP}:{name}", of_group=name)

    @classmethod
    def model(cls, name: str) -> "Scope":
        """The layer of a model. Raises InputError for an unknown one."""
        return cls(f"model:{find_model(name).name}")

    @classmethod
    def device(cls, mac: Mac) -> "Scope":
        """The layer of one device."""
        return cls(f"device:{mac}", mac)

    @classmethod
    def parse(cls, text: str) -> "Scope":
        """Read what an operator types: ``fleet``, ``group:acme``, ``model:D785`` or
        ``device:MAC``.

        A bare MAC or model name is fine too. Raises InputError.
        """
        kind, colon, rest = text.strip().partition(":")
        if not colon and kind.lower() == FLEET:
            return cls.fleet()
        if colon and kind.lower() == GROUP:
            return cls.group(rest)
        if colon and kind.lower() == "model":
            return cls.model(rest)
        if colon and kind.lower() == "device":
            return cls.device(parse_mac(rest))
        with suppress(InputError):
            return cls.device(parse_mac(text))
        with suppress(InputError):
            return cls.model(text)
        raise InputError(
            say("not a layer: %(text)s", text=repr(text)),
            hint=say("write fleet, group:NAME, model:D785 or device:000413AABBCC"),
        )


class Layers:
    """The layers, to change and to list."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._devices = Devices(database)

    def get(self, scope: Scope) -> Layer:
        """Return a layer; an empty one if nothing was ever set there.

        Raises InputError if it is that of a device or group that is not there.
        """
        return self.get_with_version(scope)[0]

    def get_with_version(self, scope: Scope) -> tuple[Layer, int]:
        """Return a layer and its version: 0 for one that was never set."""
        if scope.mac is not None:
            device = self._devices.get(scope.mac)
            return device.layer, device.version
        with self._database.read() as connection:
            self._check(connection, scope)
            return self._read(connection, scope.text)

    def _read(self, connection: Connection, scope: str) -> tuple[Layer, int]:
        wanted = sa.select(layers).where(layers.c.scope == scope)
        row = connection.execute(wanted).first()
        if row is None:
            return Layer(), 0
        keys = self._database.keys
        return read_layer(row.scope, row.layer, row.sealed, keys), int(row.version)

    def _check(self, connection: Connection, scope: Scope) -> None:
        """Refuse a group's layer where there is no such group, and any but a group's
        to who is limited to groups. Raises InputError."""
        within = self._database.within
        known = known_groups(connection, within)
        if scope.of_group is not None and scope.of_group not in known:
            raise no_group(scope.of_group, known, within)
        if scope.of_group is None and within is not None:
            raise InputError(
                f"the layer {scope} is for more than the groups "
                + ", ".join(sorted(within)),
                hint=say("see the layers of these groups, or a phone's whole file"),
            )

    def of(self, device: Device) -> list[tuple[str, Layer]]:
        """Return the layers that make a device's file by their names, the lowest
        first; the last is its own."""
        maker = maker_of_record(device)
        others = maker is not None and not maker.snom_like
        back = TAKEN_BACK_NEUTRAL if others else TAKEN_BACK
        first = [("waiting file, taken back", back)] if device.waited else []
        scopes = [FLEET]
        scopes += [f"{GROUP}:{device.group}"] if device.group else []
        scopes += [f"model:{device.model}"] if device.model else []
        with self._database.read() as connection:
            found = [(scope, self._read(connection, scope)[0]) for scope in scopes]
        return [*first, *found, ("device", device.layer)]

    def shared(self, device: Device) -> SharedLayers:
        """Return the layers below a device's own, to render its file once."""
        found = dict(self.of(device))
        empty = Layer()
        return SharedLayers(
            found[FLEET],
            found.get(f"model:{device.model}", empty),
            (),
            of_group=found.get(f"{GROUP}:{device.group}", empty),
        )

    def scopes(self) -> list[str]:
        """Return the names of all layers but devices' that hold something."""
        query = sa.select(layers.c.scope).order_by(layers.c.scope)
        if (within := self._database.within) is not None:
            names = [f"{GROUP}:{group}" for group in sorted(within)]
            query = query.where(layers.c.scope.in_(names))
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def marks(self) -> frozenset[str]:
        """Return the names of settings that are marked as secrets, in lower case."""
        with self._database.read() as connection:
            return marked_names(connection)

    def unmark(self, names: Collection[str]) -> None:
        """Forget marks of names; what is stored under them stays sealed.

        Raises InputError for a name that is not marked.
        """
        with self._database.change("layers") as connection:
            unmark(connection, names)
            gone = [Changed("remove", f"mark {name.lower()}", ()) for name in names]
            put_on_record(connection, self._database.actor, gone)

    def change(
        self,
        scope: Scope,
        how: Callable[[Layer], Layer],
        now: datetime,
        version_is: Callable[[int], None] = lambda version: None,
    ) -> Layer:
        """Change a layer by ``how``, which gets it as it is now; return it changed.

        ``version_is`` is told the layer's version first, 0 where there is none. Raises
        InputError if it is that of a device or group that is not there, and whatever
        ``how`` and ``version_is`` raise; then nothing is changed.
        """
        if scope.mac is not None:

            def change(device: Device) -> Device:
                version_is(device.version)
                return replace(device, layer=how(device.layer))

            return self._devices.change(scope.mac, change, now).layer
        keys = self._database.keys
        with self._database.change("layers") as connection:
            self._check(connection, scope)
            row = connection.execute(
                sa.select(layers).where(layers.c.scope == scope.text)
            ).first()
            before = Layer()
            if row is not None:
                before = read_layer(row.scope, row.layer, row.sealed, keys)
            version_is(0 if row is None else row.version)
            after = how(before)
            if after == before:
                return before
            (after,), fresh = keep_marks(
                connection, keys, [after], now, [before],
                may_mark=self._database.within is None,
            )  # fmt: skip
            values = layer_values(scope.text, after, keys)
            values["changed_at"] = to_us(now)
            if row is None:
                connection.execute(
                    sa.insert(layers).values(scope=scope.text, version=1, **values)
                )
            else:
                connection.execute(
                    sa.update(layers)
                    .where(layers.c.scope == scope.text)
                    .values(version=row.version + 1, **values)
                )
            action = "add" if row is None else "change"
            details = between_layers(before, after)
            done = Changed(action, f"layer {scope}", details, group=scope.of_group)
            put_on_record(connection, self._database.actor, [done], now)
        if fresh:
            self._database.forget_deleted()
        return after
