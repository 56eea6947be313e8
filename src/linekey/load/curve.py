"""Locust's wire, kept to those who have the run's token: ZeroMQ with CURVE.

As Locust makes it, the wire asks nobody who he is, and is read by whoever is between.
CURVE (ZeroMQ's RFC 26) encrypts it and proves both ends: the master by its key, of
which workers have the public half, and workers by one that the token holds. A client
with another key, or with none, gets not one message through.

Rule: nobody is let in before the guard stands; without CURVE in the library nothing is
listened on.
"""

import os
from functools import partial
from types import SimpleNamespace

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"  # before the first import of Locust

import zmq
from locust import runners
from locust.rpc.zmqrpc import BaseSocket
from zmq.auth.thread import ThreadAuthenticator

from linekey.errors import InputError, LinekeyError
from linekey.load.token import Token

_DOMAIN = "linekey load"
_LINGER_MS = 2000
"""How long a worker's last words may take to leave."""


class _Server(BaseSocket):
    def __init__(self, token: Token, host: str, port: int) -> None:
        super().__init__(zmq.ROUTER, self.ipv4_only(host, port))
        context: zmq.Context[zmq.Socket[bytes]]
        context = zmq.Context.shadow(self.socket.context.underlying)
        self._guard = ThreadAuthenticator(context)
        self._guard.start()
        known = SimpleNamespace(callback=lambda _, key: key == token.client_public)
        self._guard.configure_curve_callback(_DOMAIN, known)
        self.socket.curve_secretkey = token.server_secret
        self.socket.curve_publickey = token.server_public
        self.socket.curve_server = True
        self.socket.setsockopt_string(zmq.ZAP_DOMAIN, _DOMAIN)
        self.socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        try:
            self.socket.bind(f"tcp://{host}:{port}")
        except zmq.ZMQError as error:
            self.close(0)
            why = zmq.strerror(error.errno or 0).lower()
            raise InputError(
                f"cannot listen on {host}:{port}: {why}",
                hint="give another --master HOST:PORT; port 0 takes a free one",
            ) from None
        endpoint = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.port = int(endpoint.rpartition(":")[2])

    def close(self, linger: int | None = None) -> None:
        super().close(linger)
        self._guard.stop()
        self.socket.context.term()


class _Client(BaseSocket):
    def __init__(self, token: Token, host: str, port: int, identity: str) -> None:
        super().__init__(zmq.DEALER, self.ipv4_only(host, port))
        self.socket.setsockopt(zmq.IDENTITY, identity.encode())
        self.socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self.socket.curve_serverkey = token.server_public
        self.socket.curve_secretkey = token.client_secret
        self.socket.curve_publickey = token.client_public
        self.socket.connect(f"tcp://{host}:{port}")


def new_token() -> Token:
    """Make the keys of a run."""
    server_public, server_secret = zmq.curve_keypair()
    client_public, client_secret = zmq.curve_keypair()
    return Token(server_public, client_public, client_secret, server_secret)


def use(token: Token) -> None:
    """Have Locust's runners in this process speak so. Raises LinekeyError."""
    if not zmq.has("curve"):
        raise LinekeyError(
            "this build of ZeroMQ has no CURVE, so nobody could be told apart",
            hint="pip install --force-reinstall pyzmq takes a wheel that has it",
        )
    wire = SimpleNamespace(
        Server=partial(_Server, token), Client=partial(_Client, token)
    )
    runners.rpc = wire  # type: ignore[assignment,attr-defined]
