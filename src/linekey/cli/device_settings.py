"""Settings and accounts of a phone, as ``device add`` and ``device set`` take them."""

from typing import Annotated

import typer

from linekey.cli.layer_text import note_shell_history, secret_setting
from linekey.cli.on_use import on_use
from linekey.cli.opening import read_secret
from linekey.cli.output import note

with on_use():
    from linekey.makers.account import parse_account
    from linekey.makers.all import MAKERS, find_other
    from linekey.makers.known import refuse_uncarried, refuse_unknown
    from linekey.provisioning.device import Device
    from linekey.provisioning.document import (
        Layer,
        Mark,
        Setting,
        parse_setting,
        parse_slot,
    )
    from linekey.provisioning.format import maker_of_record

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Set a phone setting, or one of an account: NAME[IDX]=VALUE. May be "
        "repeated. Use --secret for passwords: the shell's history keeps this.",
    ),
]
SecretOption = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME",
        help="Set this phone setting, or NAME[IDX], to a value that is typed without "
        "echo, or read as one line from a pipe. May be repeated.",
    ),
]
AccountOption = Annotated[
    list[str] | None,
    typer.Option(
        "--account",
        metavar="WORD=VALUE,…",
        help="Set an account, of a phone of any maker: user=4711,password,"
        "registrar=pbx.example.com,transport=tls. A bare `password` is typed without "
        "echo. Further words: auth_user, display_name, label, outbound, srtp, expires, "
        "number. May be repeated, for accounts 1, 2, 3.",
    ),
]


def maker_named(vendor: str | None, model: str | None) -> str | None:
    """Whose a setting's bare name is, by what was typed; None: that is not said."""
    if vendor:
        return vendor.strip().lower()
    if not model:
        return None
    found = find_other(model)
    return "snom" if found is None else found.maker


def settings_given(
    assignments: list[str] | None,
    secrets: list[str] | None,
    accounts: list[str] | None,
    *,
    allow_unknown: bool,
    maker: str | None,
) -> list[Setting]:
    """Read what was typed, and ask for what is not to be on a command line.

    ``maker`` is whose a bare name is; None: anybody's. Raises InputError.
    """
    settings = [parse_setting(text) for text in assignments or ()]
    parsed = [parse_account(text, n) for n, text in enumerate(accounts or (), 1)]
    if not allow_unknown:
        named = [parse_slot(text) for text in secrets or ()]
        refuse_unknown([*(s.slot for s in settings), *named], named, maker)
    for setting in settings:
        if setting.secret:
            note_shell_history(setting)
    made: dict[tuple[str, int | None], Setting] = {}
    for account in parsed:
        for name, value in account.values:
            setting = Setting(name, value, account.number)
            made[setting.slot] = setting
            if setting.secret:
                note("note: next time write a bare `password`: the shell's history "
                     "keeps this")  # fmt: skip
        for name in account.asks:
            value = read_secret(f"password of account {account.number}")
            made[name, account.number] = Setting(
                name, value, account.number, mark=Mark.SECRET
            )
    return [*made.values(), *settings, *(secret_setting(t) for t in secrets or ())]


def check_for(
    device: Device, settings: list[Setting], before: Layer | None = None
) -> None:
    """Raise InputError for settings that this phone's maker has not, or cannot carry.

    A name that its layer held ``before`` is none of the new ones.
    """
    maker = maker_of_record(device)
    if maker is None or maker.snom_like:
        return
    there = {s.slot for s in before.settings} if before else set()
    new = [s for s in settings if s.slot not in there]
    refuse_unknown(
        [s.slot for s in new], [s.slot for s in new if s.mark is not None], maker.id
    )
    refuse_uncarried([(s.name, s.idx, s.value) for s in settings], maker.id)


def note_other_block(device: Device) -> None:
    """Say where the MAC's block is another maker's than the record's; it is a hint."""
    maker = maker_of_record(device)
    block = device.mac.digits[:6]
    whose = [m for m in MAKERS.values() if block in {oui for oui, _ in m.ouis}]
    if maker is not None and whose and maker not in whose:
        named = " and ".join(one.title for one in whose)
        note(
            f"note: {block} is a block of {named}, and the record says {maker.title}; "
            "correct the MAC or the model if that is not meant"
        )
