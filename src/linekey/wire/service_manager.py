"""What a service manager is told: the datagrams of sd_notify(3).

systemd starts a unit with ``Type=notify`` and waits for lines such as ``READY=1`` on
the socket that ``NOTIFY_SOCKET`` names; with ``WatchdogSec=`` it ends a service that
has not said ``WATCHDOG=1`` in time. A message is one datagram of lines, so there is no
package for it here: sdnotify and sd-notify had their last releases in 2017 and 2020;
systemd-python and cysystemd bind libsystemd, in C, for more than this.

Rules: the variables are taken out of the environment, so no process that is started
from here speaks for the service (sd_notify(3), ``unset_environment``). Nobody waits for
the service manager; what it could not be told is logged once and can be told again.
"""

import logging
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Final, Self

from linekey.errors import InputError

_log = logging.getLogger("linekey.service")

ADDRESS: Final = "NOTIFY_SOCKET"
PERIOD: Final = "WATCHDOG_USEC"
FOR: Final = "WATCHDOG_PID"
"""The process that the watchdog is set for (sd_watchdog_enabled(3))."""
_MOST_BYTES = 2_000
"""Of a status: systemd takes messages of up to a page, 4,096 bytes."""


@dataclass(slots=True)
class ServiceManager:
    """Whoever started this process as a service; an empty ``address``: nobody."""

    address: str = ""
    """Path of its socket; with ``@`` first it is in the abstract namespace."""
    watchdog_s: float | None = None
    """Seconds after which it ends a service that has said nothing; None: never."""
    _trouble: str = field(default="", repr=False)

    @classmethod
    def take(cls, environment: MutableMapping[str, str], pid: int) -> Self:
        """Take its variables out of the environment of the process ``pid``.

        Raises InputError for an address or a period that is none.
        """
        address = environment.pop(ADDRESS, "")
        period = environment.pop(PERIOD, "")
        meant = environment.pop(FOR, "")
        if address and address[0] not in "/@":
            raise InputError(
                f"{ADDRESS} is {address!r}, which is no Unix socket",
                hint="systemd gives an absolute path, or a name that starts with @; "
                "start linekey without this variable",
            )
        if not address or not period or meant not in ("", str(pid)):
            return cls(address)
        if not period.isascii() or not period.isdigit() or not int(period):
            raise InputError(
                f"{PERIOD} is {period!r}, which is no number of microseconds",
                hint="set WatchdogSec= in the unit, and not this variable",
            )
        return cls(address, int(period) / 1e6)

    def __bool__(self) -> bool:
        return bool(self.address)

    def tell(self, *lines: str) -> bool:
        """Send ``NAME=value`` lines as one message; whether that was done.

        Without a service manager nothing is to be done, and that is.
        """
        if not self.address:
            return True
        at = f"\0{self.address[1:]}" if self.address[0] == "@" else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
                speaker.setblocking(False)
                speaker.sendto("\n".join(lines).encode(), at)
        except OSError as error:
            said = error.strerror or str(error)
            if said != self._trouble:
                _log.warning("cannot tell the service manager: %s", said.lower())
            self._trouble = said
            return False
        self._trouble = ""
        return True


def status(text: str) -> str:
    """Return the line that ``systemctl status`` shows ``text`` by, as one line."""
    line = " ".join(text.split()).encode()[:_MOST_BYTES]
    return f"STATUS={line.decode('utf-8', 'ignore')}"
