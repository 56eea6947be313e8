"""``linekey``: the verbs, each a module of its own, put together here.

Rules: no verb is imported before it is called for more than its help, so that
``linekey --help`` stays quick; bad input never ends in a traceback.
"""

import errno
import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand

from linekey.cli.command import App, Verbs
from linekey.errors import Cause, LinekeyError, StorageError

VERBS: dict[str, tuple[str, str]] = {
    "up": (
        "linekey.cli.up",
        "Try linekey on this machine: a lab CA, the server and a phone.",
    ),
    "init": (
        "linekey.cli.init",
        "Set a server up: user, folders, configuration, systemd units.",
    ),
    "serve": ("linekey.cli.serve", "Run the provisioning server."),
    "device": ("linekey.cli.device", "Register phones and change their records."),
    "pending": (
        "linekey.cli.pending",
        "Approve or refuse phones that nobody has registered yet.",
    ),
    "layer": (
        "linekey.cli.layer",
        "Set phone settings for all phones, a group, a model or one phone.",
    ),
    "group": ("linekey.cli.group", "Manage groups of phones, such as customers'."),
    "trust": (
        "linekey.cli.trust",
        "Manage the CAs whose phone certificates are trusted.",
    ),
    "user": ("linekey.cli.user", "Manage who may log in to the console."),
    "token": ("linekey.cli.token", "Manage the tokens for the HTTP API."),
    "audit": ("linekey.cli.audit", "Show who changed what, when, and from where."),
    "log": ("linekey.cli.log", "Show which requests were granted or refused, and why."),
    "database": (
        "linekey.cli.database",
        "Show the database, and copy it to PostgreSQL or back.",
    ),
    "backup": (
        "linekey.cli.backup",
        "Write all that must not be lost into one file.",
    ),
    "restore": ("linekey.cli.restore", "Put a backup back."),
    "models": ("linekey.cli.models", "Show what a phone model supports in TLS."),
    "phone": ("linekey.cli.phone", "Run virtual phones and control them."),
    "check": (
        "linekey.cli.check",
        "Check whether phones would accept a server, and why not.",
    ),
    "lint": (
        "linekey.cli.lint",
        "Say what weakens phones in makers' configuration files.",
    ),
    "forecast": (
        "linekey.cli.forecast",
        "Show which phones stop working when, and the cure.",
    ),
    "test-servers": (
        "linekey.cli.servers",
        "Run correct and faulty TLS servers to test against.",
    ),
    "certificate": (
        "linekey.cli.certificate",
        "Put a renewed certificate in place, unless phones would be lost.",
    ),
    "export": (
        "linekey.cli.export",
        "Write the configuration of nginx, Kamailio and others.",
    ),
    "alert": (
        "linekey.cli.alert",
        "Show alerts, see whether they arrive, and send them again.",
    ),
    "monitoring": (
        "linekey.cli.monitoring",
        "Write alert rules for Prometheus and a Grafana dashboard.",
    ),
    "plan": (
        "linekey.cli.plan",
        "Plan how many servers a fleet needs, from measured costs.",
    ),
    "load": (
        "linekey.cli.load",
        "Load a server of your own with virtual phones, and measure.",
    ),
    "lab": ("linekey.cli.lab", "Make lab certificates, built like a vendor's."),
    "completion": (
        "linekey.cli.completion",
        "Print what makes a shell complete linekey's words.",
    ),
}
"""Verb → its module and its line in the help, in the order a beginner needs them."""


RENAMED = {"zoo": "test-servers"}
"""Verbs by the names they had: understood for one release, and in no help."""

COMPLETE = "_LINEKEY_COMPLETE"
"""What a shell sets to be told words (see ``linekey completion``)."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class _Verbs(Verbs):
    """Knows every verb's line for the help, and loads its module when it is called."""

    calling = False

    def main(self, *args: Any, **options: Any) -> Any:
        if os.environ.get(COMPLETE):  # a shell asks; nobody else needs this import
            from typer import completion

            completion.completion_init()  # type: ignore[attr-defined]
        # However it was called: its help and the shells' variables go by this name.
        return super().main(*args, **{**options, "prog_name": "linekey"})

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever reads, such as `head`, has enough; Typer would exit with 1.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
            raise typer.Exit(0) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in RENAMED:
            new = RENAMED[args[0]]
            if not ctx.resilient_parsing:
                typer.echo(f"`linekey {args[0]}` is `linekey {new}` now", err=True)
            args = [new, *args[1:]]
        self.calling = not args or args[0] in VERBS
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        module, line = VERBS[cmd_name]
        if not self.calling:
            return TyperCommand(cmd_name, help=line)
        command = typer.main.get_command(import_module(module).app)
        command.name = cmd_name
        return command


app = App(
    cls=_Verbs,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from linekey import __version__  # a look-up that nobody else waits for

        typer.echo(f"linekey {__version__}")
        raise typer.Exit


@app.callback()
def _linekey(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """TLS for IP phones: a provisioning server, a virtual phone, and a check.

    Start with `linekey up`: it runs a lab CA, the provisioning server and one
    virtual phone on this machine, and prints what happens.
    """


def main() -> None:
    """Run the command line; leave with the exit code of what happened."""
    from linekey.cli.output import fail
    from linekey.wire.process import collect_less
    from linekey.wire.standard_streams import ensure_standard_streams

    ensure_standard_streams()
    collect_less()
    try:
        try:
            app(standalone_mode=True)
        except LinekeyError as error:
            fail(error)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            where = f" for {str(error.filename)!r}" if error.filename else ""
            fail(
                StorageError(
                    f"no space is left{where}",
                    hint="free some space, then try again",
                    cause=Cause.FULL,
                )
            )
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
