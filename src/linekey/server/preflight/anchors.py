"""Do other makers' phones get the root of the server's chain in their files?

linekey's files have them verify servers, so a phone that does not know the root loses
its server with the first file. The root is looked for in the chain's file, among what
``trust_anchor.file`` names, and in Mozilla's newest list (``trust.anchors``).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from linekey.certs.certificate import Certificate
from linekey.makers.all import MAKERS
from linekey.server.preflight.finding import found
from linekey.trust.anchors import Anchors, lacking
from linekey.trust.findings import Finding
from linekey.words import counted

CURE = (
    'trust_anchor.file = "root.pem" in linekey.toml names it; or append it to the '
    "server's certificate file, or give it to all phones with linekey layer "
    "certificate fleet root.pem; trust_anchor.in_files = false, if they have it "
    "built in"
)
"""Where the root of the server's chain is not known."""
OTHERS = tuple(m.id for m in MAKERS.values() if not m.snom_like)
"""Makers whose files have phones verify servers."""


def check_anchors(
    anchors: Anchors,
    of_fleet: Sequence[Certificate],
    phones: Callable[[], int],
    now: datetime,
) -> Iterator[Finding]:
    """Judge what the phones are given; ``of_fleet`` is what the fleet's layer holds.

    ``phones`` counts the registered phones of other makers; it is asked where it
    matters.
    """
    missing = lacking(anchors, of_fleet)
    if missing and (count := phones()):
        yield found(
            "anchor.missing",
            f"{counted(count, 'registered phone')} of other makers than Snom verify "
            f"this server, and the root above it is not known: {missing[0].label} was "
            f"issued by {missing[0].issuer_label}",
            CURE,
        )
    for root in anchors.roots:
        if root.not_after < now:
            yield found(
                "anchor.expired",
                f"the root of the server's chain has expired: {root.label} "
                f"({root.not_after:%Y-%m-%d})",
                "name the renewed one with trust_anchor.file, or get a certificate "
                "under another root",
            )
    for certificate in anchors.unused:
        yield found(
            "anchor.unused",
            f"trust_anchor.file names a certificate that is in no path from this "
            f"server's: {certificate.label}",
            "name the root that issued the server's certificate, or its issuer's; a "
            "CA of other servers belongs into a layer: linekey layer certificate "
            "fleet FILE",
        )
