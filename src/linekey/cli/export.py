"""``linekey export``: another server's whole configuration for mutual TLS with phones.

Rules: a file that linekey did not write is never overwritten, and one that is the
operator's from then on (accounts, secrets) is written once. No key is copied.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_verb,
)

app = make_verb()


@app.command()
def export_(
    peer: Annotated[
        str | None,
        typer.Argument(
            metavar="PEER",
            show_default=False,
            help="The server: nginx, haproxy, apache, kamailio, slapd, freeradius.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the files to this folder, ready to run. Default: print them.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="HOST",
            help="Host name that phones use. Default: names in linekey.toml, else the "
            "certificate's name.",
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDR:PORT",
            help="Where it listens for phones. Default: all addresses and the usual "
            "port. nginx, haproxy and apache listen on IPv6, too, the others only on "
            "IPv4. On a machine without IPv6 give 0.0.0.0:PORT.",
        ),
    ] = None,
    certificate: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="PEM file: the server's certificate, then its intermediates. Twice, "
            "each with its --key: one of an RSA and one of an EC key (nginx, haproxy, "
            "apache; the others get RSA's). Default: as in linekey.toml, else "
            "/etc/linekey/server.pem.",
        ),
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="PEM file: its private key. It is not copied, only checked against "
            "the certificate. Default: as in linekey.toml, else "
            "/etc/linekey/server.key.",
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where `linekey serve --behind-proxy` listens: unix:PATH or "
            "http://ADDR:PORT. Any user of this machine can connect to a loopback "
            "address. Default: as in linekey.toml, else "
            "unix:/run/linekey/linekey.sock.",
        ),
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Serve the phones' files from this folder, without linekey serve; "
            "each phone gets only its own (nginx, apache).",
        ),
    ] = None,
    server: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=ADDR:PORT[,HEALTHPORT]",
            help="Pass TCP through to these linekey servers instead of ending TLS, and "
            "ask each for readiness on HEALTHPORT, 8481 by default (haproxy). "
            "Repeatable.",
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="USER[:GROUP]",
            help="User that the server runs as. Default: the Debian package's.",
        ),
    ] = None,
    client_certificates: Annotated[
        Literal["required", "optional"],
        typer.Option(
            metavar="required|optional",
            help="Whether every phone must send a certificate. optional (kamailio): a "
            "phone without one needs only its SIP password.",
        ),
    ] = "required",
    min_version: Annotated[
        str | None,
        typer.Option(
            metavar="1.0|1.1|1.2",
            help="Oldest TLS version on this port. Default: what the registered phones "
            "need. Below 1.2 it also allows the cipher suites of that time.",
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP",
            help="Put only phones of this group into the phone book (slapd). "
            "Repeatable.",
        ),
    ] = None,
    reload: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="With --out: what --watch runs after writing these files anew. "
            "Default: the commands of the server's page.",
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Write all exports of this state folder anew whenever phones, layers "
            "or CAs change, and reload their servers, until it is stopped.",
        ),
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Write the configuration of another server for mutual TLS with phones.

    It needs the CAs in `linekey trust` and the registered phones: the server accepts
    only the TLS versions and cipher suites that these phones need. For example:

        linekey export nginx --out /etc/linekey/nginx --name phones.example.com
    """
    from linekey.cli.exporting import carry_out  # more than its help needs

    carry_out(
        peer=peer,
        out=out,
        name=name,
        listen=listen,
        certificate=certificate,
        key=key,
        backend=backend,
        files=files,
        servers=server or [],
        user=user,
        client_certificates=client_certificates,
        min_version=min_version,
        groups=group,
        reload=reload,
        watch=watch,
        state=state,
        json=json,
    )
