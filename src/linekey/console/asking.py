"""The database asked from the event loop, in threads of which there are few.

Rule: who hangs keeps no more than these threads, and whoever asks is told in time.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from linekey.errors import Cause, StorageError
from linekey.store.database import Database
from linekey.store.deadline import within

T = TypeVar("T")


class Asking:
    """A few threads for one database's questions; close it."""

    def __init__(self, database: Database, threads: int, name: str) -> None:
        self._database = database
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def close(self) -> None:
        """Let the threads go; what they still read is thrown away."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def ask(self, question: Callable[[], T], within_s: float) -> T:
        """Ask; raises StorageError if there is no answer within so many seconds."""

        def bounded() -> T:
            with within(within_s):
                return question()

        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(within_s):
                return await loop.run_in_executor(self._pool, bounded)
        except TimeoutError:
            raise StorageError(
                f"{self._database.name} has not answered within {within_s:g} s",
                hint="look at its load, and at the network before it",
                cause=Cause.SLOW,
            ) from None
