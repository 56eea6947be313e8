"""Locust's wire: who has not the run's token gets not a word in, and nobody reads."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest
import zmq

from linekey.errors import InputError
from linekey.load.token import Token

if TYPE_CHECKING:
    from linekey.load.curve import _Server

WORD = b"https://prov.example.com of the order"


@cache
def token() -> Token:
    return new_token()


def new_token() -> Token:
    from linekey.load.curve import new_token  # Locust, which few tests need

    return new_token()


def listen(port: int = 0) -> "_Server":
    from linekey.load.curve import _Server

    return _Server(token(), "127.0.0.1", port)


@pytest.fixture
def server() -> Iterator["_Server"]:
    made = listen()
    yield made
    made.close(0)


@contextmanager
def client(port: int, given: Token | None) -> Iterator["zmq.Socket[bytes]"]:
    context = zmq.Context()
    with context.socket(zmq.DEALER) as talking:
        talking.setsockopt(zmq.LINGER, 0)
        if given is not None:
            talking.curve_serverkey = given.server_public
            talking.curve_publickey = given.client_public
            talking.curve_secretkey = given.client_secret
        talking.connect(f"tcp://127.0.0.1:{port}")
        yield talking
    context.term()


def heard(server: "_Server", given: Token | None) -> bytes | None:
    with client(server.port, given) as talking:
        talking.send(WORD)
        if not server.socket.poll(1500):
            return None
        return bytes(server.socket.recv_multipart()[1])


def test_only_who_has_the_token_is_heard(server: "_Server") -> None:
    other = new_token()
    assert heard(server, None) is None
    assert heard(server, other) is None
    stolen = replace(other, server_public=token().server_public)
    assert heard(server, stolen) is None  # a key that the guard does not know
    assert heard(server, token()) == WORD


def test_nothing_can_be_read_on_the_way(server: "_Server") -> None:
    seen = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as between:

        def carry(source: socket.socket, to: socket.socket) -> None:
            with source, to:
                while data := source.recv(65536):
                    seen.extend(data)
                    to.sendall(data)

        def accept() -> None:
            near, _ = between.accept()
            far = socket.create_connection(("127.0.0.1", server.port))
            back = threading.Thread(target=carry, args=(far.dup(), near.dup()))
            back.start()
            carry(near, far)
            back.join()

        thread = threading.Thread(target=accept)
        thread.start()
        with client(between.getsockname()[1], token()) as talking:
            talking.send(WORD)
            assert server.socket.poll(5000)
            assert server.socket.recv_multipart()[1] == WORD
        server.close(0)
        thread.join(10)
    assert len(seen) > len(WORD)
    assert b"prov.example" not in seen
    for key in (token().client_secret, token().server_secret, token().server_public):
        assert key not in seen


def test_a_port_that_is_taken_is_told_with_the_cure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match="address already in use") as raised:
            listen(port)
    assert "--master" in raised.value.hint
