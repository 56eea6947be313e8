"""Who may join a load, and which phones are whose.

Rules: a worker has the very versions of the master, and comes before the load begins;
workers with the same table take turns in it, so that no phone runs twice; a phone of a
worker that is lost is nobody else's, since the server may still hold its connections.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from linekey.load.result import Lost, WorkerEnd


@dataclass(slots=True)
class Joined:
    """A worker that was admitted."""

    name: str
    phones: int
    """That it has."""
    digest: str
    """The same for the same table (``table.Table``)."""
    pid: int = 0
    """Of a worker that the master started; else 0."""
    share: int = 0
    """Phones that it is to run."""
    ready: bool = False
    trouble: str = ""
    """Why it cannot run them; empty where it can."""
    end: WorkerEnd | None = None
    lost: Lost | None = None

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Self:
        """Read what it says of itself. Raises KeyError or ValueError."""
        name, digest = str(said["name"])[:80], str(said["digest"])
        return cls(name, int(said["phones"]), digest, int(said["pid"]))

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come from it."""
        return self.end is not None or self.lost is not None


@dataclass(frozen=True, slots=True)
class Share:
    """A worker's phones: of its table from ``first`` on every ``step``-th."""

    first: int
    step: int
    count: int


def refusal(said: Mapping[str, Any], versions: str, begun: bool) -> str:
    """Why a worker may not join, a sentence; empty where it may."""
    theirs = str(said.get("versions"))[:80]
    if theirs != versions:
        return f"it has {theirs}, and the master {versions}: install the same"
    if begun:
        return "the load runs already: start the worker before it begins"
    return ""


def share(workers: Sequence[Joined], phones: int) -> list[Share]:
    """Share phones among the workers; sets ``share`` and ``trouble`` of each."""
    shares = []
    for place, worker in enumerate(workers):
        same = [w for w in workers if w.digest == worker.digest]
        first = next(n for n, w in enumerate(same) if w is worker)
        worker.share = len(range(place, phones, len(workers)))
        have = len(range(first, worker.phones, len(same)))
        if have < worker.share:
            worker.trouble = (
                f"it has {have} phones of its own, and is to run {worker.share}; give "
                "a longer table with --phones-from, or fewer --phones"
            )
        shares.append(Share(first, len(same), worker.share))
    return shares
