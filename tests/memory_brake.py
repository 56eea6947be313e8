"""The brake's counts in memory: the rules of ``provisioning.brake``, without a store."""

from dataclasses import dataclass, field
from datetime import datetime

from linekey.mac import Mac
from linekey.provisioning.brake import Attempts, Tally, Verdict, judge


@dataclass
class MemoryBrake:
    """What ``ProvisioningApp`` asks for; ``tallies`` and ``homes`` are its rows."""

    tallies: dict[object, Tally] = field(default_factory=dict)
    homes: dict[Mac, tuple[str, str | None]] = field(default_factory=dict)
    asked: int = 0

    async def judge(
        self, mac: Mac, source: str, leaf: str | None, *, right: bool, now: datetime
    ) -> Verdict:
        self.asked += 1
        keys: dict[str, object] = {
            "pair": (mac, source), "device": mac, "source": source, "own": (mac,),
        }  # fmt: skip
        found = {name: self.tallies.get(key, Tally()) for name, key in keys.items()}
        home = self.homes.get(mac) == (source, leaf)
        verdict, after = judge(Attempts(**found, at_home=home), right=right, now=now)
        for name, key in keys.items():
            self.tallies[key] = getattr(after, name)
        if right and verdict.read:
            self.homes[mac] = (source, leaf)
        return verdict
