"""``linekey phone``: run a virtual phone, look at it, press its keys.

A phone lives in ``<state>/phones/<MAC>/``. While ``linekey phone run`` (or ``linekey
up``) runs it, the other verbs talk to that process; otherwise they change its files.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from linekey.cli import phone_run, phone_uses
from linekey.cli.mac_first import MacArgument, MacFirst
from linekey.cli.on_use import on_use
from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_app,
    printable,
    read_file,
    with_state,
)
from linekey.cli.output import console, emit_json, note, say
from linekey.cli.phone_asking import (
    print_answer,
    report_of,
    tell,
    with_authorities,
)
from linekey.cli.phone_text import notice_lines, show_rows
from linekey.errors import InputError
from linekey.mac import parse_mac
from linekey.store.paths import StateDir
from linekey.words import counted

with on_use():
    from linekey.phone.edge.disk import PhoneFolder, PhoneStore
    from linekey.phone.events import (
        CertificateUploaded,
        Event,
        FactoryResetDone,
        NotificationDismissed,
        SettingEntered,
    )
    from linekey.phone.report import (
        TABS,
        describe_certificates,
        describe_run,
        describe_settings,
        find_in_tab,
    )
    from linekey.phone.state import PhoneState
    from linekey.phone.typed import check_idx
    from linekey.phone.uses.network.events import NetworkCertificateUploaded

app = make_app(
    """Run virtual phones and control them.

    A virtual phone behaves in TLS like the real model with its firmware. Start one:

        linekey phone run --mac 000413AABBCC --model D785

    The other commands control it from another terminal. `linekey up` runs one, too.
    """
)

app.command("run")(phone_run.run)


# --- looking at it


@app.command("list")
def list_phones(state: StateOption = None, as_json: JsonOption = False) -> None:
    """List the virtual phones in the state folder."""
    store = _store(state)
    folders = [store.folder(mac) for mac in store.macs()]
    phones = [(folder.load(), folder.running) for folder in folders]
    if as_json:
        # What only the process knows that runs a phone is left out: show asks it.
        emit_json(
            [
                {
                    "running": running,
                    **{k: v for k, v in describe_run(phone).items() if k != "lines"},
                }
                for phone, running in phones
            ]
        )
        return
    for phone, running in phones:
        say(
            f"{phone.mac}  {phone.profile.name}  {'running' if running else 'stopped'}"
            f"  {phone.status}: {printable(phone.status_reason)}"
        )
    if not phones:
        words = with_state("linekey phone run --mac MAC --model MODEL", state)
        note(f"no virtual phone yet; next: {words}")


@app.command(cls=MacFirst)
def show(
    mac: MacArgument = "", state: StateOption = None, as_json: JsonOption = False
) -> None:
    """Show a phone's model, state, certificate, SIP registrations and tabs."""
    document = report_of(_folder(state, mac))
    if as_json:
        emit_json(document)
        return
    _table(show_rows(document))
    for line in notice_lines(document):
        say(line)


@app.command(cls=MacFirst)
def settings(
    mac: MacArgument = "", state: StateOption = None, as_json: JsonOption = False
) -> None:
    """List all settings of the phone. Secrets are shown as stars."""
    phone = _load(state, mac)
    rows = describe_settings(phone)
    if as_json:
        emit_json(rows)
        return
    _table(
        [
            (
                row["name"] + ("" if row["idx"] is None else str(row["idx"])),
                printable(row["value"]) + ("" if row["known"] else "   (unknown here)"),
            )
            for row in rows
        ]
    )


@app.command(cls=MacFirst)
def certificates(
    mac: MacArgument = "",
    state: StateOption = None,
    as_json: JsonOption = False,
    authorities: Annotated[
        bool,
        typer.Option(
            "--authorities", help="Also list the built-in certificate authorities."
        ),
    ] = False,
    find: Annotated[
        str,
        typer.Option(
            "--find",
            metavar="TEXT",
            help="Only certificates with TEXT in name, issuer, serial or fingerprint.",
        ),
    ] = "",
) -> None:
    """Show the certificates on the phone's tabs, and its own certificate."""
    phone = _load(state, mac, authorities=authorities)
    document = describe_certificates(phone)
    if not authorities:
        del document["authorities"]
    if find:
        del document["own"]
        document = {tab: find_in_tab(rows, find) for tab, rows in document.items()}
    if as_json:
        emit_json(document)
        return
    for tab, rows in document.items():
        console.print(TABS.get(tab, "Its own"), style="bold", markup=False)
        for row in [rows] if isinstance(rows, dict) else rows or []:
            subject = printable(row["label"])
            say(f"  {subject}")
            say(f"    SHA-256 {row['sha256']}  until {row['not_after'][:10]}")
            if "reason" in row:
                say(
                    f"    {row['purpose']} {row['peer']}: {printable(row['reason'])}"
                    f" ({counted(row['times'], 'time')})"
                )


