"""``linekey pending``: phones that prove themselves and that nobody has registered."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from linekey.cli.device_selection import (
    DryRunOption,
    FileFilter,
    SearchFilter,
    YesOption,
    agree,
    read_macs,
)
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
from linekey.cli.output import emit_json, emit_json_list, emit_line, note, say
from linekey.cli.pending_rules import app as rules_app
from linekey.errors import InputError
from linekey.mac import parse_mac

with on_use():
    from linekey.provisioning.shown import device_json
    from linekey.store.pending import (
        Approval,
        Pending,
        PendingPhone,
        PendingSearch,
        State,
        Told,
    )

app = make_app(
    """List, approve and refuse phones that nobody has registered yet.

    Such a phone has proved which one it is by its built-in certificate. What it gets
    until it is approved says `pending.policy` in linekey.toml, or `linekey trust set
    --pending` for the phones of one CA. For example:

        linekey pending list

        linekey pending approve 000413AABBCC --label "Hall 2"

        linekey pending approve --model D785 --group acme

        linekey pending refuse 000413AABBCD --reason "not ours"
    """
)
app.add_typer(rules_app, name="rules")

MacsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="MAC…", help="Phones; or select some by the options below."),
]
VendorFilter = Annotated[
    str | None,
    typer.Option(
        "--vendor",
        metavar="VENDOR",
        help="Only phones whose certificate is this maker's; * and ? stand for any "
        "characters.",
    ),
]
ModelFilter = Annotated[
    str | None, typer.Option("--model", metavar="MODEL", help="Only this model.")
]
GenerationFilter = Annotated[
    str | None,
    typer.Option(
        "--generation",
        metavar="GENERATION",
        help="Only with a certificate of this generation: sha1 or sha256.",
    ),
]
PeerFilter = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="ADDRESS",
        help="Only phones that last came from this address, such as '192.0.2.*'.",
    ),
]
ForGroupFilter = Annotated[
    str | None,
    typer.Option(
        "--for-group",
        metavar="GROUP",
        help="Only phones that a rule means for this group; '' for those of no rule.",
    ),
]
CodeFilter = Annotated[
    str | None,
    typer.Option(
        "--code", metavar="CODE", help="Only phones with this code on their display."
    ),
]
AllOption = Annotated[
    bool, typer.Option("--all", help="All pending phones that are not refused.")
]


@app.command("list")
def list_(
    vendor: VendorFilter = None,
    model: ModelFilter = None,
    generation: GenerationFilter = None,
    from_: PeerFilter = None,
    for_group: ForGroupFilter = None,
    code: CodeFilter = None,
    search: SearchFilter = None,
    file: FileFilter = None,
    refused: Annotated[
        bool, typer.Option("--refused", help="Only those that you refused.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many phones.")
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="CURSOR", help="Continue a list where --limit ended it."),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """List pending phones, those first that came last for the first time.

    The code is what a phone with a waiting file shows on its display. Two phones may
    have the same: compare the MAC address, too.
    """
    wanted = _search(
        [], vendor, model, generation, from_, for_group, file, search, code=code,
        state="refused" if refused else None,
    )  # fmt: skip
    with opened(state) as database:
        pending = Pending(database)
        if limit is None and after is None:
            found, cursor = list(pending.all(wanted)), None
        else:
            found, cursor = pending.page(wanted, after, limit or 1000)
        total = pending.count(wanted)
    if json:
        emit_json_list(phone.as_json() for phone in found)
    else:
        for phone in found:
            emit_line(_line(phone))
    of_all = f" of {total}" if len(found) != total else ""
    note(f"{len(found)}{of_all} pending phone{'' if total == 1 else 's'}")
    if cursor is not None:
        note(f"next: the same command with --after {cursor}")


@app.command()
def show(
    mac: Annotated[str, typer.Argument(metavar="MAC", help="MAC address.")],
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Show everything that is known of a pending phone."""
    with opened(state) as database:
        phone = Pending(database).get(parse_mac(mac))
    if json:
        emit_json(phone.as_json())
        return
    for name, value in phone.as_json().items():
        shown = "none" if value in (None, "") else printable(str(value))
        say(f"{name.replace('_', ' '):>20}  {shown}")


