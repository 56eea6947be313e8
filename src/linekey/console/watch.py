"""The forecast of lately, made anew now and then: for metrics, alerts and pages.

Rule: whoever asks gets what there is, at once. A newer one is made beside, in a thread
of its own; while the database is in trouble the older one stays, with its time. Who is
limited to groups has one of these groups alone.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from linekey.check.forecast import DEFAULT_AHEAD, Forecast, Served
from linekey.console.asking import Asking
from linekey.console.forecasting import ahead_of
from linekey.errors import InputError, StorageError
from linekey.provisioning.expired import Expired
from linekey.store.database import Database

_log = logging.getLogger("linekey.forecast")

RENEWED_AFTER: Final = timedelta(hours=1)
"""A forecast of 100,000 phones takes some seconds of a processor; what it says changes
with certificates and records, by days."""
_WITHIN_S: Final = 120.0
_AT_LEAST: Final = timedelta(seconds=30)
_SHARE: Final = 100
"""For who looks at pages it is made anew after so many times what it took: then it is a
hundredth of one processor's time."""
_MOST: Final = 16
"""Sets of groups whose forecasts are remembered."""

Groups = frozenset[str] | None
"""To which somebody is limited; None: not at all."""


@dataclass(frozen=True, slots=True)
class End:
    """One day's end by one cause. ``id`` stays while day and cause do."""

    id: str
    at: datetime
    phones: int
    sentence: str
    cause: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """A forecast as a few numbers."""

    made_at: datetime
    failing: int
    """Phones that lose a server or stop being recognised, each once."""
    failed: int
    """Phones of which that is so already."""
    next_end: dict[str, tuple[datetime, int]]
    """By kind of event: when the next is, and for how many phones."""
    ends: tuple[End, ...] = ()
    """All that ends, in order."""

    @classmethod
    def of(cls, found: Forecast) -> "Outlook":
        """Sum a forecast up."""
        next_end: dict[str, tuple[datetime, int]] = {}
        for event in found.ends:
            at, phones = next_end.get(event.kind, (event.at, 0))
            if event.at == at:
                next_end[event.kind] = at, phones + event.phones
        failed = {mac for event in found.already for mac in event.macs}
        ends = tuple(
            End(one.subject_id, one.at, one.phones, one.what, one.cause)
            for one in found.ends
        )
        return cls(found.made_at, found.failing, len(failed), next_end, ends)


_Versions = frozenset[int]
_ANY: _Versions = frozenset()


@dataclass(slots=True)
class _Kept:
    """What is remembered for one set of groups."""

    found: Forecast | None = None
    outlook: Outlook | None = None
    tried_at: datetime | None = None
    took: timedelta = timedelta(0)
    task: asyncio.Task[None] | None = None


class Watch:
    """Keeps forecasts and an outlook; close it."""

    def __init__(
        self,
        database: Database,
        served: Callable[[], Sequence[Served]],
        clock: Callable[[], datetime],
        expired: Expired = Expired.REFUSE,
    ) -> None:
        self._expired = expired
        self._database, self._served, self._clock = database, served, clock
        self._asking = Asking(database, 1, "forecast")
        self._kept: OrderedDict[tuple[Groups, _Versions], _Kept] = OrderedDict()

    def close(self) -> None:
        """Let the thread go."""
        self._asking.close()

    def latest(self) -> Outlook | None:
        """Return the outlook there is, None at first; begin a newer one if it is old.

        Only for the event loop.
        """
        kept, now = self._of(None), self._clock()
        if kept.tried_at is None or now - kept.tried_at >= RENEWED_AFTER:
            self._begin(None, kept, now)
        return kept.outlook

    async def kept(
        self, groups: Groups, max_age: timedelta, versions: _Versions = _ANY
    ) -> Forecast | None:
        """Return a forecast of all active phones that these groups have, made anew if
        it is older than that; None: it cannot be made, and the log says why.

        ``versions`` are those groups' (``Group.version``): what was made for a group is
        not for another one that has its name since.

        One that took long is made anew beside from time to time, so the next who asks
        gets a newer one. Only for the event loop.
        """
        kept, now = self._of(groups, versions), self._clock()
        fresh_for = max(_AT_LEAST, kept.took * _SHARE)
        if kept.tried_at is None or now - kept.tried_at >= fresh_for:
            self._begin(groups, kept, now)

        def is_good() -> bool:
            found = kept.found
            return found is not None and timedelta(0) <= now - found.made_at <= max_age

        if not is_good():
            self._begin(groups, kept, now)
            assert kept.task is not None
            # Shielded: it is made for all, and who asked may have gone.
            await asyncio.shield(kept.task)
        return kept.found if is_good() else None

    def _of(self, groups: Groups, versions: _Versions = _ANY) -> _Kept:
        kept = self._kept.setdefault((groups, versions), _Kept())
        self._kept.move_to_end((groups, versions))
        while len(self._kept) > _MOST:
            oldest = next(who for who in self._kept if who[0] is not None)
            if self._kept[oldest].task is not None:
                break
            del self._kept[oldest]
        return kept

    def _begin(self, groups: Groups, kept: _Kept, now: datetime) -> None:
        if kept.task is not None:
            return
        kept.tried_at = now

        def done(task: asyncio.Task[None]) -> None:
            kept.task = None
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.error("no forecast could be made", exc_info=error)

        kept.task = asyncio.get_running_loop().create_task(
            self._look(groups, kept, now)
        )
        kept.task.add_done_callback(done)

    async def _look(self, groups: Groups, kept: _Kept, now: datetime) -> None:
        servers, until = self._served(), now + DEFAULT_AHEAD
        database = self._database.acting(self._database.actor, groups)
        began = time.monotonic()
        try:
            found = await self._asking.ask(
                lambda: ahead_of(
                    database, servers, at=now, until=until, expired=self._expired
                ),
                _WITHIN_S,
            )
        except (StorageError, InputError) as error:
            _log.warning("no forecast could be made: %s", error.message)
            return
        kept.took = timedelta(seconds=time.monotonic() - began)
        kept.found = found
        kept.outlook = Outlook.of(found) if groups is None else None
