"""``linekey device``: the registered phones.

Rule: no secret is ever shown; where one is, it says "(set)". The one exception is a
one-time token, when it is made.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from linekey.catalog.models import Generation
from linekey.cli.device_certificates import ExpiredOption, expired_of, warn_if_refused
from linekey.cli.device_digest import DigestOption, credential_of
from linekey.cli.device_exported import say_who_still_lets_in
from linekey.cli.device_passwords import rotate_passwords
from linekey.cli.device_replace import replace_
from linekey.cli.device_selection import (
    AllOption,
    DryRunOption,
    FileFilter,
    GroupFilter,
    LabelFilter,
    MaybeMac,
    ModelFilter,
    SearchFilter,
    WhereFilter,
    YesOption,
    change_selected,
    selection_of,
    which,
)
from linekey.cli.device_settings import (
    AccountOption,
    SecretOption,
    SetOption,
    check_for,
    maker_named,
    note_other_block,
    settings_given,
)
from linekey.cli.device_show import MacArgument, show, state_text
from linekey.cli.device_tables import export, import_
from linekey.cli.on_use import on_use
from linekey.cli.opening import (
    AllowUnknownOption,
    JsonOption,
    StateOption,
    make_app,
    now,
    opened,
    with_state,
)
from linekey.cli.output import (
    console,
    emit_json,
    emit_json_list,
    emit_line,
    note,
    say,
)
from linekey.cli.progress import progress
from linekey.mac import Mac, parse_mac

with on_use():
    from linekey.provisioning.device import Device, DigestCredential
    from linekey.provisioning.document import Setting, parse_slot
    from linekey.provisioning.shown import device_json
    from linekey.store.devices import Devices
    from linekey.store.edit import DeviceEdit, without
    from linekey.store.selection import Order
    from linekey.store.sightings import seen_json, sightings_of
    from linekey.store.vendor_cas import VendorCas

app = make_app(
    """Register phones and change their records.

    A phone gets its configuration file only if it is registered here and its built-in
    certificate proves its MAC address. Start with:

        linekey device add 00:04:13:AA:BB:CC --model D785 --set 'user_name[1]=4711' \\
            --secret 'user_pass[1]'

        linekey device add 00:15:65:AA:BB:CC --model T46U \\
            --account user=4711,password,registrar=pbx.example.com,transport=tls

    To set something for all phones, or for all phones of a model, use `linekey layer`.
    """
)

ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL", help="Model, such as D785; `linekey models` lists them."
    ),
]
FirmwareOption = Annotated[
    str | None,
    typer.Option(metavar="VERSION", help="Firmware version, such as 10.1.33.33."),
]
VendorOption = Annotated[
    str | None,
    typer.Option(
        metavar="VENDOR",
        help="The phone's vendor. Default: its model's maker; else snom.",
    ),
]
LabelOption = Annotated[
    str | None, typer.Option(help="Your own note, such as a room or a person.")
]
GroupOption = Annotated[
    str | None,
    typer.Option(metavar="GROUP", help="The group it is in; see `linekey group`."),
]
GenerationOption = Annotated[
    list[Generation] | None,
    typer.Option(
        "--generation",
        help="Accept only built-in certificates of this generation. May be repeated. "
        "Default: every generation that the model was ever made with.",
    ),
]
TokenOption = Annotated[
    bool,
    typer.Option(
        "--token",
        help="Also make a one-time token. For phones that share one certificate.",
    ),
]


@app.command()
def add(
    mac: MacArgument,
    model: ModelOption = None,
    firmware: FirmwareOption = None,
    vendor: VendorOption = None,
    label: LabelOption = None,
    group: GroupOption = None,
    account: AccountOption = None,
    set_: SetOption = None,
    secret: SecretOption = None,
    generation: GenerationOption = None,
    digest: DigestOption = None,
    token: TokenOption = False,
    allow_unknown: AllowUnknownOption = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Register a phone.

    Give its model: it decides which built-in certificates are accepted, and whether the
    phone may use an old TLS version.
    """
    address = parse_mac(mac)
    settings = settings_given(
        set_, secret, account, allow_unknown=allow_unknown,
        maker=maker_named(vendor, model),
    )  # fmt: skip
    credential = credential_of(digest)
    with opened(state, create=True) as database:
        device = _changed(
            Device(address, VendorCas(database).usual_vendor()),
            new_phone=True,
            vendor=vendor,
            model=model,
            firmware=firmware,
            label=label,
            group=group,
            settings=settings,
            generation=generation,
            digest=credential,
        )
        if settings and not allow_unknown:
            check_for(device, settings)
        devices = Devices(database)
        device = devices.add(device, now())
        made = devices.new_token(device.mac, now()) if token else None
    if json:
        emit_json(device_json(device) | ({"token": made} if made else {}))
        return
    say(f"added {_line(device)}")
    note_other_block(device)
    if made:
        _show_token(device.mac, made)
    if device.model is None:
        words = with_state(f"linekey device set {device.mac} --model MODEL", state)
        note(f"next: set its model: {words}")


