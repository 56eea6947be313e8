"""Where an installation has what, and the first text of each file in it.

::

    /opt/linekey       the package: a virtual environment   (made before, by pip)
    /etc/linekey       the server's certificate and key, and exports for other servers
    /var/lib/linekey   the state folder, linekey.toml in it       0700, linekey's user

Rules: nothing here looks at this machine. A unit begins with a checksum of what follows
it, so that one that somebody changed is known, and left alone.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from linekey.export.account import Account
from linekey.export.request import parse_path

SERVICE: Final = "linekey.service"
WATCH: Final = "linekey-export-watch.service"
SOCKET: Final = "linekey.socket"
UNITS: Final = (SERVICE, WATCH, SOCKET)
LOW_PORT, HIGH_PORT = 443, 8443
_MADE_BY = "# Made by `linekey init`, checksum "
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - names
"""What a unit with ProtectHome= and PrivateTmp= does not see (systemd.exec(5))."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where this installation has what; build it with ``for_machine`` or ``below``."""

    program: Path
    """The ``linekey`` that units start."""
    account: Account
    configuration: Path
    state: Path
    units: Path
    is_whole: bool
    """Whether it is the machine's own, with a user of its own, made by root."""

    @property
    def certificate(self) -> Path:
        """The server's certificate, then its intermediates."""
        return self.configuration / "server.pem"

    @property
    def key(self) -> Path:
        """The certificate's private key."""
        return self.configuration / "server.key"

    @property
    def settings(self) -> Path:
        """linekey's own settings."""
        return self.state / "linekey.toml"

    @property
    def port(self) -> int:
        """The port for phones of a first configuration."""
        return LOW_PORT if self.is_whole else HIGH_PORT


def for_machine(program: Path, account: Account) -> Layout:
    """Return the layout of a server that root sets up.

    Raises InputError for a program that a unit cannot name.
    """
    return Layout(
        program=_plain(program),
        account=account,
        configuration=Path("/etc/linekey"),
        state=Path("/var/lib/linekey"),
        units=Path("/etc/systemd/system"),
        is_whole=True,
    )


def below(prefix: Path, program: Path, account: Account) -> Layout:
    """Return the same below a folder, for whoever runs this; it makes no user.

    Raises InputError for a path that a unit cannot name.
    """
    root = _plain(prefix)
    return Layout(
        program=_plain(program),
        account=account,
        configuration=root / "etc/linekey",
        state=root / "var/lib/linekey",
        units=root / "etc/systemd/system",
        is_whole=False,
    )


def _plain(path: Path) -> Path:
    return Path(parse_path(str(path), "path"))


def hidden_from_units(*paths: Path) -> Path | None:
    """Return the first path that the unit could not see, such as one below /root."""
    for path in paths:
        if any(path.is_relative_to(place) for place in _HIDDEN):
            return path
    return None


def first_settings(layout: Layout, names: tuple[str, ...], workers: int) -> str:
    """Return the first ``linekey.toml``. ``names`` are host names, already checked."""
    listed = ", ".join(f'"{name}"' for name in names)
    named = f"names = [{listed}]"
    if not names:
        named = '# names = ["prov.example.com"]'
    return f"""\
# linekey's settings. Each one is explained in docs/reference/settings.md; after a
# change: linekey serve --check, then systemctl restart linekey.
host = "0.0.0.0"
port = {layout.port}
certificate = "{layout.certificate}"    # the server's first, then its intermediates
key = "{layout.key}"            # mode 0600, of the user {layout.account.user}
{named}    # what phones have in their setting_server
workers = {workers}

[status]
port = 8480    # on loopback
"""


def unit_text(layout: Layout, name: str) -> str:
    """Return a unit, its checksum first. KeyError for a name that is none of UNITS."""
    if name not in UNITS:
        raise KeyError(name)
    environment = Environment(
        loader=PackageLoader("linekey.server.setup", "units"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no HTML; every value is a checked path
    )
    text = environment.get_template(f"{name}.j2").render(
        program=layout.program,
        user=layout.account.user,
        group=layout.account.group,
        state=layout.state,
        configuration=layout.configuration,
        port=layout.port,
        whole=layout.is_whole,
    )
    return f"{_MADE_BY}{_checksum(text)}.\n{text}"


def is_ours(text: str) -> bool:
    """Whether a unit is as some `linekey init` wrote it, and nobody changed it."""
    first, _, rest = text.partition("\n")
    return first == f"{_MADE_BY}{_checksum(rest)}."


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
