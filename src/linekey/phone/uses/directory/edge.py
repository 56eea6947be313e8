"""The phone's directory over a connection: LDAP, or LDAPS through engine and judge.

``look_up`` drives a ``Lookup`` with the bytes of one connection and comes back with a
result, whatever happens: a server that is unreachable, silent or babbles is a
``problem`` with its cure, never an exception.

Rules: one look-up, one connection, ``TIME_LIMIT_S`` in all; it ends with an unbind
(RFC 4511 §4.3) where LDAP was spoken; what had been found when it broke off is kept.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import httpcore2

from linekey.errors import LinekeyError, PeerError
from linekey.phone.edge.running import Carrier, RunningPhone
from linekey.phone.events import ConnectionReported, Errand, Event
from linekey.phone.uses.directory.events import LookupEnded, SearchDirectory
from linekey.phone.uses.directory.look_up import Lookup, LookupResult
from linekey.phone.uses.directory.settings import DirectorySettings
from linekey.trust.connection import ConnectionReport, Purpose
from linekey.wire.dialer import DialError, Stream

TIME_LIMIT_S: Final = 15.0
"""Seconds from connecting to the last entry; somebody waits at the phone."""
_READ_SIZE: Final = 65536
_UNBIND_LIMIT_S: Final = 1.0

Dial = Callable[[Purpose, str, int, bool], Awaitable[Stream]]
"""``dial(purpose, host, port, encrypted)``; raises DialError."""


async def look_up(
    settings: DirectorySettings,
    text: str,
    *,
    dial: Dial,
    ended: Callable[[ConnectionReport], None],
    time_limit_s: float = TIME_LIMIT_S,
) -> LookupResult:
    """Look ``text`` up. ``ended`` is told of the connection, whatever came of it.

    Raises InputError for a text or filter that cannot be searched for.
    """
    lookup = Lookup(settings, text)
    try:
        async with asyncio.timeout(time_limit_s):
            stream = await dial(
                Purpose.LDAP, settings.host, settings.port, settings.tls
            )
            return await _converse(stream, lookup, ended)
    except DialError as failed:
        ended(failed.report)
        hint = "look at the log: one end refused the other in the handshake"
        return lookup.fail(
            f"the directory cannot be reached: {failed.message}", failed.hint or hint
        )
    except TimeoutError:
        return lookup.fail(
            f"the directory did not answer within {time_limit_s:g} s",
            "look whether it is overloaded, or a firewall holds it back",
        )


async def _converse(
    stream: Stream, lookup: Lookup, ended: Callable[[ConnectionReport], None]
) -> LookupResult:
    """Talk until there is a result, or a problem of the connection in its place."""
    try:
        await stream.write(lookup.begin())
        while lookup.result is None:
            data = await stream.read(_READ_SIZE)
            if not data:
                return lookup.fail(
                    "the directory closed the connection before it answered",
                    "check ldap_over_tls and ldap_port, and the server's log",
                )
            reply = lookup.receive(data)
            if reply:
                await stream.write(reply)
        return lookup.result
    except PeerError as error:
        return lookup.fail(error.message, error.hint)
    except (httpcore2.NetworkError, httpcore2.TimeoutException) as error:
        return lookup.fail(
            f"the connection to the directory broke: {error}",
            stream.report().hint
            or "look at the server's log; it may not accept this phone's certificate",
        )
    finally:
        # Also when the time is over: the connection goes to log and tabs.
        with contextlib.suppress(OSError):
            await _part(stream, lookup)
        ended(stream.report())


async def _part(stream: Stream, lookup: Lookup) -> None:
    """Say good-bye to whoever still listens, and close."""
    with contextlib.suppress(httpcore2.NetworkError, httpcore2.TimeoutException):
        if unbind := lookup.end():
            await stream.write(unbind, timeout=_UNBIND_LIMIT_S)
    await stream.aclose()


async def _search(phone: RunningPhone, command: SearchDirectory) -> Event:
    try:
        result = await look_up(
            command.settings,
            command.text,
            dial=phone.connect,
            ended=lambda report: phone.happened(ConnectionReported(report)),
        )
    except LinekeyError as error:
        result = LookupResult(problem=error.message, cure=error.hint)
    return LookupEnded(command.text, result)


def _failed(command: SearchDirectory, reason: str, hint: str) -> Event:
    return LookupEnded(command.text, LookupResult(problem=reason, cure=hint))


CARRIES: Mapping[type[Errand], Carrier] = {SearchDirectory: Carrier(_search, _failed)}
