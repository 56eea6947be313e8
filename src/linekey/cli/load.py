"""``linekey load``: many virtual phones against a server of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.opening import JsonOption, make_verb

app = make_verb()


@app.command()
def load(
    server: Annotated[
        str,
        typer.Option(
            "--server", metavar="URL", help="Provisioning server, https://HOST:PORT."
        ),
    ] = "",
    lab: Annotated[
        bool,
        typer.Option(
            "--lab",
            help="Load a lab of its own on this machine: server, registrar, menu, and "
            "as many registered phones. It is thrown away afterwards.",
        ),
    ] = False,
    phones: Annotated[int, typer.Option(min=1, help="How many phones.")] = 100,
    rate: Annotated[
        str,
        typer.Option(
            metavar="R/s",
            help="Phones that start a second: 50/s or 600/m. Default: as fast as they "
            "come, --at-once of each worker at a time.",
        ),
    ] = "",
    lasting: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long: 60s, 10m.")
    ] = "30s",
    mix: Annotated[
        str,
        typer.Option(
            metavar="KINDS",
            help="What each phone does: boot and register once when it starts, then, "
            "after thinking, one of refresh, keys, lookup, actions by weight "
            "(keys=3); boot=1 and register=1 have it do these again, too.",
        ),
    ] = "boot,register",
    think: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Mean time between two things that a phone does."
        ),
    ] = "5s",
    registrar: Annotated[
        str,
        typer.Option(
            metavar="sips:HOST:PORT",
            help="SIP server of phones that do not boot; those that do learn it from "
            "their configuration.",
        ),
    ] = "",
    domain: Annotated[
        str, typer.Option(help="SIP domain. Default: the registrar's host.")
    ] = "",
    phones_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv|DIR",
            help="The phones: a table with the columns mac and identity, and any of "
            "key, model, firmware, user, password; or a folder with MAC.pem and "
            "MAC.key.",
        ),
    ] = None,
    trust: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="CA that the phones trust. May be repeated."),
    ] = None,
    i_own: Annotated[
        list[str] | None,
        typer.Option(
            "--i-own",
            metavar="HOST",
            help="A host that is yours, and may be loaded. This machine needs no "
            "naming. May be repeated.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=256,
            help="Processes of this machine that run phones. Default: one a core, but "
            "for one core.",
        ),
    ] = None,
    at_once: Annotated[
        int,
        typer.Option(min=1, max=1000, help="Phones of a worker that start at a time."),
    ] = 16,
    limit: Annotated[
        str, typer.Option(metavar="TIME", help="How long an answer may take.")
    ] = "30s",
    master: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where workers of other machines may join. Default: a free port on "
            "loopback, which an ssh tunnel reaches.",
        ),
    ] = "",
    expect: Annotated[
        int,
        typer.Option(
            min=0, max=256, help="Workers of other machines that are waited for."
        ),
    ] = 0,
    join: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Be a worker of the load that waits there; with --token, "
            "--phones-from and --i-own only.",
        ),
    ] = "",
    token: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --master or --expect: write what workers must have to FILE. "
            "With --join: the copy of it.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write Locust's report, HTML.")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="PREFIX",
            help="Write Locust's tables: PREFIX_stats.csv, PREFIX_failures.csv …",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Load a server of your own with virtual phones, and measure.

    Each phone is a whole virtual phone with a certificate of its own. It boots by
    mutual TLS, registers over SIP and TLS, and does what `--mix` says. The report says
    how long that took, what failed and why, and how much of the time was the load's
    own. For example, with nothing prepared:

        linekey load --lab --phones 200 --rate 20/s --for 20s --mix boot,register,keys

    A server of yours, with phones that are registered there:

        linekey load --server https://prov.example.com --i-own prov.example.com
        --phones-from phones.csv --trust ca.pem --phones 1000 --rate 50/s --for 5m

    More machines: `--expect 2 --token FILE` waits for two workers; on each of them
    `linekey load --join HOST:PORT --token FILE --phones-from phones.csv`.

    It needs Locust: `pip install 'linekey[load]'`. Ctrl-C ends it early, with a report.
    """
    from linekey.cli import loading  # more than its help needs

    if join:
        loading.join(join, token, phones_from, tuple(i_own or ()))
        return
    loading.run(
        loading.Given(
            server=server, lab=lab, phones=phones, rate=rate, lasting=lasting, mix=mix,
            think=think, registrar=registrar, domain=domain, phones_from=phones_from,
            trust=tuple(trust or ()), owned=tuple(i_own or ()), workers=workers,
            at_once=at_once, limit=limit, master=master, expect=expect, token=token,
            html=html, csv=csv, json=json,
        )
    )  # fmt: skip
