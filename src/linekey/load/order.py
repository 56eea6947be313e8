"""What a load is asked to be, and whom its phones may call.

The master holds it, and each worker gets it over the wire. Rules: every number is
bounded; a host that is not this machine must be named by who starts the load, and by
who lets a worker join, as the operator's own (``may_call``); a phone's configuration
may send it elsewhere, and then the phone does not go.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self
from urllib.parse import urlsplit

from linekey.endpoint import is_loopback
from linekey.errors import InputError
from linekey.load.mix import Mix

MOST_PHONES: Final = 100_000
MOST_WORKERS: Final = 256
MOST_RATE: Final = 10_000.0
MOST_SECONDS: Final = 24 * 3600
MOST_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """The load. Times are seconds."""

    mix: Mix
    phones: int
    rate: float
    """Phones that start a second, all workers together; 0: as fast as they come."""
    for_s: float
    server: str = ""
    """URL of the provisioning server."""
    registrar: str = ""
    """``host:port`` of the SIP server, for phones that do not boot."""
    domain: str = ""
    """The SIP domain, where it is not the registrar's host."""
    think_s: float = 5.0
    """Mean time between two things that a phone does."""
    at_once: int = 16
    """Phones of a worker that start at the same time."""
    limit_s: float = 30.0
    """How long an answer may take."""
    trust_pem: str = ""
    """CAs that the phones trust besides those of their firmware."""
    owned: tuple[str, ...] = ()
    """Hosts that are the operator's own."""

    def check(self) -> None:
        """Raise InputError for what cannot be, with the option's name."""
        for option, value, most in (
            ("--phones", self.phones, MOST_PHONES),
            ("--at-once", self.at_once, MOST_AT_ONCE),
        ):
            if not 1 <= value <= most:
                raise InputError(
                    f"{option} is 1 to {most:,}, and not {value:,}",
                    hint=f"give {option} {max(1, min(value, most))}",
                )
        if not 0 <= self.rate <= MOST_RATE:
            raise InputError(
                f"--rate is at most {MOST_RATE:,.0f} phones a second",
                hint="write 50/s or 600/m, or leave it out",
            )
        if not 1 <= self.for_s <= MOST_SECONDS:
            raise InputError("--for is 1s to 24h", hint="write 60s, 10m or 2h")
        if not 0 <= self.think_s <= MOST_SECONDS or not 1 <= self.limit_s <= 300:
            raise InputError(
                "--think is at most 24h, and --limit 1s to 5m",
                hint="write 5s, 30s or 2m",
            )
        fetches = [name for name in ("boot", "refresh") if name in self.mix]
        if fetches and not self.server:
            raise InputError(
                f"--mix has {fetches[0]}, and no server is named",
                hint="name it: --server https://HOST:PORT; or try --lab",
            )
        if "boot" not in self.mix:
            others = [n for n in self.mix.weights if n not in ("register", "boot")]
            if others:
                raise InputError(
                    f"--mix has {others[0]}, which needs the phones' configuration",
                    hint=f"add boot: --mix boot,{self.mix.text}",
                )
            if not self.registrar:
                raise InputError(
                    "the phones do not boot, so they have no account of the server's",
                    hint="name the SIP server, --registrar sips:HOST:PORT, or add boot "
                    "to --mix",
                )
        for what, host in (
            ("--server", host_of(self.server)),
            ("--registrar", self.registrar.rpartition(":")[0].strip("[]")),
        ):
            if host and not may_call(host, self.owned):
                raise InputError(
                    f"{what} names {host}, which is not this machine",
                    hint="a load is for servers of your own: if it is yours, say so "
                    f"with --i-own {host}",
                )

    def as_dict(self) -> dict[str, Any]:
        """For the wire and for JSON; ``parse`` reads it."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {"mix": self.mix.text, "owned": list(self.owned)}

    @classmethod
    def parse(cls, document: Mapping[str, Any], owned: Collection[str]) -> Self:
        """Read what another machine wrote; ``owned`` is this machine's operator's word.

        Raises InputError.
        """
        try:
            given = {f.name: document[f.name] for f in fields(cls)}
            order = cls(**given | {
                "mix": Mix.parse(str(given["mix"])),
                "phones": int(given["phones"]), "at_once": int(given["at_once"]),
                **{n: float(given[n]) for n in ("rate", "for_s", "think_s", "limit_s")},
                **{n: str(given[n])
                   for n in ("server", "registrar", "domain", "trust_pem")},
                "owned": tuple(owned),
            })  # fmt: skip
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(f"the master's order cannot be read: {error}") from None
        order.check()
        return order


def may_call(host: str, owned: Collection[str]) -> bool:
    """Whether a phone of a load may call this host: this machine, or a named one."""
    return is_loopback(host) or host.lower() in {name.lower() for name in owned}


def host_of(url: str) -> str:
    """The host of a web address. Raises InputError; empty for an empty text."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme != "https" or parts.username is not None:
        raise InputError(
            f"--server is no web address: {url[:80]!r}",
            hint="write https://HOST:PORT, without user and password",
        )
    return host


def parse_registrar(text: str) -> str:
    """Read ``sips:host:5061``; return ``host:5061``. Raises InputError."""
    scheme, mark, rest = text.strip().partition(":")
    host, _, port = rest.rpartition(":")
    if not mark or scheme.lower() != "sips" or not host or not port.isdigit():
        raise InputError(
            f"--registrar cannot be read: {text[:80]!r}",
            hint="write sips:HOST:PORT; phones of a load register over TLS only",
        )
    return rest


def parse_rate(text: str) -> float:
    """Read ``50``, ``50/s`` or ``600/m``: phones a second. Raises InputError."""
    number, mark, unit = text.strip().lower().partition("/")
    seconds = {"s": 1, "m": 60, "h": 3600}.get(unit) if mark else 1
    try:
        rate = float(number) / (seconds or 0)
    except (ValueError, ZeroDivisionError):
        rate = -1.0
    if not 0 < rate <= MOST_RATE:
        raise InputError(
            f"--rate cannot be read: {text[:40]!r}",
            hint=f"write 50/s or 600/m, at most {MOST_RATE:,.0f} a second",
        )
    return rate
