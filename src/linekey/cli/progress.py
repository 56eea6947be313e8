"""A bar for what takes longer than a second, on stderr, for people only."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from linekey.cli.output import err_console

_AFTER_S = 1.0


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many more are done.

    Nothing is shown within the first second, nor where stderr is no terminal.
    """
    if not err_console.is_terminal:
        yield lambda count: None
        return
    began = time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=err_console,
        transient=True,
    )
    task = bar.add_task(what, total=total)

    def advance(count: int) -> None:
        bar.advance(task, count)
        if not bar.live.is_started and time.monotonic() - began > _AFTER_S:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()
