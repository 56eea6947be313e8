"""A listener that is not for phones: plain HTTP on loopback, beyond it TLS alone.

TLS is with a certificate of its own, and never an old version. A renewed certificate is
read by itself, for the next connection; one that cannot be used leaves the old one in
use.
"""

import logging
import os
import socket
from pathlib import Path

import uvicorn

from linekey.certs.certificate import Certificate
from linekey.errors import LinekeyError
from linekey.server.preflight.checks import read_chain, read_key
from linekey.settings import LimitSettings
from linekey.tls.context import Identity, ServerContext, server_context
from linekey.tls.engine import ServerEngine
from linekey.tls.hello import ClientHello
from linekey.tls.policy import MODERN, PolicyChoice, choose_key
from linekey.tls.server_key import server_key
from linekey.wire.asgi_edge import Edge
from linekey.wire.door.listener import Door
from linekey.wire.door.refusal import Refusal
from linekey.wire.http_server import HttpServer

_log = logging.getLogger("linekey.status")


class ListenerTls:
    """A listener's certificate and key, read again when their files change."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._stamp = self._look()
        self._context, self.leaf = self._read()

    def _look(self) -> tuple[object, ...]:
        try:
            found = [os.stat(path) for path in self._files]
        except OSError:
            return ()
        return tuple((s.st_ino, s.st_size, s.st_mtime_ns) for s in found)

    def _read(self) -> tuple[ServerContext, Certificate]:
        chain = read_chain(self._files[0])
        context = server_context(
            Identity(chain, read_key(self._files[1], chain, self._files[0])),
            MODERN,
            verify=None,
            alpn=("http/1.1",),
            session_id_context=b"linekey management",
        )
        return context, chain[0]

    def choose(self, hello: ClientHello) -> PolicyChoice:
        """Choose for a client; ``engine_for`` sees to it that it gets no old TLS."""
        self._look_again()
        return choose_key(hello, [server_key(self.leaf)])

    def engine_for(self, choice: PolicyChoice, hello: ClientHello) -> ServerEngine:
        """Make the engine of a connection; whatever the hello, no old TLS."""
        return ServerEngine(self._context, hello=hello)

    def shown(self, choice: PolicyChoice) -> Certificate:
        """Give the certificate that a client is shown."""
        return self.leaf

    def _look_again(self) -> None:
        if (stamp := self._look()) != self._stamp:
            self._stamp = stamp
            try:
                self._context, self.leaf = self._read()
            except LinekeyError as error:
                _log.error(
                    "kept the old certificate of a listener: %s (%s)",
                    error.message,
                    error.hint,
                )


async def note_refused(refusals: list[Refusal], dropped: int) -> None:
    """Log who was refused at a listener that is not for phones."""
    for refusal in refusals:
        _log.info("refused %s: %s", refusal.peer[0], refusal.reason)
    if dropped:
        _log.info("refused %d more", dropped)


def side_server(
    app: Edge, listener: socket.socket, tls: ListenerTls | None, limits: LimitSettings
) -> Door | HttpServer:
    """Make the server of ``app`` on ``listener``; ``limits`` are those of TLS."""
    if tls is not None:
        return Door(
            app,
            tls,
            listener,
            limits=limits,
            on_refused=note_refused,
            drain_s=1.0,
        )
    config = uvicorn.Config(
        app,
        http="h11",  # which hands the target on as it came
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return HttpServer(config, listener)
