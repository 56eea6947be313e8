"""The registry, asked one question for each request while nothing changes.

``store.registry`` asks for the counters before each of its answers. A request needs
three answers, so here the counters are asked for once, and what was read under the
same counters is used again; whatever changed is read anew through the registry.

Rule: as there, nothing is ever older than the last commit before the request.
"""

from typing import Protocol

from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.service import SharedLayers
from linekey.store.registry import Authorities, Revision

MAX_DEVICES = 4096
"""Devices kept between two changes; as many as the registry keeps itself."""


class RegistryReader(Protocol):
    """What is asked of ``store.registry.Registry``."""

    async def revision(self) -> Revision:
        """Return the counters as they are now."""

    async def find(self, mac: Mac) -> Device | None:
        """Return the device as it is now."""

    async def layers(self, model: str | None) -> SharedLayers:
        """Return fleet's and model's layers as they are now."""

    async def authorities(self) -> Authorities:
        """Return the vendor CAs as they are now."""


class Reader:
    """Call ``look`` once at the beginning of a request, then ask."""

    def __init__(self, registry: RegistryReader) -> None:
        self._registry = registry
        self._seen: Revision | None = None
        self._devices: dict[Mac, Device] = {}
        self._layers: dict[str | None, SharedLayers] = {}
        self._authorities: Authorities | None = None

    async def look(self) -> None:
        """Forget what is not as it was. Raises StorageError."""
        now = await self._registry.revision()
        seen = self._seen
        if now == seen:
            return
        self._seen = now
        self._devices.clear()
        if seen is None or now.layers != seen.layers:
            self._layers.clear()
        if seen is None or now.trust != seen.trust:
            self._authorities = None

    async def find(self, mac: Mac) -> Device | None:
        """Return the device, as of the last look or later. Raises StorageError."""
        device = self._devices.get(mac)
        if device is None:
            seen = self._seen
            device = await self._registry.find(mac)
            # Kept only under the counters it was read under; strangers never.
            if device is not None and seen is self._seen:
                if len(self._devices) >= MAX_DEVICES:
                    del self._devices[next(iter(self._devices))]
                self._devices[mac] = device
        return device

    async def layers(self, model: str | None) -> SharedLayers:
        """Return the shared layers, as of the last look or later."""
        layers = self._layers.get(model)
        if layers is None:
            seen = self._seen
            layers = await self._registry.layers(model)
            if seen is self._seen and len(self._layers) < MAX_DEVICES:
                self._layers[model] = layers
        return layers

    async def authorities(self) -> Authorities:
        """Return the vendor CAs, as of the last look or later."""
        found = self._authorities
        if found is None:
            seen = self._seen
            found = await self._registry.authorities()
            if seen is self._seen:
                self._authorities = found
        return found
