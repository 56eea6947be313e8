"""The roots of this server's chains, for commands that say what phones have."""

from pathlib import Path

from linekey.cli.on_use import on_use
from linekey.cli.output import note, warn
from linekey.errors import InputError

with on_use():
    from linekey.certs.certificate import Certificate
    from linekey.server.preflight.anchors import CURE
    from linekey.server.preflight.checks import read_anchors
    from linekey.settings import Settings
    from linekey.trust.anchors import NO_ANCHORS, Anchors, lacking


def anchors_here(settings: Settings, folder: Path) -> Anchors:
    """The roots that phones are given; on stderr, why they cannot be told here."""
    if settings.trust_anchor.in_files and not settings.certificate:
        note(
            "note: linekey.toml here names no certificate, so the root of the server's "
            "chain is not known to this command; the server adds it"
        )
        return NO_ANCHORS
    try:
        return read_anchors(settings, folder)
    except InputError as error:
        why = f"the root of the server's chain cannot be told: {error.message}"
        warn(why, error.hint)
        return NO_ANCHORS


def say_lacking(anchors: Anchors, held: list[Certificate]) -> None:
    """Say on stderr which root nobody has; ``held`` are CAs that phones have, too."""
    for top in lacking(anchors, held):
        warn(
            f"the root above {top.label}, which {top.issuer_label} issued, is not "
            "known, and phones of other makers than Snom verify this server",
            CURE,
        )
