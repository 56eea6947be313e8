"""uvicorn on a socket that is bound already, as an async context manager.

For plain HTTP: the status page, and the door behind a proxy. uvicorn's own ``serve``
takes the process's signals, which are the caller's here.
"""

import asyncio
import socket
from types import TracebackType
from typing import Self

import uvicorn


class HttpServer:
    """One uvicorn server on ``listener``, which stays the caller's."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._server.server_state.connections)

    async def __aenter__(self) -> Self:
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[self._listener.dup()])
        self._task = asyncio.get_running_loop().create_task(self._server.main_loop())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        await self._server.shutdown()
