"""``linekey serve``: the provisioning server alone, for production."""

import contextlib
import os
import signal
import socket
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import PORTS, StateOption, make_verb
from linekey.cli.output import note, say, warn
from linekey.endpoint import parse_endpoint
from linekey.errors import InputError, LinekeyError, StorageError
from linekey.store.paths import StateDir
from linekey.wire.handed_sockets import take_sockets
from linekey.wire.service_manager import ServiceManager
from linekey.wire.service_manager import status as status_line
from linekey.wire.standard_streams import QueuedStream, queued_streams

with on_use():
    import asyncio

    from linekey.endpoint import is_loopback
    from linekey.settings import Settings, parse_settings
    from linekey.trust.findings import Finding

app = make_verb()

PHONES, HEALTH = "phones", "health"
HANDED = (PHONES, HEALTH)
"""The sockets that systemd may hand over, by FileDescriptorName= of linekey.socket."""
PAUSE_S = 5.0
"""Between a start with wrong settings and the next, where systemd keeps the socket; as
RestartSec= has it for all else."""


@app.command()
def serve(
    state: StateOption = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on for phones.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(**PORTS, help="TCP port for phones; 0 takes a free one."),
    ] = None,
    certificate: Annotated[
        list[Path] | None,
        typer.Option(
            help="PEM file: the server's certificate, then its intermediates. Twice, "
            "each with its --key: one of an RSA and one of an EC key."
        ),
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(help="PEM file: the certificate's private key, mode 0600."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Host name that phones use. May be repeated."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of worker processes.")
    ] = None,
    status_port: Annotated[
        int | None, typer.Option(**PORTS, help="Port of the status page, on loopback.")
    ] = None,
    status: Annotated[
        bool | None, typer.Option(help="Turn the status page on or off.")
    ] = None,
    health_listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS:PORT",
            help="Answer a load balancer's /healthz and /readyz here, by plain HTTP.",
        ),
    ] = None,
    behind_proxy: Annotated[
        str | None,
        typer.Option(
            metavar="unix:PATH|ADDR[,ADDR]",
            help="Run behind a TLS proxy: accept plain HTTP on this Unix socket, or "
            "from these addresses, and take the phone's certificate from the proxy's "
            "headers (see `linekey export`). Prefer the socket: any user of this "
            "machine can connect from a loopback address.",
        ),
    ] = None,
    socket_group: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP",
            help="Group that may connect to that socket: the proxy's group.",
        ),
    ] = None,
    public_port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="Port on which phones reach that proxy; it is in the URLs of their "
            "configurations. Default: 443.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Only report what would prevent a start; do not start."
        ),
    ] = False,
    check_files: Annotated[
        bool,
        typer.Option(
            "--check-files",
            help="The same without the ports: what a server that runs would refuse "
            "when it reloads.",
        ),
    ] = False,
) -> None:
    """Run the provisioning server until Ctrl-C. It refuses to start if that is unsafe.

    It needs a server certificate with its key, at least one vendor CA (`linekey trust
    add`) and registered phones (`linekey device add`). For example:

        linekey serve --certificate chain.pem --key key.pem --name prov.example.com

    Settings are read from linekey.toml in the state folder, then from LINEKEY_…
    environment variables, then from these options; the last one wins. SIGHUP loads a
    renewed certificate. SIGTERM tells load balancers that ask --health-listen, finishes
    the answers under way, then stops. Under systemd (Type=notify) it says when it
    serves, how it is, and that it lives; with linekey.socket phones wait for the next
    start instead of being refused.
    """
    with queued_streams() as stderr:
        _serve(
            stderr,
            state,
            {
                "host": host,
                "port": port,
                "certificate": _absolute(certificate),
                "key": _absolute(key),
                "names": tuple(name) if name else None,
                "workers": workers,
                "status.port": status_port,
                "status.enabled": status,
                "health_listen": health_listen,
                "proxy.public_port": public_port,
                **_proxy_options(behind_proxy, socket_group),
            },
            check=check,
            check_files=check_files,
        )


def _proxy_options(addresses: str | None, group: str | None) -> dict[str, Any]:
    if addresses is None:
        return {"proxy.unix_group": group}
    if addresses.startswith("unix:"):
        return {
            "proxy.behind_proxy": True,
            "proxy.trusted_proxies": (),
            "proxy.unix_socket": Path(addresses.removeprefix("unix:")).absolute(),
            "proxy.unix_group": group,
        }
    if group is not None:
        raise InputError(
            "--socket-group needs a Unix socket",
            hint="give --behind-proxy unix:PATH, or leave out --socket-group",
        )
    listed = tuple(part.strip() for part in addresses.split(",") if part.strip())
    return {
        "proxy.behind_proxy": True,
        "proxy.trusted_proxies": listed,
        "proxy.unix_socket": "",
        "proxy.unix_group": "",
    }


def load_settings(state: StateDir, options: dict[str, Any]) -> Settings:
    """Layer ``linekey.toml``, the environment and the options.

    Raises InputError for what cannot be right, StorageError for an unreadable file.
    """
    try:
        text = state.settings_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"cannot read {str(state.settings_file)!r}: {error}",
            hint="it must be a TOML file in UTF-8 that the server's user may read",
        ) from error
    return parse_settings(text, os.environ, options, file=str(state.settings_file))


