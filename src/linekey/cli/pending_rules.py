"""``linekey pending rules``: which phones are expected, and what becomes of them."""

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
    printable,
    read_file,
)
from linekey.cli.output import emit_json, note, say, warn
from linekey.errors import InputError
from linekey.provisioning.group import parse_group

with on_use():
    from linekey.provisioning.pending import (
        AdoptionRule,
        MacRange,
        joined,
        parse_range,
        parse_ranges,
        parse_rule_name,
    )
    from linekey.provisioning.shown import rule_json
    from linekey.store.adoption import AdoptionRules
    from linekey.store.database import Database
    from linekey.store.device_rows import parse_model, parse_vendor, vendor_of_model
    from linekey.store.pending import Pending


app = make_app(
    """Say which phones are expected, and what their records are to say.

    Where the policy is `adopt`, a pending phone that a rule speaks of is registered at
    its first request. With `--ask` it is not: it only says for which group a phone is
    meant, so that who is limited to that group may approve it. For example:

        linekey pending rules add van-1 --file delivery.txt --model D785

        linekey pending rules add berlin 000413AA0000-000413AA00FF --group acme --ask
    """
)
SHOWN = 50
"""Ranges that a rule shows; all of them are in --json."""

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the rule, such as van-1.")
]


@app.command()
def add(
    name: NameArgument,
    ranges: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MACS…",
            help="MAC addresses, and ranges such as 000413AA0000-000413AAFFFF.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Read MACs and ranges from a file, one a line (or the first column of "
            "a table), such as a delivery note.",
        ),
    ] = None,
    label: Annotated[str, typer.Option(help="Your note on each of them.")] = "",
    group: Annotated[
        str | None, typer.Option(metavar="GROUP", help="The group they are put into.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Their model. Without it, only what the certificate says counts, and "
            "few makers' say it.",
        ),
    ] = None,
    vendor: Annotated[
        str | None,
        typer.Option(
            metavar="VENDOR",
            help="Only phones whose certificate is this maker's. Default with --model: "
            "snom, or the lab's where only its CA is trusted; else any trusted one's.",
        ),
    ] = None,
    ask: Annotated[
        bool,
        typer.Option(
            "--ask", help="Do not register them by itself: somebody has to approve."
        ),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the rule of this name.")
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Add a rule. No two rules may speak of one MAC."""
    wanted = _ranges(ranges, file)
    key = parse_rule_name(name)
    with opened(state, create=True) as database:
        made = _rule(key, wanted, label, group, model, vendor, not ask, database)

        def how(before: AdoptionRule | None) -> AdoptionRule:
            if before is not None and not replace:
                raise InputError(
                    f"there is a rule {key!r} already",
                    hint="--replace replaces it; linekey pending rules show shows it",
                )
            return made

        rule = AdoptionRules(database).put(key, how, now())
        waiting = sum(
            rule.fits(phone.mac, phone.vendor) for phone in Pending(database).all()
        )
    if json:
        emit_json(rule_json(rule))
    else:
        say(f"added {_line(rule)}")
    if waiting:
        many = "phones that are pending fit it"
        note(f"{waiting} {'phone that is pending fits it' if waiting == 1 else many}")
    if rule.adopts and rule.model is None:
        warn(
            "the rule says no model, and few certificates do",
            hint=f"--model MODEL, or set it later: linekey device set MAC --model; "
            f"replace the rule with --replace {key}",
        )


@app.command("list")
def list_(state: StateOption = None, json: JsonOption = False) -> None:
    """List the rules."""
    with opened(state) as database:
        rules = AdoptionRules(database).all()
    if json:
        emit_json([rule_json(rule) for rule in rules])
        return
    for rule in rules:
        say(_line(rule))
    if not rules:
        note("no rules")


@app.command()
def show(
    name: NameArgument, state: StateOption = None, json: JsonOption = False
) -> None:
    """Show a rule with the MACs that it speaks of."""
    with opened(state) as database:
        rule = AdoptionRules(database).get(parse_rule_name(name))
    if json:
        emit_json(rule_json(rule))
        return
    say(_line(rule))
    for each in rule.ranges[:SHOWN]:
        say(f"    {each}")
    if len(rule.ranges) > SHOWN:
        say(f"    … and {len(rule.ranges) - SHOWN} more; --json lists all")


@app.command()
def remove(
    name: NameArgument, state: StateOption = None, json: JsonOption = False
) -> None:
    """Remove a rule. Phones that it registered stay registered."""
    with opened(state) as database:
        rule = AdoptionRules(database).remove(parse_rule_name(name), now())
    if json:
        emit_json({"removed": rule.name})
    else:
        say(f"removed {rule.name}")


def _ranges(given: list[str] | None, file: Path | None) -> tuple[MacRange, ...]:
    found = [parse_range(text) for text in given or ()]
    if file is not None:
        text = read_file(file).decode("utf-8-sig", "replace")
        found += parse_ranges(text, str(file))
    if not found:
        raise InputError(
            "the rule speaks of no phone",
            hint="name MACs or ranges, or a --file with one a line",
        )
    return joined(found)


def _rule(
    name: str,
    ranges: tuple[MacRange, ...],
    label: str,
    group: str | None,
    model: str | None,
    vendor: str | None,
    adopts: bool,
    database: Database,
) -> AdoptionRule:
    from linekey.store.vendor_cas import VendorCas

    maker = parse_vendor(vendor) if vendor else ""
    if model and not maker:
        maker = vendor_of_model(model, VendorCas(database).usual_vendor())
    return AdoptionRule(
        name,
        ranges,
        label,
        parse_group(group) if group else None,
        parse_model(model, maker) if model else None,
        maker,
        adopts,
    )


def _line(rule: AdoptionRule) -> str:
    parts = [rule.name, f"{rule.count} MAC{'' if rule.count == 1 else 's'}"]
    parts += ["asks"] if not rule.adopts else ["registers"]
    parts += [rule.vendor] if rule.vendor else []
    parts += [rule.model] if rule.model else []
    parts += [f"group {rule.group}"] if rule.group else []
    parts += [repr(rule.label)] if rule.label else []
    return printable("  ".join(parts))
