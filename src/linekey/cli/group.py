"""``linekey group``: groups of phones, such as customers' or sites'."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from linekey.cli.layer_text import layer_lines
from linekey.cli.on_use import on_use
from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_app,
    now,
    opened,
    printable,
    with_state,
)
from linekey.cli.output import console, emit_json, note, say
from linekey.errors import InputError
from linekey.provisioning.group import Group, parse_group, parse_policy

with on_use():
    from linekey.provisioning.shown import group_json, layer_json
    from linekey.store.groups import Groups, allowed_cas
    from linekey.store.layers import Layers, Scope
    from linekey.store.vendor_cas import VendorCas

app = make_app(
    """Manage groups of phones, such as customers' or sites'.

    A group has a layer of settings between the fleet's and the model's. It may name the
    CAs that its phones' certificates come from, and a token for the HTTP API may be
    limited to it. For example:

        linekey group add acme --note "ACME Ltd., Berlin"

        linekey layer set group:acme language=Deutsch

        linekey device set --label 'ACME*' --new-group acme

        linekey token add acme-pbx --scope admin --group acme
    """
)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the group, such as acme.")
]
CaOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FINGERPRINT",
        help="Refuse the group's phones unless their certificate is from this CA of "
        "`linekey trust list`, or another one that is named so. May be repeated.",
    ),
]
PolicyOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Decide for the group's phones what linekey.toml decides for all: "
        "blanked_for_shared=on, off, or default; expired_certificates=refuse, "
        "registered, accept, or default. May be repeated.",
    ),
]


@app.command()
def add(
    name: NameArgument,
    note_: Annotated[
        str, typer.Option("--note", help="Your own note, such as the customer's name.")
    ] = "",
    ca: CaOption = None,
    policy: PolicyOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Add a group. Its name is kept in lower case."""
    group = _with_policies(Group(parse_group(name), note_), policy)
    with opened(state, create=True) as database:
        if ca:
            group = replace(group, authorities=allowed_cas(database, ca))
        group = Groups(database).add(group, now())
    if json:
        emit_json(group_json(group, 0))
        return
    say(f"added {_line(group, 0)}")
    words = with_state(f"linekey device set MAC --group {group.name}", state)
    note(f"next: {words}")


@app.command("list")
def list_(state: StateOption = None, json: JsonOption = False) -> None:
    """List the groups, with the number of their phones."""
    with opened(state) as database:
        groups = Groups(database)
        found, phones = groups.all(), groups.phones()
    if json:
        emit_json([group_json(group, phones.get(group.name, 0)) for group in found])
        return
    for group in found:
        say(_line(group, phones.get(group.name, 0)))
    if not found:
        note(f"next: {with_state('linekey group add NAME', state)}")


@app.command()
def show(
    name: NameArgument, state: StateOption = None, json: JsonOption = False
) -> None:
    """Show a group, the CAs that it allows, and its layer."""
    with opened(state) as database:
        groups = Groups(database)
        group = groups.get(parse_group(name))
        count = groups.phones().get(group.name, 0)
        layer = Layers(database).get(Scope.group(group.name))
        trusted = {ca.certificate.sha256: ca for ca in VendorCas(database).all()}
    if json:
        emit_json(group_json(group, count) | {"layer": layer_json(layer)})
        return
    say(f"{'name':>14}  {group.name}")
    say(f"{'note':>14}  {printable(group.note) or 'none'}")
    say(f"{'phones':>14}  {count}")
    if group.authorities is None:
        say(f"{'CAs':>14}  any in linekey trust list")
    for sha256 in group.authorities or ():
        ca = trusted.get(sha256)
        label = ca.certificate.label if ca else "(not in linekey trust list)"
        say(f"{'CA':>14}  {sha256[:16]}  {label}")
    for policy, value in group.policies.items():
        say(f"{policy:>14}  {value}")
    for text in layer_lines(layer):
        say(f"{'':>14}  {text}")


@app.command("set")
def set_(
    name: NameArgument,
    note_: Annotated[
        str | None,
        typer.Option("--note", help="Your own note, such as the customer's name."),
    ] = None,
    ca: CaOption = None,
    any_ca: Annotated[
        bool,
        typer.Option("--any-ca", help="Allow every CA of `linekey trust list` again."),
    ] = False,
    policy: PolicyOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Change a group. It takes effect at once; what you do not name stays as it is.

    --ca names all CAs that are allowed from now on, not one more.
    """
    if ca and any_ca:
        raise InputError("--ca and --any-ca exclude each other", hint="give one")
    with opened(state) as database:
        groups = Groups(database)
        allowed = allowed_cas(database, ca) if ca else None

        def how(group: Group) -> Group:
            if note_ is not None:
                group = replace(group, note=note_)
            if ca or any_ca:
                group = replace(group, authorities=allowed)
            return _with_policies(group, policy)

        group = groups.change(parse_group(name), how, now())
        count = groups.phones().get(group.name, 0)
    if json:
        emit_json(group_json(group, count))
    else:
        say(f"set {_line(group, count)}")


@app.command()
def remove(
    name: NameArgument,
    ungroup: Annotated[
        bool,
        typer.Option(
            "--ungroup",
            help="Also if it has phones: they are in no group then, and lose what its "
            "layer sets and what it forbids.",
        ),
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a group with its layer. Tokens that are limited to it lose it."""
    group = parse_group(name)
    with opened(state) as database:
        count = Groups(database).remove(group, now(), ungroup=ungroup)
    if json:
        emit_json({"removed": group, "phones": count})
        return
    console.print(f"removed {group}", markup=False)
    if count:
        note(f"{count} phone{'' if count == 1 else 's'} are in no group now")


def _with_policies(group: Group, policies: list[str] | None) -> Group:
    said: dict[str, Any] = dict(group.policies) | dict(
        map(parse_policy, policies or ())
    )
    return replace(group, policies={name: v for name, v in said.items() if v})


def _line(group: Group, phones: int) -> str:
    parts = [group.name, f"{phones} phone{'' if phones == 1 else 's'}"]
    if group.authorities is not None:
        parts.append(f"{len(group.authorities)} of the CAs")
    parts += [f"{name}={value}" for name, value in group.policies.items()]
    if group.note:
        parts.append(repr(group.note))
    return "  ".join(parts)
