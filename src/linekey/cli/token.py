"""``linekey token``: who may use the HTTP API, and for what."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from linekey.cli.log import parse_when
from linekey.cli.opening import JsonOption, StateOption, make_app, now, opened
from linekey.cli.output import console, emit_json, note, say
from linekey.errors import InputError
from linekey.store.tokens import ApiTokens, Scope

app = make_app(
    """Manage the tokens for the HTTP API.

    A program that uses the API sends a token with each request. For example:

        linekey token add pbx --scope admin --expires 365d

        curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8480/api/v1/devices
    """
)

_AHEAD = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@app.command()
def add(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of the token, such as pbx, for the audit."
        ),
    ],
    scope: Annotated[
        Scope,
        typer.Option(
            help="read: read all but secrets; helpdesk: also revoke and restore phones "
            "and make their one-time tokens; admin: change everything."
        ),
    ],
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="End of the token: 30d (from now) or 2027-01-31. Default: none.",
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Make a token. It is shown only now."""
    at = now()
    ends = None
    if expires is not None:
        if found := _AHEAD.fullmatch(expires.strip()):
            try:
                ends = at + timedelta(**{_UNITS[found[2]]: int(found[1])})
            except OverflowError:
                raise InputError(
                    f"not a time in the future: {expires!r}", hint="leave out --expires"
                ) from None
        else:
            ends = parse_when(expires, at)
    with opened(state, create=True) as database:
        made = ApiTokens(database).add(name, scope, ends, at)
    if json:
        emit_json(
            {"name": name, "token": made, "scope": scope.value, "expires_at": ends}
        )
        return
    say(made)
    until = f" until {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    note(f"token {name!r}, scope {scope.value}{until}; it is not shown again")


@app.command("list")
def list_(state: StateOption = None, json: JsonOption = False) -> None:
    """List the tokens: scope, state, end, and last use."""
    at = now()
    with opened(state) as database:
        tokens = [one.as_json(at) for one in ApiTokens(database).all()]
    if json:
        emit_json(tokens)
        return
    for one in tokens:
        ends, used = (
            "never" if one[name] is None else f"{one[name]:%Y-%m-%d %H:%M} UTC"
            for name in ("expires_at", "used_at")
        )
        say(
            f"{one['name']}  {one['scope']}  {one['state']}  expires {ends}  "
            f"last used {used}"
        )
    if not tokens:
        note("none; next: linekey token add NAME --scope read")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Revoke a token. It is refused from the next request on."""
    with opened(state) as database:
        token = ApiTokens(database).revoke(name, now())
    if json:
        emit_json(token.as_json(now()))
    else:
        console.print(f"revoked {name}", markup=False)
