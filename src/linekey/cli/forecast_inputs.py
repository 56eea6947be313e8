"""What ``linekey forecast`` looks at: the registry, the trust list, chains.

The API asks by ``ahead_of`` as well, so that page, script and command say the same.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from linekey.certs.certificate import Certificate
from linekey.check.forecast import DEFAULT_AHEAD, Forecast, Served
from linekey.cli.check_inputs import read_chain
from linekey.cli.opening import opened
from linekey.cli.serve import load_settings
from linekey.cli.when import parse_ahead
from linekey.console.forecasting import ACTIVE, ahead_of, name_of, served_here
from linekey.errors import InputError
from linekey.provisioning.expired import Expired
from linekey.provisioning.group import parse_group
from linekey.settings import Settings
from linekey.store.database import Database
from linekey.store.groups import Groups


def look_ahead(
    state: Path | None,
    *,
    at: datetime,
    until: str | None,
    chain: Path | None,
    name: str | None,
    also: Sequence[str],
    group: str | None = None,
) -> Forecast:
    """Make the forecast that the options ask for. Raises InputError, StorageError."""
    end = at + DEFAULT_AHEAD if until is None else parse_ahead(until, at)
    with opened(state) as database:
        settings = load_settings(database.state, {})
        servers = [*_own(settings, database, name), *map(_other, also)]
        renewal = None
        if chain is not None:
            certificates, _ = read_chain(chain)
            host = servers[0].name if servers and not also else None
            host = name or host or name_of(settings.names, certificates)
            renewal = Served(f"{chain.name} as {host}", host, certificates)
            if servers and host == servers[0].name:
                renewal = servers[0].renewed(renewal.label, certificates)
        if group is not None:
            group = Groups(database).get(parse_group(group)).name
        return ahead_of(
            database,
            servers,
            at=at,
            until=end,
            renewal=renewal,
            wanted=replace(ACTIVE, group=group),
            expired=Expired(settings.rules.expired_certificates),
        )


def _own(settings: Settings, database: Database, name: str | None) -> list[Served]:
    """This server, where linekey.toml names its certificates."""
    root = database.state.root
    chains = [read_chain(root / path)[0] for path in settings.certificate]
    if not chains:
        return []
    (here,) = served_here(settings.names, lambda: chains)
    return [here if name is None else replace(here, label=name, name=name)]


def _other(text: str) -> Served:
    host, _, file = text.partition("=")
    if not host or not file:
        raise InputError(
            f"not HOST=FILE: {text!r}",
            hint="write --also sip.example.com=sip-fullchain.pem",
        )
    certificates: tuple[Certificate, ...]
    certificates, _ = read_chain(Path(file))
    return Served(host, host, certificates)