@app.command()
def approve(
    macs: MacsArgument = None,
    vendor: VendorFilter = None,
    model: ModelFilter = None,
    generation: GenerationFilter = None,
    from_: PeerFilter = None,
    for_group: ForGroupFilter = None,
    search: SearchFilter = None,
    file: FileFilter = None,
    every: AllOption = False,
    label: Annotated[
        str | None, typer.Option(help="Your own note, such as a room or a person.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Put them into this group; '' for none."),
    ] = None,
    as_model: Annotated[
        str | None,
        typer.Option(
            "--as-model",
            metavar="MODEL",
            help="The model to register them as. Default: what the list shows.",
        ),
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Register pending phones. Each has its file at its next request.

    Label, group and model are those of the rule that a phone fits, if you do not say
    them. All phones that you select are registered, or none.
    """
    wanted = _chosen(
        macs, vendor, model, generation, from_, for_group, file, search, every
    )
    approval = Approval(label=label, group=group, model=as_model)
    told = _decided(
        wanted,
        lambda pending, count: pending.approve(
            wanted, approval, now(), expected=count, dry_run=dry_run
        ),
        ("approve", "approved"),
        dry_run,
        yes,
        state,
        json,
    )
    device = told[0].device if len(told) == 1 and not dry_run else None
    if device is not None and device.model is None and not json:
        words = with_state(f"linekey device set {device.mac} --model MODEL", state)
        note(f"next: set its model: {words}")


@app.command()
def refuse(
    macs: MacsArgument = None,
    vendor: VendorFilter = None,
    model: ModelFilter = None,
    generation: GenerationFilter = None,
    from_: PeerFilter = None,
    for_group: ForGroupFilter = None,
    search: SearchFilter = None,
    file: FileFilter = None,
    every: AllOption = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for the list.")
    ] = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Refuse pending phones: they get nothing, and no rule registers them.

    They stay on the list until they have not come for `pending.keep_days`.
    """
    wanted = _chosen(
        macs, vendor, model, generation, from_, for_group, file, search, every
    )
    _decided(
        wanted,
        lambda pending, count: pending.refuse(
            wanted, reason, now(), expected=count, dry_run=dry_run
        ),
        ("refuse", "refused"),
        dry_run,
        yes,
        state,
        json,
    )


@app.command()
def forget(
    macs: MacsArgument = None,
    vendor: VendorFilter = None,
    model: ModelFilter = None,
    generation: GenerationFilter = None,
    from_: PeerFilter = None,
    for_group: ForGroupFilter = None,
    search: SearchFilter = None,
    file: FileFilter = None,
    every: AllOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Take phones off the list, refused ones too, as if they had never come.

    A phone that comes again is listed again.
    """
    wanted = _chosen(
        macs, vendor, model, generation, from_, for_group, file, search, every
    )
    _decided(
        wanted,
        lambda pending, count: pending.forget(
            wanted, now(), expected=count, dry_run=dry_run
        ),
        ("forget", "forgot"),
        dry_run,
        yes,
        state,
        json,
    )


def _search(
    macs: list[str],
    vendor: str | None,
    model: str | None,
    generation: str | None,
    peer: str | None,
    group: str | None,
    file: Path | None,
    search: str | None,
    *,
    code: str | None = None,
    state: State | None = None,
) -> PendingSearch:
    named = frozenset(map(parse_mac, macs))
    if file is not None:
        named |= read_macs(file)
    return PendingSearch(
        macs=named if macs or file is not None else None,
        search=search or "",
        vendor=vendor,
        model=model,
        generation=generation,
        peer=peer,
        group=group,
        code=code,
        state=state,
    )


def _chosen(
    macs: list[str] | None,
    vendor: str | None,
    model: str | None,
    generation: str | None,
    peer: str | None,
    group: str | None,
    file: Path | None,
    search: str | None,
    every: bool,
) -> PendingSearch:
    """Which phones are meant: by MACs, by what they fit, or every one.

    Who is named by his MAC is meant whatever was said of him before; a selection is of
    those that are not refused. Raises InputError.
    """
    filters = (vendor, model, generation, peer, group, search)
    by_filter = any(each is not None for each in filters)
    by_mac = bool(macs) or file is not None
    ways = [by_mac, by_filter, every].count(True)
    if ways > 1:
        raise InputError(
            "phones are named in two ways: by MACs, a selection, or --all",
            hint="give one of them alone",
        )
    if not ways:
        raise InputError(
            "say which phones: MACs, or a selection, or --all",
            hint="a selection is --vendor, --model, --generation, --from, --for-group "
            "or --search, or several of them; MACs may be in a --file",
        )
    return _search(
        macs or [], vendor, model, generation, peer, group, file, search,
        state=None if by_mac else "open",
    )  # fmt: skip


def _decided(
    wanted: PendingSearch,
    how: Callable[[Pending, int], list[Told]],
    words: tuple[str, str],
    dry_run: bool,
    yes: bool,
    state: Path | None,
    json: bool,
) -> list[Told]:
    verb, past = words
    with opened(state) as database:
        pending = Pending(database)
        count = pending.count(wanted)
        if wanted.macs is not None:
            count = len(wanted.macs)  # one that is not pending is told by its name
        elif not count:
            raise InputError(
                "no pending phone fits",
                hint="linekey pending list with the same options shows which fit",
            )
        if count > 1 and not dry_run and not yes:
            agree(f"{verb} {count} phones")
        told = how(pending, count)
    if json:
        emit_json(
            {"selected": count, "dry_run": dry_run, "items": [*map(_told_json, told)]}
        )
        return told
    for one in told:
        device = one.device
        more = [] if device is None else [device.model, device.group, device.label]
        shown = " ".join(printable(text) for text in more if text)
        said = f"would {verb}" if dry_run else past
        say(f"{said} {one.mac}  code {one.code}  {shown}".rstrip())
    return told


def _told_json(told: Told) -> dict[str, Any]:
    device = None if told.device is None else device_json(told.device)
    return {"mac": told.mac.digits, "code": told.code, "device": device}


def _line(phone: PendingPhone) -> str:
    sure = "" if phone.model_by in (None, "certificate") else "?"
    parts = [
        phone.mac.digits,
        phone.code,
        phone.vendor,
        f"{phone.model or '-'}{sure}",
        phone.generation or "-",
        f"{phone.first_at.astimezone():%Y-%m-%d %H:%M}",
        f"{phone.last_at.astimezone():%Y-%m-%d %H:%M}",
        f"{phone.count}×",
        phone.peer,
    ]
    parts += ["refused"] if phone.state == "refused" else []
    parts += [phone.refused_reason] if phone.refused_reason else []
    parts += [f"for {phone.group}"] if phone.group else []
    return printable("  ".join(parts))
