"""docs/howto/<peer>.md: prose from tools/howto, the configuration from the code.

Each page shows the lines that matter of what ``linekey export`` writes for a small
fleet, made by the same function; tests/live runs the whole.
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from textwrap import dedent

from jinja2 import Environment, StrictUndefined

from linekey.catalog.firmware import Firmware
from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.build import issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.export.active import active_phones
from linekey.export.admission import admitted
from linekey.export.needs import fleet_needs
from linekey.export.peers import find_peer
from linekey.export.render import Export, export
from linekey.export.request import Request, parse_backend, parse_listen
from linekey.mac import Mac
from linekey.provisioning.ca_rules import rules_of
from linekey.provisioning.device import Device
from linekey.server.preflight.proxy import SOCKET
from tools.purposes import purpose_table

SOURCES = Path(__file__).resolve().parent / "howto"

FLEET = (
    Device(Mac("000413000001"), "snom", "D785", Firmware.parse("10.1.33.33")),
    Device(Mac("000413000002"), "snom", "D715", Firmware.parse("10.1.33.33")),
)
"""One phone with a SHA-2 certificate, one with SHA-1; both speak TLS 1.2."""


@cache
def _authority() -> Certificate:
    """Some CA, so that there is one; the pages do not show it."""
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    return issue(
        Name.build([("CN", "Example Root CA")]),
        new_key("ec", "secp256r1"),
        None,
        serial=1,
        not_before=begin,
        not_after=end,
        hash="sha256",
        ca=True,
    )


def example(peer: str, *, files: str | None = None) -> Export:
    """What the pages show: `linekey export PEER` for ``FLEET``."""
    found = find_peer(peer)
    return export(
        found,
        Request(
            needs=fleet_needs(FLEET),
            groups=admitted(FLEET),
            phones=active_phones(FLEET),
            authorities=(_authority(),),
            rules=rules_of([(_authority(), OperatorRule(TrustRule.CN_MAC))]),
            name="phones.example.com",
            listen=parse_listen("", found.port),
            folder=f"/etc/linekey/{peer}",
            certificate="/etc/linekey/server.pem",
            key="/etc/linekey/server.pem.key",
            backend=None if files else parse_backend(f"unix:{SOCKET}"),
            files=files,
        ),
    )


def page(peer: str) -> str:
    """Return docs/howto/<peer>.md."""

    def file(name: str, *, files: str | None = None) -> str:
        made = example(peer, files=files)
        (text,) = (f.text for f in made.files if f.name == name)
        return f"```\n{text.rstrip()}\n```"

    def part(name: str, first: str, last: str, *, files: str | None = None) -> str:
        """The lines from the one that begins so to the next that begins so."""
        made = example(peer, files=files)
        (text,) = (f.text for f in made.files if f.name == name)
        lines = text.splitlines()
        bare = [line.strip() for line in lines]
        start = next(n for n, line in enumerate(bare) if line.startswith(first))
        stop = next(
            n for n, line in enumerate(bare) if n > start and line.startswith(last)
        )
        shown = dedent("\n".join(lines[start : stop + 1]))
        return f"```\n{shown}\n```"

    environment = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    source = (SOURCES / f"{peer}.md.j2").read_text(encoding="utf-8")
    text = environment.from_string(source).render(
        file=file,
        part=part,
        run=["    " + line for line in example(peer).run],
        prepare=["    " + line for line in example(peer).prepare],
        purposes=purpose_table(find_peer(peer).title),
    )
    title, _, rest = text.partition("\n")
    made_by = f"<!-- Made by `make docs` from tools/howto/{peer}.md.j2. -->"
    return f"{title}\n\n{made_by}\n{rest}"


def nginx() -> str:
    """The page on nginx."""
    return page("nginx")


def haproxy() -> str:
    """The page on HAProxy."""
    return page("haproxy")


def apache() -> str:
    """The page on Apache httpd."""
    return page("apache")


def kamailio() -> str:
    """The page on Kamailio."""
    return page("kamailio")


def slapd() -> str:
    """The page on OpenLDAP's slapd."""
    return page("slapd")


def freeradius() -> str:
    """The page on FreeRADIUS."""
    return page("freeradius")
