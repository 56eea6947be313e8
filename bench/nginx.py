"""nginx with the usual MAC rule and static files, for the comparison."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.fleet import Fleet
from bench.process import pin, running

_CONFIGURATION = r"""
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 20000; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  types {{ text/xml htm; }}
  keepalive_timeout 600s;
  map $ssl_client_s_dn $device {{
    default "";
    "~(^|,)CN=(?<cn>[0-9A-F]{{12}})(,|$)" $cn;
  }}
  map "$device:$uri" $allowed {{
    default 0;
    "~^(?<who>[0-9A-F]{{12}}):/snom[A-Za-z0-9]+-\k<who>\.htm$" 1;
  }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=2048;
    root {files};
    {certificates}
    ssl_client_certificate {fleet.authorities};
    ssl_verify_client on;
    ssl_verify_depth 3;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers {suites};
    location / {{
      if ($allowed = 0) {{ return 403; }}
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Running:
    pid: int
    port: int


def version() -> str | None:
    """nginx's version, or None if it is not installed."""
    import subprocess

    path = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if path is None:
        return None
    return subprocess.run(
        [path, "-v"], capture_output=True, text=True, check=True
    ).stderr.strip()


@contextmanager
def serving(
    folder: Path, fleet: Fleet, files: Path, *, both: bool = False, workers: int = 1
) -> Iterator[Running]:
    """Run it; ``both``: with an EC certificate beside the RSA one.

    One worker is kept on one core; several go where the system puts them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder, port=port, fleet=fleet, files=files, workers=workers,
            certificates="\n    ".join(
                f"ssl_certificate {certificate};\n    ssl_certificate_key {key};"
                for certificate, key in (fleet.pairs if both else fleet.pairs[:1])
            ),
            suites=":".join(
                f"ECDHE-{kind}-{rest}"
                for rest in ("AES128-GCM-SHA256", "AES256-GCM-SHA384")
                for kind in (("ECDSA", "RSA") if both else ("RSA",))
            ),
        )
    )  # fmt: skip
    kept = pin(0) if workers == 1 else []
    command = [*kept, "/usr/sbin/nginx", "-p", str(folder), "-c", str(configuration),
               "-e", str(folder / "error.log")]  # fmt: skip
    if __import__("os").geteuid() == 0:
        command += ["-g", "user root;"]
    with running(command) as process:
        wait_for(port)
        yield Running(process.pid, port)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(port: int, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