@app.command("list")
def list_(
    model: ModelFilter = None,
    label: LabelFilter = None,
    group: GroupFilter = None,
    where: WhereFilter = None,
    file: FileFilter = None,
    search: SearchFilter = None,
    revoked: Annotated[
        bool, typer.Option("--revoked", help="Only revoked phones.")
    ] = False,
    sort: Annotated[
        str,
        typer.Option(
            metavar="COLUMN",
            help="Order by mac, vendor, model, label, group, state or changed; with - "
            "before it, the last comes first.",
        ),
    ] = "mac",
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
    """List the registered phones, one per line, ordered by MAC address.

    How many there are is printed at the end, and how to continue if there are more.
    """
    order = Order.parse(sort)
    wanted = selection_of(
        model=model, label=label, group=group, where=where, file=file, search=search,
        revoked=revoked,
    )  # fmt: skip
    count, cursor = 0, after
    with opened(state) as database:
        devices = Devices(database)
        pages = devices.pages(wanted, order, after, limit, layers=json)

        def each() -> Iterator[list[Device]]:
            nonlocal count, cursor
            with progress("listing", shown=not sys.stdout.isatty()):
                for found, cursor in pages:  # noqa: B007 - told when all is printed
                    yield found
                    count += len(found)

        def documents() -> Iterator[dict[str, Any]]:
            for found in each():
                known = sightings_of(database, [device.mac for device in found])
                for device in found:
                    yield device_json(device) | seen_json(known.get(device.mac))

        if json:
            emit_json_list(documents())
        else:
            for found in each():
                for device in found:
                    emit_line(_line(device))
        total = devices.count(wanted)
    of_all = f" of {total}" if count != total else ""
    note(f"{count}{of_all} phone{'' if total == 1 else 's'}")
    if cursor is not None:
        note(f"next: the same command with --after {cursor}")
    elif not total and wanted.is_all:
        note("next: linekey device add MAC --model MODEL, or linekey device import")


@app.command("set")
def set_device(
    mac: MaybeMac = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="With a MAC: its model, such as D785. Without: change the phones of "
            "this model.",
        ),
    ] = None,
    firmware: FirmwareOption = None,
    vendor: VendorOption = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="With a MAC: your note on the phone. Without: change the phones with "
            "this label, such as 'Hall*'.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP",
            help="With a MAC: the group it is in, '' for none. Without: change the "
            "phones of this group.",
        ),
    ] = None,
    where: WhereFilter = None,
    file: FileFilter = None,
    every: AllOption = False,
    new_model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="The new model of a selection's phones."),
    ] = None,
    new_label: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="The new label of a selection's phones."),
    ] = None,
    new_group: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP",
            help="The new group of a selection's phones; '' takes them out of theirs.",
        ),
    ] = None,
    account: AccountOption = None,
    set_: SetOption = None,
    secret: SecretOption = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Remove a setting, or NAME[IDX]."),
    ] = None,
    generation: GenerationOption = None,
    any_generation: Annotated[
        bool,
        typer.Option(
            "--any-generation",
            help="Accept every generation that the model was ever made with.",
        ),
    ] = False,
    expired: ExpiredOption = None,
    digest: DigestOption = None,
    no_digest: Annotated[
        bool, typer.Option("--no-digest", help="Remove the HTTP digest user.")
    ] = False,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Remove the one-time token.")
    ] = False,
    allow_unknown: AllowUnknownOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Change a phone's record, or all of a selection. It takes effect at once.

    What you do not name stays as it is. A selection is changed as a whole or not at
    all, after you have agreed to the number of its phones. For example:

        linekey device set 000413AABBCC --firmware 10.1.198.19 --unset language

        linekey device set --model D785 --where language= --set language=Deutsch
    """
    wanted = which(
        mac,
        model=None if mac else model,
        label=None if mac else label,
        group=None if mac else group,
        where=where,
        file=file,
        every=every,
    )
    settings = settings_given(
        set_, secret, account, allow_unknown=allow_unknown,
        maker=maker_named(vendor, None),
    )  # fmt: skip
    slots = [parse_slot(name) for name in unset or ()]
    credential = credential_of(digest)
    edit = expired_of(expired)

    def change(device: Device) -> Device:
        before = device.layer
        if slots:
            own = {s.slot for s in device.layer.settings}
            there = [slot for slot in slots if mac or slot in own]
            layer = without(device.layer, there, str(device.mac))
            device = replace(device, layer=layer)
        device = _changed(
            device,
            vendor=vendor,
            model=new_model if new_model is not None or not mac else model,
            firmware=firmware,
            label=new_label if new_label is not None or not mac else label,
            group=new_group if new_group is not None or not mac else group,
            settings=settings,
            generation=generation,
            digest=credential,
        )
        if settings and not allow_unknown:
            check_for(device, settings, before)
        device = edit.apply(device)
        if any_generation:
            device = replace(device, generations=None)
        if no_digest:
            device = replace(device, digest=None)
        if no_token:
            device = replace(device, token_sha256=None, token_used_at=None)
        return device

    if mac and not dry_run:
        _change(mac, change, state, json, "set")
    else:
        change_selected(
            wanted, change, "change", yes=yes, dry_run=dry_run, state=state, json=json
        )
    if expired is not None:
        warn_if_refused(edit, state)


@app.command()
def revoke(
    mac: MaybeMac = None,
    reason: Annotated[str, typer.Option(help="Your reason, kept in the record.")] = "",
    model: ModelFilter = None,
    label: LabelFilter = None,
    group: GroupFilter = None,
    where: WhereFilter = None,
    file: FileFilter = None,
    every: AllOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Refuse everything to a phone, or a selection, from the next request on.

    The records are kept. For example:

        linekey device revoke 000413AABBCC --reason "stolen"

        linekey device revoke --label 'Berlin*' --reason "office closed"
    """
    wanted = which(
        mac, model=model, label=label, group=group, where=where, file=file, every=every
    )

    def how(device: Device) -> Device:
        return replace(device, state="revoked", revoked_reason=reason)

    if mac and not dry_run:
        _change(mac, how, state, json, "revoked")
    else:
        change_selected(
            wanted, how, "revoke", yes=yes, dry_run=dry_run, state=state, json=json
        )
    if not dry_run:
        say_who_still_lets_in(state)


