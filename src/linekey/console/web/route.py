"""A page of the console: its path, who answers it, and who may ask.

``ROUTES`` of each module are collected in ``app``; a test walks them all and sees that
nothing but log-in answers who is not logged in.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response

from linekey.console.web.visit import Visit

Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A page. What a handler asks of the API, the API checks; so ``is_keepers`` is for
    what the API does not know: users, tokens and secrets."""

    path: str
    """Behind ``/console/``, as Starlette writes it."""
    get: Handler | None
    post: Handler | None = None
    is_open: bool = False
    """Whether it answers who is not logged in."""
    is_keepers: bool = False
    """Whether it is for administrators who are not limited to groups."""
