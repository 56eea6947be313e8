"""``linekey token``: who may use the HTTP API, and for what."""

from typing import Annotated

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_app,
    now,
    opened,
    with_state,
)
from linekey.cli.output import console, emit_json, note, say
from linekey.cli.when import parse_ahead
from linekey.provisioning.group import parse_group
from linekey.store.token_scope import Scope

with on_use():
    from linekey.store.tokens import ApiTokens

app = make_app(
    """Manage the tokens for the HTTP API.

    A program that uses the API sends a token with each request. For example:

        linekey token add pbx --scope admin --expires 365d

        curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8480/api/v1/devices
    """
)


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
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            metavar="GROUP",
            help="Limit the token to this group: it sees and changes nothing of other "
            "phones. May be repeated.",
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Make a token. It is shown only now."""
    at = now()
    groups = [parse_group(name) for name in group] if group else None
    ends = None
    if expires is not None:
        ends = parse_ahead(expires, at)
    with opened(state, create=True) as database:
        made = ApiTokens(database).add(name, scope, ends, at, groups)
    if json:
        emit_json(
            {
                "name": name,
                "token": made,
                "scope": scope.value,
                "groups": groups,
                "expires_at": ends,
            }
        )
        return
    say(made)
    until = f" until {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    only = f", only {', '.join(groups)}" if groups else ""
    note(f"token {name!r}, scope {scope.value}{only}{until}; it is not shown again")


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
            f"{one['name']}  {one['scope']}{_only(one['groups'])}  {one['state']}  "
            f"expires {ends}  last used {used}"
        )
    if not tokens:
        words = with_state("linekey token add NAME --scope read", state)
        note(f"none; next: {words}")


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


def _only(groups: list[str] | None) -> str:
    if groups is None:
        return ""
    return f" of {', '.join(groups) or 'no group'}"
