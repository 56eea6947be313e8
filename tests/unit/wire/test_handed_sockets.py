"""Sockets that systemd hands over: taken once, by name, or refused with the cure."""

import os
import socket
from collections.abc import Iterator

import pytest

from linekey.errors import InputError
from linekey.wire.handed_sockets import take_sockets

PID = 4711
KNOWN = ("phones", "health")


class Handed:
    """Descriptors in a row, as systemd gives them."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def put(self, *sockets: socket.socket) -> int:
        """Duplicate them to free numbers in a row; the first one."""
        first = 200
        while any(_is_open(first + n) for n in range(len(sockets))):
            first += 8
        for number, given in enumerate(sockets, first):
            os.dup2(given.fileno(), number, inheritable=True)
            self.numbers.append(number)
        return first


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


@pytest.fixture
def handed() -> Iterator[Handed]:
    made = Handed()
    yield made
    for number in made.numbers:
        if _is_open(number):
            os.close(number)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def given(count: int, names: str | None = None, pid: int = PID) -> dict[str, str]:
    found = {"LISTEN_FDS": str(count), "LISTEN_PID": str(pid), "PATH": "/bin"}
    return found if names is None else found | {"LISTEN_FDNAMES": names}


@pytest.mark.parametrize("names", ["phones", "linekey.socket", "unknown", "", None])
def test_a_single_socket_is_the_phones_by_whatever_name_systemd_gives(
    handed: Handed, listener: socket.socket, names: str | None
) -> None:
    first = handed.put(listener)
    environment = given(1, names)
    (found,) = take_sockets(environment, PID, KNOWN, first=first).items()
    assert environment == {"PATH": "/bin"}
    name, taken = found
    with taken:
        assert name == "phones"
        assert taken.getsockname() == listener.getsockname()
        assert not taken.getblocking()
        assert not os.get_inheritable(taken.fileno())


def test_each_has_its_name(handed: Handed, listener: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        first = handed.put(listener, other)
        found = take_sockets(given(2, "health:phones"), PID, KNOWN, first=first)
        assert found["phones"].getsockname() == other.getsockname()
        assert found["health"].getsockname() == listener.getsockname()
        for taken in found.values():
            taken.close()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        given(1, "phones", pid=1),  # another process's: a parent's, left over
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": str(PID)},
        given(0),
    ],
)
def test_what_is_not_for_this_process_is_left(environment: dict[str, str]) -> None:
    assert take_sockets(dict(environment), PID, KNOWN, first=200) == {}


@pytest.mark.parametrize("count", ["x", "-1", "1.5", "٣", "65", "9" * 30])
def test_a_count_that_is_none_is_refused(count: str) -> None:
    environment = {"LISTEN_FDS": count, "LISTEN_PID": str(PID)}
    with pytest.raises(InputError, match="no number of sockets"):
        take_sockets(environment, PID, KNOWN)
    assert not environment


@pytest.mark.parametrize(
    ("count", "names", "words"),
    [
        (1, "telnet", "'telnet' of a socket from the service manager is not known"),
        (2, "phones:phones", "is there twice"),
        (2, "phones:linekey.socket", "is not known"),
        (2, "phones", "1 names for 2 sockets"),
        (1, "phones:health", "2 names for 1 sockets"),
    ],
)
def test_names_that_do_not_fit_are_refused(
    handed: Handed, listener: socket.socket, count: int, names: str, words: str
) -> None:
    first = handed.put(*[listener] * count)
    with pytest.raises(InputError, match=words) as raised:
        take_sockets(given(count, names), PID, KNOWN, first=first)
    assert ".socket unit" in raised.value.hint


def test_what_does_not_listen_is_refused(handed: Handed) -> None:
    with socket.socket() as idle, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        for wrong in (idle, datagrams):
            first = handed.put(wrong)
            with pytest.raises(InputError, match="no listening stream socket"):
                take_sockets(given(1, "phones"), PID, KNOWN, first=first)


def test_a_descriptor_that_is_not_open_or_no_socket_is_refused(handed: Handed) -> None:
    with pytest.raises(InputError, match="no listening stream socket"):
        take_sockets(given(1, "phones"), PID, KNOWN, first=900)
    number = os.open(os.devnull, os.O_RDONLY)
    handed.numbers.append(number)
    with pytest.raises(InputError, match="no listening stream socket"):
        take_sockets(given(1, "phones"), PID, KNOWN, first=number)