def _serve(
    stderr: QueuedStream,
    folder: Path | None,
    options: dict[str, Any],
    *,
    check: bool,
    check_files: bool,
) -> None:
    manager = ServiceManager.take(os.environ, os.getpid())
    handed = take_sockets(os.environ, os.getpid(), HANDED)
    if check or check_files:
        _run(stderr, folder, options, ServiceManager(), handed, ports=not check_files)
        return
    try:
        _run(stderr, folder, options, manager, handed)
    except LinekeyError as error:
        manager.tell(status_line(error.message))
        if handed and error.exit_code == InputError.exit_code:
            # Who waits in the backlog has systemd start this again at once, whatever
            # Restart= says: as long as a phone waits, and the settings are wrong.
            note(
                f"not started: {error.message}; ends in {PAUSE_S:g} s, since systemd "
                "starts it again for the next phone"
            )
            time.sleep(PAUSE_S)
        raise


def _run(
    stderr: QueuedStream,
    folder: Path | None,
    options: dict[str, Any],
    manager: ServiceManager,
    handed: dict[str, socket.socket],
    *,
    ports: bool | None = None,
) -> None:
    """Serve; or only check, with the ports or without, where ``ports`` says so.

    ``handed`` are sockets that listen already, by their names in ``HANDED``.
    """
    # Here and not above: `linekey --help` needs none of it.
    from linekey.server import workers
    from linekey.server.health import health_url
    from linekey.server.listener import phone_listener
    from linekey.server.logs import configure_logs
    from linekey.server.server import ProvisioningServer, utc_now
    from linekey.wire.door.listener import bind
    from linekey.wire.process import new_loop

    state = StateDir.open(folder)
    settings = load_settings(state, options)
    if settings.proxy.behind_proxy and "host" not in settings.model_fields_set:
        settings = settings.model_copy(update={"host": "127.0.0.1"})
    configure_logs(
        stderr,
        settings.log_level,
        settings.log_format,
        settings.log.stderr_each_minute,
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(workers.signals_wait(signal.SIGHUP))
        database = stack.enter_context(workers.open_store(state, settings))
        if database.newer_schema:
            warn(
                f"the database has the schema {database.newer_schema} of a newer "
                "linekey; this one goes on beside it",
                "upgrade this server, too (docs/howto/upgrade.md)",
            )
        files, findings = workers.inspect_start(settings, state, database, utc_now())
        report(findings)
        if ports is False:
            say("a server that runs would take these files")
            return
        phones = handed.get(PHONES)
        # From here on phones may connect: who has is served before the end.
        stack.enter_context(workers.signals_wait(signal.SIGTERM))
        listener = stack.enter_context(phone_listener(settings, phones))
        status_listener: socket.socket | None = None
        if settings.status.enabled:
            status_listener = stack.enter_context(
                bind(settings.status.host, settings.status.port)
            )
        health_listener = handed.get(HEALTH)
        if health_listener is None and settings.health_listen:
            health_listener = stack.enter_context(
                bind(*parse_endpoint(settings.health_listen))
            )
        if ports:
            say("linekey serve would start")
            return

        def started(url: str, status_url: str | None) -> None:
            note(f"phones: {url}/")
            if status_url:
                note(f"status: {status_url}")
                if settings.api.enabled:
                    note(f"API: {status_url}api/v1")
            if health_listener is not None:
                note(f"health: {health_url(health_listener)}readyz")
            proxy = settings.proxy
            if proxy.behind_proxy and proxy.unix_socket is not None:
                who = f"group {proxy.unix_group!r}" if proxy.unix_group else "its group"
                note(f"listening on {proxy.unix_socket} for this user and {who}")
            elif phones is not None:
                note("on the socket that the service manager keeps")
            elif not is_loopback(settings.host):
                note(f"listening on {settings.host}, {settings.workers} worker(s)")
            if not manager:
                note("Ctrl-C stops it.")

        def started_here(server: ProvisioningServer) -> None:
            started(server.url, server.status_url)

        runner = stack.enter_context(asyncio.Runner(loop_factory=new_loop))
        if settings.workers == 1 and not settings.has_own_process_for_status:
            runner.run(
                workers.serve_here(
                    settings,
                    state,
                    database,
                    files,
                    listener=listener,
                    status_listener=status_listener,
                    health_listener=health_listener,
                    manager=manager,
                    last=phones is None,
                    on_started=started_here,
                )
            )
        else:
            try:
                runner.run(
                    workers.serve_workers(
                        settings,
                        state,
                        database,
                        files,
                        listener=listener,
                        status_listener=status_listener,
                        health_listener=health_listener,
                        manager=manager,
                        last=phones is None,
                        on_started=started,
                    )
                )
            except* LinekeyError as group:
                raise _first(group) from None
    note("shut down cleanly")


def _absolute(files: list[Path] | None) -> tuple[Path, ...] | None:
    return tuple(path.absolute() for path in files) if files else None


def _first(group: BaseExceptionGroup[LinekeyError]) -> LinekeyError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, LinekeyError)
    return found


def report(findings: list[Finding]) -> None:
    """Say all findings; raise InputError if one refuses."""
    refused = [f for f in findings if f.severity == "refused"]
    for finding in findings:
        if finding.severity == "warning":
            warn(finding.message, finding.cure)
    if not refused:
        return
    for finding in refused[:-1]:
        note(f"error: {finding.message}")
        note(f"hint: {finding.cure}")
    raise InputError(refused[-1].message, hint=refused[-1].cure)
