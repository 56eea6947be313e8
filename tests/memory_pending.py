"""What the application asks of rules and pending phones, without a store."""

from dataclasses import dataclass, field
from datetime import datetime

from linekey.mac import Mac
from linekey.provisioning.decision import Newcomer
from linekey.provisioning.device import Device
from linekey.provisioning.files import SharedLayers
from linekey.provisioning.pending import Adoption
from linekey.store.decisions import LogEntry
from linekey.store.registry import Authorities, Revision


class NothingKept:
    """A registry that keeps nothing in memory, and a log that has not looked yet."""

    counters: Revision | None = None

    def kept(self, mac: Mac, at: Revision) -> Device | None:
        return None

    def kept_layers(
        self, model: str | None, at: Revision, group: str | None = None
    ) -> SharedLayers | None:
        return None

    def kept_authorities(self, at: Revision) -> Authorities | None:
        return None

    async def record_if(self, entry: LogEntry, seen: Revision) -> bool:
        return False


@dataclass
class MemoryPending(NothingKept):
    """``devices`` is the registry's; a rule never takes over what is in it."""

    devices: dict[Mac, Device]
    rules: Adoption = field(default_factory=Adoption)
    refused: set[Mac] = field(default_factory=set)
    adopted: list[tuple[Mac, str]] = field(default_factory=list)

    async def adoption(self, at: Revision) -> Adoption:
        return self.rules

    async def is_refused(self, mac: Mac) -> bool:
        return mac in self.refused

    async def adopt(
        self, newcomer: Newcomer, rule: str, peer: str, now: datetime
    ) -> bool:
        found = self.rules.find(newcomer.mac, newcomer.vendor)
        if newcomer.mac in self.devices or found is None or found.name != rule:
            return False
        self.devices[newcomer.mac] = found.device(newcomer)
        self.adopted.append((newcomer.mac, rule))
        return True
