"""``linekey user``: who may log in to the console, and as what."""

from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_app,
    now,
    opened,
    read_secret,
    with_state,
)
from linekey.cli.output import console, emit_json, note, say
from linekey.cli.serve import load_settings
from linekey.cli.when import parse_ahead
from linekey.endpoint import host_port
from linekey.errors import InputError
from linekey.provisioning.group import parse_group
from linekey.store.paths import StateDir

with on_use():
    from linekey.lab.authority import recorded_url
    from linekey.settings import Settings
    from linekey.store.users import CONSOLE, LINK_FOR, Users, link_url, parse_role

app = make_app(
    """Manage the people who may log in to the console, and their roles.

    A viewer sees everything but secrets; helpdesk also revokes and restores phones and
    makes their one-time tokens; admin changes everything. For example:

        linekey user add anna --role helpdesk

        linekey user link anna
    """
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.")]
RoleOption = Annotated[
    str, typer.Option("--role", metavar="ROLE", help="viewer, helpdesk or admin.")
]
GroupOption = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="Limit the user to this group: it sees and changes nothing of other "
        "phones. May be repeated.",
    ),
]


@app.command()
def add(
    name: NameArgument,
    role: RoleOption,
    group: GroupOption = None,
    link: Annotated[
        bool,
        typer.Option(
            "--link", help="No password: print a link that logs the user in once."
        ),
    ] = False,
    subject: Annotated[
        str | None,
        typer.Option(
            metavar="SUBJECT",
            help="No password: who the user is at the identity provider (its sub).",
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Add a user. You are asked for the password, or pipe it as one line."""
    parse_role(role)
    groups = [parse_group(one) for one in group] if group else None
    issuer = None if subject is None else _issuer(state)
    password = None
    if not link and subject is None:
        password = read_secret(f"Password of {name}")
    with opened(state, create=True) as database:
        users = Users(database)
        user = users.add(
            name, role, now(), groups=groups, password=password,
            issuer=issuer, subject=subject,
        )  # fmt: skip
        made = users.new_link(name, now()) if link else None
    address = None if made is None else _address(state, made)
    if json:
        emit_json(user.as_json() | {"link": address})
        return
    if address is not None:
        say(address)
        note(_of_link(name))
        return
    console.print(f"added {name}, {role}", markup=False)


@app.command("list")
def list_(state: StateOption = None, json: JsonOption = False) -> None:
    """List the users: role, groups, state, and last log-in."""
    with opened(state) as database:
        found = [user.as_json() for user in Users(database).all()]
    if json:
        emit_json(found)
        return
    for one in found:
        groups = one["groups"]
        only = "" if groups is None else f" of {', '.join(groups) or 'no group'}"
        used = one["used_at"]
        last = "never" if used is None else f"{used:%Y-%m-%d %H:%M} UTC"
        say(f"{one['name']}  {one['role']}{only}  {one['state']}  last log-in {last}")
    if not found:
        words = with_state("linekey user add NAME --role admin", state)
        note(f"none; next: {words}")


@app.command()
def role(
    name: NameArgument,
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help="viewer, helpdesk or admin.")
    ],
    group: GroupOption = None,
    all_groups: Annotated[
        bool, typer.Option("--all-groups", help="Limit the user to no group any more.")
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Give a user another role, or other groups. The user has to log in again."""
    if group and all_groups:
        raise InputError(
            "both --group and --all-groups are given", hint="give one of them"
        )
    groups = [parse_group(one) for one in group] if group else None
    with opened(state) as database:
        users = Users(database)
        user = users.set_role(name, role, now())
        if groups is not None or all_groups:
            user = users.set_groups(name, groups, now())
    if json:
        emit_json(user.as_json())
        return
    only = "" if user.groups is None else f" of {', '.join(sorted(user.groups))}"
    console.print(f"{user.name} is {user.role}{only}", markup=False)


@app.command()
def password(
    name: NameArgument,
    none: Annotated[
        bool, typer.Option("--none", help="Take the password away.")
    ] = False,
    state: StateOption = None,
) -> None:
    """Give a user another password. You are asked for it, or pipe it as one line."""
    with opened(state) as database:
        users = Users(database)
        user = users.get(name)
        new = None if none else read_secret(f"New password of {user.name}")
        users.set_password(user.name, new, now())
    words = "has no password" if none else "has a new password"
    console.print(f"{user.name} {words}", markup=False)


@app.command()
def subject(
    name: NameArgument,
    subject: Annotated[
        str | None,
        typer.Argument(metavar="SUBJECT", help="The provider's sub. Without: nobody."),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Say who a user is at the identity provider of linekey.toml."""
    issuer = None if subject is None else _issuer(state)
    with opened(state) as database:
        user = Users(database).set_subject(name, issuer, subject, now())
    if json:
        emit_json(user.as_json())
        return
    words = f"is {subject!r} at {issuer}" if subject else "is nobody at a provider"
    console.print(f"{user.name} {words}", markup=False)


@app.command()
def link(
    name: NameArgument,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="End of the link: 2h (from now). Default: 30m.",
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Print a link that logs a user in once. Earlier links work no more."""
    at = now()
    lasting = LINK_FOR if expires is None else parse_ahead(expires, at) - at
    with opened(state) as database:
        made = Users(database).new_link(name, at, lasting)
    address = _address(state, made)
    if json:
        emit_json({"name": name, "link": address, "ends_at": at + lasting})
        return
    say(address)
    note(_of_link(name))


@app.command()
def revoke(
    name: NameArgument, state: StateOption = None, json: JsonOption = False
) -> None:
    """Revoke a user. It is logged out, and cannot log in again."""
    with opened(state) as database:
        user = Users(database).revoke(name, now())
    if json:
        emit_json(user.as_json())
    else:
        console.print(f"revoked {user.name}", markup=False)


def _settings(state: Path | None) -> Settings:
    return load_settings(StateDir.open(state, create=False), {})


def _issuer(state: Path | None) -> str:
    issuer = _settings(state).console.oidc.issuer
    if not issuer:
        raise InputError(
            "no identity provider is set",
            hint="set console.oidc.issuer in linekey.toml",
        )
    return issuer


def _address(state: Path | None, token: str) -> str:
    """The link: at the settings' address, or where ``linekey up`` last listened."""
    folder = StateDir.open(state, create=False)
    status, base = _settings(state).status, _settings(state).console.url
    lab = None
    if not folder.settings_file.exists():
        lab = recorded_url(folder.lab, "console_url")
    scheme = "http" if status.certificate is None else "https"
    host = f"{scheme}://{host_port(status.host, status.port)}"
    return link_url(lab or f"{base or host}{CONSOLE}", token)


def _of_link(name: str) -> str:
    return f"it logs {name} in once; who has it is {name}"
