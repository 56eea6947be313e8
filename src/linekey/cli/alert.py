"""``linekey alert``: what holds now, what was not delivered, and whether it arrives."""

from typing import Annotated, Any

import typer

from linekey.alerts.kinds import Kind
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
from linekey.cli.output import emit_json, note, say
from linekey.errors import InputError

with on_use():
    import asyncio

app = make_app(
    """Show alerts, see whether they arrive, and send again what did not.

    Alerts go to webhooks and by mail, as the section alerts of linekey.toml says; the
    running server sends them. For example:

        linekey alert test

        linekey alert list

        linekey alert retry --all
    """
)

_SHOWN = 20


@app.command("list")
def list_(
    kind: Annotated[
        Kind | None, typer.Option(help="Only alerts of this kind, and messages of it.")
    ] = None,
    sent: Annotated[
        bool, typer.Option("--sent", help="Messages that were delivered, too.")
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """List the alerts that hold now, and the messages that were not delivered."""
    from linekey.store import alerts, outbox

    states = outbox.STATES if sent else outbox.OPEN
    with opened(state) as database:
        held, total = alerts.holding(database, "" if kind is None else kind.value)
        found = outbox.listed(database, states)
    messages = [one.as_json() for one in found if kind in (None, one.kind)]
    if json:
        emit_json({"holding": held, "total": total, "messages": messages})
        return
    say(f"{total:,} hold now")
    for one in held[:_SHOWN]:
        who = one["mac"] or one["text"]
        told = "told" if one["told_at"] else "not told yet"
        line = f"{one['kind']}  {who}  {one['sentence']}  since {_at(one['since'])}"
        say(f"  {printable(line)}  {told}")
    if total > _SHOWN:
        note(f"{total - _SHOWN:,} more: --json")
    say(f"{len(messages):,} messages" + (" not delivered" if not sent else ""))
    for message in messages[:_SHOWN]:
        say(f"  {_message_line(message)}")
    if len(messages) > _SHOWN:
        note(f"{len(messages) - _SHOWN:,} more: --json")
    if any(message["state"] == outbox.UNDELIVERED for message in messages):
        note(f"next: {with_state('linekey alert retry --all', state)}")


def _message_line(one: dict[str, Any]) -> str:
    then = f"; next {_at(one['next_at'])}" if one["next_at"] else ""
    said = f": {one['problem']}" if one["problem"] else ""
    return printable(
        f"{one['id']}  {one['state']}  {one['target']}  {one['summary']}  "
        f"{one['attempts']} attempts{said}{then}"
    )


def _at(iso: str) -> str:
    return f"{iso[:16].replace('T', ' ')} UTC"


@app.command("test")
def try_out(state: StateOption = None, json: JsonOption = False) -> None:
    """Send a test message to each target now, and say what came of it.

    Exit status: 0 delivered to all; 1 not to all; 2 there is no target, or the settings
    cannot be right.
    """
    from linekey.alerts.sender import Sender, trial
    from linekey.cli.serve import load_settings
    from linekey.store.paths import StateDir
    from linekey.store.servers import called

    folder = StateDir.open(state, create=False)
    settings = load_settings(folder, {})
    sender = Sender(settings.alerts, folder.root)
    if not sender.targets:
        raise InputError(
            "there is nobody to tell: linekey.toml has no alerts.webhooks and no "
            "alerts.mail_to",
            hint="see docs/howto/alerts.md",
        )
    at = now()
    message, body = trial(called(folder, settings.instance), at)

    async def send_all() -> list[Any]:
        targets = sender.targets.values()
        return await asyncio.gather(
            *(sender.send(target, message, body, at) for target in targets)
        )

    outcomes = asyncio.run(send_all())
    results = [
        {
            "target": target.label,
            "delivered": outcome.delivered,
            "problem": outcome.problem,
        }
        for target, outcome in zip(sender.targets.values(), outcomes, strict=True)
    ]
    if json:
        emit_json(results)
    else:
        for one in results:
            word = "delivered" if one["delivered"] else "NOT delivered"
            said = f": {one['problem']}" if one["problem"] else ""
            say(printable(f"{word}  {one['target']}{said}"))
    if not all(one["delivered"] for one in results):
        raise typer.Exit(1)


@app.command()
def retry(
    number: Annotated[
        int | None,
        typer.Argument(
            metavar="ID", min=1, help="The message's number in `linekey alert list`."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that were not delivered.")
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Have messages that were not delivered sent again. The running server does it."""
    from linekey.store import outbox

    if (number is None) != everything:
        raise InputError(
            "say which message", hint="give its ID of linekey alert list, or --all"
        )
    with opened(state) as database:
        count = outbox.retry(database, number, now())
    if json:
        emit_json({"waiting": count})
        return
    say(f"{count:,} wait again")
    if count:
        note(f"what came of it: {with_state('linekey alert list', state)}")


@app.command()
def secret(json: JsonOption = False) -> None:
    """Print a new secret for alerts.webhook_secret. It is kept nowhere."""
    from linekey.alerts.signature import new_secret

    made = new_secret()
    if json:
        emit_json({"secret": made})
        return
    say(made)
    note("put it into linekey.toml as alerts.webhook_secret, and into the receiver")
