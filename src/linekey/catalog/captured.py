"""ClientHellos of phones that somebody captured and published, a row each.

Facts, read from public collections; no bytes of anybody's file are in here. Most rows
of such collections do not say which model and firmware was seen, so a row stands for no
model: it is used where it is asked for by name (``linekey check --hello ID``), and told
on its maker's page. Which places had none is on that page, too.

Rule: what a source does not tell (random bytes, session) is left out, never made up.
"""

from dataclasses import dataclass
from typing import Final

from linekey.catalog.evidence import Confidence
from linekey.tls.hello import ClientHello


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedHello:
    """One hello as it was seen."""

    id: str
    """``poly-directory-2015``."""
    maker: str
    model: str
    """Empty: its source does not say."""
    firmware: str
    use: str
    """What the phone was doing."""
    record_version: int
    version: int
    suites: tuple[int, ...]
    extensions: tuple[tuple[int, bytes], ...]
    source: str
    confidence: Confidence

    def client_hello(self) -> ClientHello:
        """It without random bytes and session."""
        return ClientHello(
            self.version, bytes(32), self.suites, self.extensions,
            record_version=self.record_version,
        )  # fmt: skip


CAPTURED: Final[dict[str, CapturedHello]] = {
    row.id: row
    for row in (
        CapturedHello(
            id="poly-directory-2015",
            maker="poly",
            model="",
            firmware="",
            use="directory look-up",
            record_version=0x0301,
            version=0x0301,
            suites=(0x0035, 0x000A, 0x002F, 0x0005),
            extensions=(),
            source="TLS-PRINTS, added on 2015-10-04",
            confidence="L",
        ),
    )
}
"""By id. Its one source is good for the bytes; that it holds for any other Polycom
phone is an inference, so L."""

SEARCHED: Final[tuple[tuple[str, str], ...]] = (
    ("TLS-PRINTS", "one row, of a Polycom phone; none of any other maker here"),
    ("the JA3 lists of salesforce/ja3 and trisulnsm/trisul-scripts",
     "the same row again; no other phone"),
    ("cisco/mercury, resources and sample captures", "no phone of these makers"),
    ("issues of asterisk, pjproject, FreePBX, kamailio, OpenSIPS, sipwise, NethServer",
     "issue 93 of asterisk/asterisk has hellos of a SoundPoint IP 550 and a VVX 500 as"
     " attachments, whose text is not in any copy that was within reach"),
    ("manuals and tutorials, by words of a printed hello",
     "lists of suites in Yealink's and Polycom's guides, for several models at once"),
)  # fmt: skip
"""Where public hellos were looked for on 2026-11-30, and what was there."""
