"""``linekey monitoring``: what Prometheus and Grafana need, as files."""

import os
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import StateOption, make_verb
from linekey.cli.output import note, say
from linekey.cli.serve import load_settings
from linekey.endpoint import host_port
from linekey.errors import InputError
from linekey.store.paths import StateDir

with on_use():
    from linekey.endpoint import is_loopback
    from linekey.settings import Settings

app = make_verb()

_SHIPPED = ("linekey.rules.yml", "linekey.dashboard.json")
_SCRAPE = "prometheus.yml"
_TOKEN = "linekey.token"  # noqa: S105 - a file's name


@app.command()
def monitoring(
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Write the files to this folder."),
    ],
    state: StateOption = None,
) -> None:
    """Write alert rules and a scrape job for Prometheus, and a Grafana dashboard.

    For example: `linekey monitoring --out /etc/prometheus/linekey`. A file that is
    there already is left as it is.
    """
    shipped = files("linekey.server.monitoring")
    texts = {name: (shipped / name).read_text(encoding="utf-8") for name in _SHIPPED}
    folder = StateDir.open(state, create=False)
    settings = load_settings(folder, {})
    texts[_SCRAPE] = scrape_job(settings)
    if settings.metrics.listen:
        from linekey.server.scrape import ensure_token, token_path  # not for a help

        path = token_path(settings.metrics, folder.root)
        texts[_TOKEN] = f"{ensure_token(path)}\n"
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = out / name
            try:
                mode = 0o600 if name == _TOKEN else 0o666
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                with os.fdopen(os.open(path, flags, mode), "w", encoding="utf-8") as f:
                    f.write(text)
            except FileExistsError:
                note(f"{path} is there already; it is left as it is")
            else:
                say(str(path))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(
            f"cannot write to {str(out)!r}: {reason}", hint="give another --out"
        ) from None
    note("next: include them in Prometheus' configuration (docs/howto/monitoring.md)")


def scrape_job(settings: Settings) -> str:
    """Return Prometheus' configuration for this server's numbers.

    From their own listener, with its token, where there is one. Else from the status
    page's: on loopback they are plain; beyond it they are the API's, with a token.
    """
    status, metrics = settings.status, settings.metrics
    target = metrics.listen or host_port(status.host, status.port)
    lines = [
        "# For Prometheus: its whole configuration, or the job to add to yours.",
        "rule_files: [linekey.rules.yml]",
        "scrape_configs:",
        "  - job_name: linekey",
        "    static_configs:",
        f'      - targets: ["{target}"]',
    ]
    token = [
        "    authorization:",
        "      # Prometheus' user must be able to read it.",
        f"      credentials_file: {_TOKEN}",
    ]
    if metrics.listen:
        lines += token
        if metrics.certificate is not None:
            lines += ["    scheme: https", *_own_ca("metrics")]
    elif not is_loopback(status.host):
        lines += [
            "    scheme: https",
            "    metrics_path: /api/v1/metrics",
            "    # linekey token add prometheus --scope read > linekey.token",
            *token,
            *_own_ca("status"),
        ]
    return "\n".join(lines) + "\n"


def _own_ca(section: str) -> list[str]:
    return [
        f"    # Where no public CA issued the certificate in {section}.certificate:",
        "    # tls_config: {ca_file: ca.pem}",
    ]
