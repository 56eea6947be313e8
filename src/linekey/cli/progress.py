"""A bar for what takes longer than a second, on stderr, for people only.

Rules: nothing is shown within the first second, nor where stderr is no terminal. What
is a result stays on stdout, whatever the bar does.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from linekey.cli.output import err_console

_AFTER_S = 1.0


@contextmanager
def progress(
    what: str, total: int | None = None, *, shown: bool = True
) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many more are done.

    ``total`` None: nobody knows how many there are, or they are not counted; then the
    bar says only that it goes on. ``shown`` False: where results appear on the terminal
    meanwhile, which shows the same.
    """
    if not (shown and err_console.is_terminal):
        yield lambda count: None
        return
    from rich import progress as rich  # costs 30 ms

    columns: list[rich.ProgressColumn] = [
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.TimeElapsedColumn() if total is None else rich.MofNCompleteColumn(),
    ]
    bar = rich.Progress(
        *columns,
        console=err_console,
        transient=True,
        redirect_stdout=False,  # or a result would go to stderr
    )
    task = bar.add_task(what, total=total)
    # By a clock of its own: the first of many may take longer than that.
    start = threading.Timer(_AFTER_S, bar.start)
    start.daemon = True
    start.start()
    try:
        yield lambda count: bar.advance(task, count)
    finally:
        start.cancel()
        start.join()
        bar.stop()