@app.command(cls=MacFirst)
def log(
    mac: MacArgument = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Only the newest N lines.")
    ] = 200,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the phone's log, newest last."""
    folder = _folder(state, mac)
    entries = folder.read_log(limit)
    if as_json:
        emit_json([entry.as_dict() for entry in entries])
        return
    for entry in entries:
        say(
            f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.level:7} {entry.purpose}: "
            f"{printable(entry.text)}"
        )
        for detail in entry.details:
            say(f"    {printable(detail)}")


# --- pressing its buttons


@app.command("factory-reset", cls=MacFirst)
def factory_reset(
    mac: MacArgument = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask for confirmation.")
    ] = False,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reset the phone to its factory defaults. Its certificate and log stay."""
    folder = _folder(state, mac)
    if not yes:
        typer.confirm(
            f"Reset {folder.path.name} to its factory defaults?", abort=True, err=True
        )
    _act(folder, FactoryResetDone(), as_json)


@app.command(cls=MacFirst)
def upload(
    mac: MacArgument = "",
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="One certificate in DER form.")
    ],
    user: Annotated[
        bool,
        typer.Option("--user", help="Try it in user mode, where the phone refuses it."),
    ] = False,
    tab: Annotated[
        Literal["server", "802.1x"],
        typer.Option("--tab", help="802.1x: the CA of the network's RADIUS server."),
    ] = "server",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Upload a certificate to one of the phone's tabs, as its administrator."""
    kind = CertificateUploaded if tab == "server" else NetworkCertificateUploaded
    event = kind(read_file(file), admin=not user)
    _act(_folder(state, mac), event, as_json)


@app.command("set", cls=MacFirst)
def set_setting(
    mac: MacArgument = "",
    *,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Setting, such as language.")
    ],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="New value.")],
    idx: Annotated[
        int | None,
        typer.Option(
            "--idx", min=0, help="Account, from 1 to 12; for a function key from 0."
        ),
    ] = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a setting, as a user does on the phone. VALUE may be empty."""
    if idx is not None:
        check_idx(name, idx)
    _act(_folder(state, mac), SettingEntered(name, value, idx), as_json)


@app.command(cls=MacFirst)
def dismiss(
    mac: MacArgument = "",
    index: Annotated[
        int, typer.Option("--index", min=0, help="Which one; 0 is the newest.")
    ] = 0,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Dismiss a notification on the phone's screen."""
    _act(_folder(state, mac), NotificationDismissed(index), as_json)


phone_uses.add_verbs(app, lambda state, mac: _folder(state, mac))


def _act(folder: PhoneFolder, event: Event, as_json: bool) -> None:
    """Let the phone take an event, in its own process or here."""
    print_answer(tell(folder, event), as_json)


def _store(state: Path | None) -> PhoneStore:
    return PhoneStore(StateDir.open(state, create=False).root / "phones")


def _folder(state: Path | None, mac: str) -> PhoneFolder:
    store = _store(state)
    if mac:
        folder = store.folder(parse_mac(mac))
        if not folder.exists:
            raise InputError(
                f"there is no virtual phone {folder.path.name}",
                hint=f"{with_state('linekey phone list', state)} names those that are "
                "there",
            )
        return folder
    macs = store.macs()
    if not macs:
        words = "linekey phone run --mac 000413AABBCC --model D785"
        raise InputError(
            "there is no virtual phone here yet",
            hint=f"{with_state(words, state)} makes one",
        )
    if len(macs) > 1:
        raise InputError(
            f"which of the {len(macs)} virtual phones?",
            hint="say one of: " + ", ".join(map(str, macs[:10])),
        )
    return store.folder(macs[0])


def _load(state: Path | None, mac: str, *, authorities: bool = True) -> PhoneState:
    folder = _folder(state, mac)
    phone = folder.load()
    return with_authorities(phone) if authorities else phone


def _table(rows: list[tuple[str, str]]) -> None:
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        say(f"{label:{width}}  {value}")