@app.command()
def restore(
    mac: MaybeMac = None,
    model: ModelFilter = None,
    label: LabelFilter = None,
    group: GroupFilter = None,
    where: WhereFilter = None,
    file: FileFilter = None,
    every: AllOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Undo a revocation, or those of a selection: the phones get their files again."""
    wanted = which(
        mac, model=model, label=label, group=group, where=where, file=file, every=every
    )

    def how(device: Device) -> Device:
        return replace(device, state="active", revoked_reason="")

    if mac and not dry_run:
        _change(mac, how, state, json, "restored")
        return
    change_selected(
        wanted, how, "restore", yes=yes, dry_run=dry_run, state=state, json=json
    )


@app.command()
def remove(
    mac: MacArgument, state: StateOption = None, json: JsonOption = False
) -> None:
    """Delete a phone's record and settings. (To refuse the phone, revoke it.)"""
    parsed = parse_mac(mac)
    with opened(state) as database:
        Devices(database).remove(parsed, now())
    if json:
        emit_json({"removed": parsed.digits})
    else:
        console.print(f"removed {parsed}", markup=False)
    say_who_still_lets_in(state)


@app.command()
def token(
    mac: MacArgument, state: StateOption = None, json: JsonOption = False
) -> None:
    """Make a one-time token for a phone that shares its certificate with others.

    Put it into the phone's setting server URL, as …/t/TOKEN/. It is shown only now. An
    older token of this phone stops working.
    """
    parsed = parse_mac(mac)
    with opened(state) as database:
        made = Devices(database).new_token(parsed, now())
    if json:
        emit_json({"mac": parsed.digits, "token": made})
    else:
        _show_token(parsed, made)


app.command("replace")(replace_)
app.command("rotate-passwords")(rotate_passwords)
app.command()(show)
app.command("import")(import_)
app.command()(export)


def _changed(
    device: Device,
    *,
    vendor: str | None,
    model: str | None,
    firmware: str | None,
    label: str | None,
    group: str | None,
    settings: Sequence[Setting],
    generation: list[Generation] | None,
    digest: DigestCredential | None,
    new_phone: bool = False,
) -> Device:
    edit = DeviceEdit.given(
        vendor=vendor,
        model=model,
        firmware=firmware,
        label=label,
        group=group,
        generations=generation or None,
        digest=digest,
        settings=tuple(settings),
    )
    return edit.apply(device, new_phone=new_phone)


def _change(
    mac: str,
    how: Callable[[Device], Device],
    state: Path | None,
    json: bool,
    verb: str,
) -> None:
    parsed = parse_mac(mac)
    with opened(state) as database:
        device = Devices(database).change(parsed, how, now())
    if json:
        emit_json(device_json(device))
    else:
        say(f"{verb} {_line(device)}")


def _line(device: Device) -> str:
    parts = [str(device.mac), device.model or f"({device.vendor})"]
    if device.firmware is not None:
        parts.append(str(device.firmware))
    parts.append(state_text(device))
    if device.group:
        parts.append(device.group)
    if device.label:
        parts.append(repr(device.label))
    return "  ".join(parts)


def _show_token(mac: Mac, made: str) -> None:
    say(f"one-time token of {mac}: {made}")
    note(
        "it is not shown again; put it into the phone's setting server URL: "
        f"…/t/{made}/"
    )
